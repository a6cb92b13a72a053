"""One look at an endpoint: its new predictions, cut into windows and judged."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.monitoring.logic.judge import Reference, count_window, judge, summarise
from athanor.monitoring.logic.keeping import decode, encode
from athanor.monitoring.logic.performance import judge_accuracy, judge_ranking
from athanor.monitoring.logic.sketch import count, plan_category, plan_number
from athanor.monitoring.types import (
    Cursor,
    MonitorSettings,
    Performance,
    WindowReport,
    WindowVerdict,
)
from athanor.monitoring.work.log import Row, latest_labels, predictions
from athanor.monitoring.work.messages import Judged, Looked, Order, Place

SCORE, LABEL = "(score)", "(predicted label)"
_LABELLED_SHARE = 0.9
"""Of a window's rows must have a label before the model's performance on it is judged."""
_WINDOWS_AT_ONCE = 10
_PLAIN = (bytes, datetime)


def look(order: Mapping[str, Any]) -> dict[str, Any]:
    """Judge what came since the last look; the answer is a `Looked`.

    The training table is read only where there is no summary of it yet.

    Raises: LogMoved.
    """
    asked = msgspec.convert(order, Order, builtin_types=_PLAIN, from_attributes=True)
    watched, begin = asked.watched, asked.read
    rows = predictions(
        asked.sources.get("predictions", {}),
        watched.endpoint,
        min([begin.at, *(item.first_at for item in asked.pending)]),
    )
    fresh = [
        row
        for row in rows
        if (row.at, row.id) > (begin.at, begin.id)
        and (row.model, row.version) == (watched.model, watched.version)
    ]
    windows = _cut(fresh, asked.settings, rest=asked.rest)
    reference = decode(asked.sketch) if asked.sketch else None
    judged = []
    for window in windows:
        reference = reference or _summary(asked)
        report, reference = _judge(window, reference, asked.settings)
        end = Cursor(at=window[-1].at, id=window[-1].id)
        judged.append(Judged(report=report, first_at=window[0].at, last=end))
    kept = None if reference is None else encode(reference)
    done = Looked(
        windows=judged,
        left=len(fresh) - sum(map(len, windows)),
        sketch=None if kept == asked.sketch else kept,
        performance=_performance(asked, rows) if asked.pending else {},
    )
    answer: dict[str, Any] = msgspec.to_builtins(done, builtin_types=_PLAIN)
    return answer


def _cut(rows: list[Row], settings: MonitorSettings, *, rest: bool) -> list[list[Row]]:
    size = settings.window_rows
    whole = min(len(rows) // size, _WINDOWS_AT_ONCE)
    windows = [rows[i * size : (i + 1) * size] for i in range(whole)]
    over = rows[whole * size :]
    if rest and settings.minimum_rows <= len(over) < size:
        windows.append(over)
    return windows


def _summary(asked: Order) -> Reference:
    """Summarise the training table's columns that the model reads."""
    read, inputs, settings = _read_table(asked.table), asked.watched.inputs, asked.settings
    names = [name for name in read.column_names if not inputs or name in inputs]
    return summarise(read.select(names), leave_out=settings.leave_out, block=settings.block)


def _read_table(table: Place) -> pa.Table:
    if table.files:
        return pa.concat_tables([pq.read_table(path) for path in table.files])
    from deltalake import DeltaTable  # noqa: PLC0415 - only where the reference is a dataset

    return DeltaTable(table.table_uri, version=table.delta_version).to_pyarrow_table()


def _judge(
    window: list[Row], reference: Reference, settings: MonitorSettings
) -> tuple[WindowReport, Reference]:
    names = [name for name in reference.plans if name not in reference.outputs]
    if reference.block:
        names.append(reference.block)
    columns = {
        name: _objects([row.features.get(name) for row in window])
        for name in names
        if any(name in row.features for row in window)
    }
    outputs = _outputs(window)
    columns |= {name: values for name, values in outputs.items() if name in reference.outputs}
    report = judge(reference, count_window(reference, columns), settings)
    if not reference.outputs and report.verdict in {WindowVerdict.HEALTHY, WindowVerdict.DAMAGED}:
        reference = _with_outputs(reference, outputs)
    return report, reference


def _outputs(window: list[Row]) -> dict[str, Any]:
    return {
        SCORE: _objects([row.score for row in window]),
        LABEL: _objects([row.label for row in window]),
    }


def _with_outputs(reference: Reference, outputs: Mapping[str, Any]) -> Reference:
    """The first window whose inputs are healthy is what later outputs are compared with."""
    plans, sketches = dict(reference.plans), dict(reference.sketches)
    for name, values in outputs.items():
        present = [value for value in values.tolist() if value is not None]
        if not present:
            continue
        if name == SCORE:
            plans[name] = plan_number(name, np.array(present, dtype=np.float64))
        else:
            plans[name] = plan_category(name, values)
        sketches[name] = count(plans[name], values)
    made = frozenset(plans) - frozenset(reference.plans)
    return replace(reference, plans=plans, sketches=sketches, outputs=made)


def _objects(values: list[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _performance(asked: Order, rows: list[Row]) -> dict[str, Performance]:
    """How good the model was on the windows whose labels have arrived."""
    by_id, by_key = latest_labels(asked.sources.get("labels", {}), asked.watched.endpoint)
    if not by_id and not by_key:
        return {}
    found = {}
    for window in asked.pending:
        inside = [
            row
            for row in rows
            if window.first_at <= row.at <= window.last_at
            and (row.model, row.version) == (window.model, window.version)
        ]
        truths = [by_id.get(row.id, by_key.get(row.key or "")) for row in inside]
        labelled = [(row, t) for row, t in zip(inside, truths, strict=True) if t is not None]
        if labelled and len(labelled) >= _LABELLED_SHARE * len(inside):
            found[window.id] = _judge_labelled(labelled, len(inside), asked)
    return found


def _judge_labelled(labelled: list[tuple[Row, str]], rows: int, asked: Order) -> Performance:
    model, rate = asked.watched, asked.settings.false_alarm_rate
    scored = [(row.score, truth) for row, truth in labelled if row.score is not None]
    if model.positive is not None and scored:
        return judge_ranking(
            np.array([score for score, _ in scored], dtype=np.float64),
            np.array([truth == model.positive for _, truth in scored]),
            rows=rows,
            reference=model.performance.get("roc_auc"),
            rate=rate,
        )
    return judge_accuracy(
        np.array([row.label == truth for row, truth in labelled]),
        rows=rows,
        reference=model.performance.get("accuracy"),
        rate=rate,
    )
