"""The whole pipeline on the engine: tables and models handed on, a version registered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.app.gallery import PRELOAD, classification
from athanor.kernel import OWNER, Database, NotFound, Principal
from athanor.kernel.permissions import OwnerAccess
from athanor.kernel.workers import Workers
from athanor.kernel.zygote import HEAVY_MODULES, choose_workers
from athanor.lineage import NewArtifact, Operation, OperationCall, OperationResult
from athanor.pipelines import Submission
from athanor.pipelines.ir.text import plain
from athanor.registry import Models, SqlModelStore, operations, resolver
from athanor.responsible import ReportIndex, Reports, SqlReportStore
from athanor.testing import FixedClock
from athanor.testing.pipelines import Room, pipelines_room


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    found = choose_workers((*HEAVY_MODULES, *PRELOAD))
    found.start()
    yield found
    found.close()


@pytest.fixture
def steps() -> dict[str, Operation]:
    """Filled when the registry stands, which needs the room."""

    def too_early(who: Principal, call: OperationCall) -> OperationResult:
        raise AssertionError(call.task)

    return {"model.register": too_early}


@pytest.fixture
def room(
    sqlite: Database, workers: Workers, tmp_path: Path, steps: dict[str, Operation]
) -> Iterator[Room]:
    materializers = ("athanor.registry.packaging.materializer:ModelMaterializer",)
    with pipelines_room(
        sqlite, tmp_path, workers, operations=steps, materializers=materializers
    ) as found:
        yield found


@pytest.fixture
def models(room: Room, steps: dict[str, Operation]) -> Models:
    found = Models(
        SqlModelStore(room.database),
        room.database,
        lineage=room.lineage,
        storage=room.storage,
        events=room.events,
        access=OwnerAccess(),
        clock=FixedClock(),
    )
    steps.update(operations(found, room.events))
    room.lineage.offer_resolver("model", resolver(found, room.lineage))
    return found


def dataset(room: Room, folder: Path) -> str:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=400), "z": rng.choice(["a", "b"], 400)})
    frame["y"] = np.where(frame["x"] * 2 + rng.normal(size=400) > 0, "up", "down")
    path = folder / "data.parquet"
    pq.write_table(pa.Table.from_pandas(frame), path)
    blob = room.storage.put_file(path)
    metadata = {"blob": blob.digest, "layout": "file", "file": "data.parquet"}
    new = NewArtifact(
        type="table", name="data", uri=blob.uri, digest=blob.digest, metadata=metadata
    )
    return f"artifact:{room.lineage.record(OWNER, new).id}"


def submitted(room: Room, data: str, champion: str = "", **parameters: Any) -> Any:
    spec = plain(classification.classification.compile().spec)
    artifacts = {"data": data} | ({"champion": champion} if champion else {})
    given = {"target": "y", "name": "churn", **parameters}
    submission = Submission(spec=spec, parameters=given, artifacts=artifacts)
    return room.finished(room.pipelines.submit(OWNER, submission), timeout=120)


def test_a_table_becomes_a_champion_and_a_spoilt_one_is_refused(
    room: Room, models: Models, tmp_path: Path
) -> None:
    data = dataset(room, tmp_path)
    run = submitted(room, data)
    assert run.state == "done", run.error
    version = models.version(OWNER, "churn@champion")
    assert version.number == 1
    assert version.verdict is not None
    assert version.verdict.passed
    assert version.metrics["roc_auc"] > 0.8
    assert [column.name for column in version.signature.inputs] == ["x", "z"]
    assert version.artifact_id is not None
    kinds = {node.type for node in room.lineage.trace(OWNER, version.artifact_id).nodes}
    assert {"model", "table", "task"} <= kinds

    spoilt = submitted(room, data, "model:churn@champion", shuffle_labels=True)
    assert spoilt.state == "done", spoilt.error
    told = next(task.outputs for task in spoilt.tasks if "registered" in task.outputs)
    assert told["registered"] is False
    assert "worse" in told["reason"]
    assert len(models.versions(OWNER, "churn")) == 1
    assert next(t.state for t in spoilt.tasks if t.name == "check") == "cached"

    store = SqlReportStore(room.database)
    index = ReportIndex(store, lineage=room.lineage, storage=room.storage)
    for event in room.events.since(0, 1000):
        if event.action in ReportIndex.actions:
            index.note(event)
    reports = Reports(store, lineage=room.lineage, storage=room.storage, access=OwnerAccess())
    assert len(reports.reports(OWNER)) == 2
    contents = reports.report(OWNER, "latest")
    first = reports.report(OWNER, "churn@champion")
    assert first.report.id != contents.report.id
    assert first.report.metrics["roc_auc"] == version.metrics["roc_auc"]
    assert reports.page(OWNER, "churn@1") == reports.page(OWNER, first.report.id)
    with pytest.raises(NotFound):
        reports.report(OWNER, "churn@7")
    assert contents.data["target"] == "y"
    assert contents.report.metrics["roc_auc"] == contents.data["metrics"]["roc_auc"]["value"]
    assert b"<!doctype html>" in reports.page(OWNER, contents.report.id)
    assert len(reports.indicators(OWNER)) > 15


def test_a_column_that_is_not_there_ends_the_run_with_its_name(
    room: Room, models: Models, tmp_path: Path
) -> None:
    run = submitted(room, dataset(room, tmp_path), target="y", keep=["xx"])
    assert run.state == "failed"
    (failed,) = (task for task in run.tasks if task.state == "failed")
    assert failed.error is not None
    assert "no column 'xx' to take as the column to keep" in failed.error["message"]
    run = submitted(room, dataset(room, tmp_path), target="yy")
    assert run.state == "failed"
    failed = next(task for task in run.tasks if task.state == "failed")
    assert failed.error is not None
    assert "no column 'yy'" in failed.error["message"]
