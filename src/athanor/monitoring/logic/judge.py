"""The verdict on one window: every column against the reference, corrected over all of them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from athanor.monitoring.logic import measures
from athanor.monitoring.logic.calibration import benjamini_hochberg, calibrate
from athanor.monitoring.logic.explanation import explain
from athanor.monitoring.logic.quality import suspicions
from athanor.monitoring.logic.sketch import count, plan_category, plan_number, summary
from athanor.monitoring.logic.words import share
from athanor.monitoring.types import (
    ColumnFinding,
    ColumnKind,
    Performance,
    QualityFinding,
    WindowReport,
    WindowVerdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from athanor.monitoring.logic.calibration import Calibrated
    from athanor.monitoring.logic.quality import Suspicion
    from athanor.monitoring.logic.sketch import ColumnPlan, Sketch
    from athanor.monitoring.types import MonitorSettings

MOSTLY_DISTINCT = 0.95  # a whole-number or text column with more distinct values is an id
FEWEST_REFERENCE_ROWS = 50
DRIFT_SHARE = (
    0.9  # of the false-alarm rate; the rest is for bad values, which are seldom a close call
)
LEVEL = 0.999  # the told healthy values: 999 of 1,000 healthy windows stay below them


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The kept summary of a model version's training table: plans and counts, no rows."""

    rows: int
    plans: dict[str, ColumnPlan]
    sketches: dict[str, Sketch]
    left_out: dict[str, str] = field(default_factory=dict)
    """Columns that are not compared, and why."""
    outputs: frozenset[str] = frozenset()
    """The columns among them that the model gives."""
    block: str | None = None


def summarise(
    table: pa.Table, *, leave_out: Iterable[str] = (), block: str | None = None
) -> Reference:
    """Summarise a training table, once per model version. Ids and times are left out."""
    avoid = set(leave_out)
    blocks = _labels_of(table[block]) if block in table.column_names else None
    plans: dict[str, ColumnPlan] = {}
    sketches: dict[str, Sketch] = {}
    reasons: dict[str, str] = {}
    for name in table.column_names:
        reason = (
            "left out by the settings" if name in avoid | {block} else not_compared(table[name])
        )
        if reason:
            reasons[name] = reason
            continue
        kind, values = values_of(table[name])
        make = plan_number if kind is ColumnKind.NUMBER else plan_category
        plans[name] = make(name, values)
        sketches[name] = count(plans[name], values, blocks)
    return Reference(
        rows=table.num_rows, plans=plans, sketches=sketches, left_out=reasons, block=block
    )


def not_compared(column: pa.ChunkedArray) -> str:
    """Why a column can't be compared, or ""."""
    kind = column.type
    if pa.types.is_temporal(kind):
        return "a time: it always moves on"
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return "not a single number or category"
    present = len(column) - column.null_count
    if present == 0:
        return "no value in the reference"
    if pa.types.is_dictionary(kind):
        return ""
    distinct = pc.count_distinct(column).as_py()
    if distinct > MOSTLY_DISTINCT * present and not pa.types.is_floating(kind):
        return "an id: nearly every value is different" if present > 1 else "one row only"
    return ""


