"""Labels as they come: by numbers too, only such as can be true, and what they join."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import TypeAdapter

from athanor.data.work.sql import _make_table
from athanor.kernel.console import progress
from athanor.kernel.ids import new_id
from athanor.kernel.permissions import OWNER, OwnerAccess
from athanor.kernel.storage import Storage
from athanor.kernel.workers import Workers
from athanor.serving.commands.deployments import _parts
from athanor.serving.commands.endpoints import _label
from athanor.serving.commands.percents import OptionUnreadable
from athanor.serving.commands.records import FileUnreadable, records_of
from athanor.serving.errors import LabelElsewhere, LabelUnfit
from athanor.serving.log import ServingLog
from athanor.serving.logic.rows import PredictionRow, line
from athanor.serving.segments import Segment
from athanor.serving.service.labels import label_rows
from athanor.serving.types import Deployment, Endpoint, InputColumn, NewLabel, Signature

NOW = datetime.now(UTC)


def endpoint(name: str, classes: tuple[Any, ...] = ()) -> Endpoint:
    columns = (InputColumn(name="size", type="double"),)
    deployment = Deployment(
        id=new_id(),
        endpoint=name,
        number=1,
        model=name,
        version=1,
        artifact="",
        digest="",
        signature=Signature(columns=columns, classes=classes),
        state="live",
        share=1.0,
        created_at=NOW,
    )
    return Endpoint(name=name, created_at=NOW, deployments=(deployment,))


def predicted(log: ServingLog, name: str, key: str | None, label: str | None) -> str:
    row = PredictionRow(
        id=new_id(),
        request=new_id(),
        predicted_at=NOW,
        endpoint=name,
        deployment="",
        model=name,
        version=1,
        latency=0.1,
        key=key,
        features={"size": 1.0},
        label=label,
        score=0.5,
        probabilities=None,
    )
    segment = Segment(log.predictions_folder)
    segment.append(line(row))
    segment.seal()
    return row.id


def selected(log: ServingLog, query: str) -> set[tuple[Any, ...]]:
    with duckdb.connect(":memory:") as connection:
        for relation in log.relations(OwnerAccess()):
            columns = [asdict(column) for column in relation.columns]
            scan = asdict(relation.scan(OWNER, "")) | {"columns": columns}
            _make_table(connection, relation.name, scan)
        return set(connection.execute(query).fetchall())


def test_labels_tell_what_they_join_and_those_that_cannot_be_true_are_refused(
    tmp_path: Path, warm_workers: Workers
) -> None:
    storage = Storage(str(tmp_path / "storage"), reserve_bytes=0)
    log = ServingLog(tmp_path, storage, warm_workers)
    moved = predicted(log, "prices", "0", None)
    log.compact()
    hot, other = predicted(log, "prices", "7", None), predicted(log, "churn", None, "1")
    prices, churn = endpoint("prices"), endpoint("churn", (0, 1))

    wanted = [NewLabel(id=moved, label="3"), NewLabel(id=hot, label=4), NewLabel(key=0, label=1.5)]
    rows, told = label_rows(log, prices, [*wanted, NewLabel(key="9", label=1)], NOW)
    assert [(row.key, row.label) for row in rows][2:] == [("0", "1.5"), ("9", "1")]
    assert (told.count, told.joined, told.waiting, told.waiting_for) == (4, 3, 1, ["9"])
    log.append_labels(rows)
    log.append_labels(label_rows(log, prices, [NewLabel(key=7, label=8)], NOW)[0])
    again = [NewLabel(id=hot, label=5)]
    log.append_labels(label_rows(log, prices, again, NOW + timedelta(seconds=1))[0])
    # A row a prediction, whatever was corrected; a label by id goes before one by key.
    assert selected(log, "select id, predicted, truth from labelled_predictions") == {
        (moved, None, "3"),
        (hot, None, "5"),
    }
    with pytest.raises(LabelUnfit, match=r"Label 0 is 'abc'.*a number"):
        label_rows(log, prices, [NewLabel(id=hot, label="abc")], NOW)
    with pytest.raises(LabelElsewhere, match="'churn'"):
        label_rows(log, prices, [NewLabel(id=other, label=1)], NOW)

    rows, told = label_rows(log, churn, [NewLabel(id=other, label=1.0)], NOW)
    assert (rows[0].label, told.joined) == ("1", 1)
    with pytest.raises(LabelUnfit, match="one of '0', '1'"):
        label_rows(log, churn, [NewLabel(id=other, label="2")], NOW)
    texts = replace(
        churn, deployments=(replace(churn.deployments[0], signature=Signature(columns=())),)
    )
    assert label_rows(log, texts, [NewLabel(id=other, label="any")], NOW)[0][0].label == "any"


def test_a_key_may_be_nought(tmp_path: Path) -> None:
    assert TypeAdapter(NewLabel).validate_python({"key": 0, "label": "yes"}).key == 0
    truth = tmp_path / "truth.csv"
    truth.write_text("key,label\n0,1\n,2\n", "utf-8")
    first, second = records_of(truth)
    assert _label(truth, 0, first) == NewLabel(key="0", label=1)
    with pytest.raises(FileUnreadable, match="row 1 has no label, or neither"):
        _label(truth, 1, second)


def test_shares_are_told_in_percent() -> None:
    assert _parts(["1=70", "2=30%"]) == {1: 0.7, 2: 0.3}
    with pytest.raises(OptionUnreadable) as refused:
        _parts(["1=70", "2=20"])
    assert "percents that sum to 100, such as 1=70 2=30, not 90" in refused.value.hint


def test_what_is_not_drawn_leaves_no_empty_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as shown:
        shown.add_task("rows", total=None)
    assert capsys.readouterr() == ("", "")