def values_of(column: pa.ChunkedArray) -> tuple[ColumnKind, NDArray[Any]]:
    """A column as the sketches take it: float64 with NaN, or objects with None."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = column.cast(pa.float64(), safe=False).combine_chunks()
        return ColumnKind.NUMBER, np.asarray(numbers.to_numpy(zero_copy_only=False))
    return ColumnKind.CATEGORY, _labels_of(column)


def _labels_of(column: pa.ChunkedArray) -> NDArray[Any]:
    labels = np.empty(len(column), dtype=object)
    labels[:] = column.to_pylist()
    return labels


def count_window(reference: Reference, columns: Mapping[str, NDArray[Any]]) -> dict[str, Sketch]:
    """Count a window's columns under the reference's plans; absent columns are left out."""
    blocks = columns.get(reference.block) if reference.block else None
    return {
        name: count(plan, columns[name], blocks)
        for name, plan in reference.plans.items()
        if name in columns
    }


def judge(
    reference: Reference,
    window: Mapping[str, Sketch],
    settings: MonitorSettings,
    *,
    performance: Performance | None = None,
) -> WindowReport:
    """Compare a window with the reference; equal inputs give an equal report."""
    rows = max((sketch.rows for sketch in window.values()), default=0)
    if rows < settings.minimum_rows or reference.rows < FEWEST_REFERENCE_ROWS:
        return _too_small(reference, rows, settings, performance)
    found = {
        name: _compare(reference.plans[name], reference.sketches[name], sketch, settings)
        for name, sketch in window.items()
    }
    suspected = [
        suspicion
        for name, sketch in window.items()
        for suspicion in suspicions(reference.plans[name], reference.sketches[name], sketch)
    ]
    rate = settings.false_alarm_rate
    adjusted = benjamini_hochberg([item.p_value for item in found.values()])
    columns = [
        _finding(reference, window, name, item, min(1.0, value / DRIFT_SHARE), rate)
        for (name, item), value in zip(found.items(), adjusted, strict=True)
    ]
    room = (1 - DRIFT_SHARE) * rate / max(len(suspected), 1)
    quality = [_proven(item) for item in suspected if item.p_value <= room]
    verdict, reason = _in_one_word(columns, quality, performance)
    absent = {name: "not in the prediction log" for name in reference.plans if name not in window}
    return WindowReport(
        verdict=verdict,
        reason=reason,
        rows=rows,
        reference_rows=reference.rows,
        minimum_rows=settings.minimum_rows,
        false_alarm_rate=rate,
        level=LEVEL,
        replicates=settings.replicates,
        resampled=f"blocks of {reference.block}" if reference.block else "rows",
        columns=columns,
        quality=quality,
        performance=performance,
        left_out={**reference.left_out, **absent},
    )


def _too_small(
    reference: Reference, rows: int, settings: MonitorSettings, performance: Performance | None
) -> WindowReport:
    reason = f"The window has {rows:,} rows, fewer than the {settings.minimum_rows:,} asked for."
    if reference.rows < FEWEST_REFERENCE_ROWS:
        reason = f"The reference has {reference.rows:,} rows, fewer than {FEWEST_REFERENCE_ROWS}."
    return WindowReport(
        verdict=WindowVerdict.TOO_SMALL,
        reason=f"{reason} Nothing is said about drift.",
        rows=rows,
        reference_rows=reference.rows,
        minimum_rows=settings.minimum_rows,
        false_alarm_rate=settings.false_alarm_rate,
        level=LEVEL,
        replicates=settings.replicates,
        performance=performance,
        left_out=dict(reference.left_out),
    )


def _compare(
    plan: ColumnPlan, reference: Sketch, window: Sketch, settings: MonitorSettings
) -> Calibrated:
    # The column's name and the counts seed the resampling: equal windows give equal reports.
    seed = [zlib.crc32(plan.name.encode()), zlib.crc32(window.counts.tobytes())]
    return calibrate(
        plan,
        reference,
        window,
        replicates=settings.replicates,
        level=LEVEL,
        random=np.random.default_rng(seed),
    )


def _finding(
    reference: Reference,
    window: Mapping[str, Sketch],
    name: str,
    found: Calibrated,
    adjusted: float,
    rate: float,
) -> ColumnFinding:
    plan, old, new = reference.plans[name], reference.sketches[name], window[name]
    before, now = summary(plan, old), summary(plan, new)
    shown = {"psi": float(measures.stability_index(old.counts, new.counts))}
    if plan.kind is ColumnKind.NUMBER and before.deviation:
        far = measures.wasserstein(old.counts[:-1], new.counts[:-1], np.asarray(plan.centres))
        shown["wasserstein"] = float(far) / before.deviation
    return ColumnFinding(
        column=name,
        kind=plan.kind,
        role="output" if name in reference.outputs else "input",
        drifted=adjusted <= rate,
        p_value=found.p_value,
        adjusted=adjusted,
        measures=found.measures,
        shown=shown,
        reference=before,
        window=now,
        explanation=explain(plan, old, new, found, LEVEL),
    )


def _proven(item: Suspicion) -> QualityFinding:
    return QualityFinding(
        column=item.column,
        problem=item.problem,
        share=item.share,
        usual=item.usual,
        p_value=item.p_value,
        explanation=item.explanation,
    )


def _in_one_word(
    columns: list[ColumnFinding],
    quality: list[QualityFinding],
    performance: Performance | None,
) -> tuple[WindowVerdict, str]:
    drifted = sorted((item for item in columns if item.drifted), key=lambda item: item.p_value)
    reasons = []
    if drifted:
        names = ", ".join(item.column for item in drifted)
        reasons.append(f"{names} differ from the training data by more than healthy windows do")
    if performance is not None and performance.degraded:
        reasons.append(performance.explanation.rstrip("."))
    if quality:
        worst = "; ".join(f"{item.column}: {share(item.share)} {item.problem}" for item in quality)
        reasons.append(f"bad values beyond what the training data explains ({worst})")
    if not reasons:
        return WindowVerdict.HEALTHY, f"All {len(columns)} columns look like the training data."
    verdict = WindowVerdict.DAMAGED
    if drifted:
        verdict = WindowVerdict.DRIFTED
    elif performance is not None and performance.degraded:
        verdict = WindowVerdict.DEGRADED
    text = "; ".join(reasons)
    return verdict, text[0].upper() + text[1:] + "."
