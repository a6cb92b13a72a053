"""Monitoring from the first deployment to the alert: a real database, lineage and workers."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.app.demo.stream import ID, LEFT, TARGET, TIME, StreamPlan, bank_stream
from athanor.kernel import SYSTEM, AthanorError, Database, Event, Events, Storage, new_id
from athanor.kernel.events import SqlEventStore
from athanor.kernel.jobs import Jobs, SqlJobStore
from athanor.kernel.permissions import OWNER, ActionForbidden, OwnerAccess, Principal
from athanor.kernel.workers import Workers
from athanor.kernel.zygote import choose_workers
from athanor.lineage import Lineage, NewArtifact, NewRun, SqlLineageStore
from athanor.monitoring import (
    AlertFilter,
    AlertKind,
    AlertNotFound,
    Alerts,
    AlertState,
    MonitorNotFound,
    Monitors,
    Neighbours,
    NoReference,
    SettingsChange,
    SqlAlertStore,
    SqlMonitorStore,
    Watch,
    WindowNotFound,
    WindowVerdict,
    relations,
)
from athanor.monitoring.errors import BadMonitorSetting
from athanor.registry import InputColumn, ModelVersion, Signature
from athanor.registry.errors import ModelNotFound
from athanor.testing import FixedClock
from athanor.testing.monitoring import FakeLog

STREAM = bank_stream(StreamPlan(seed=5))
NOT_INPUTS = [ID, TIME, TARGET]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = choose_workers(("numpy", "pyarrow", "pyarrow.parquet", "pyarrow.dataset"))
    made.start()
    yield made
    made.close()


class FixedModels:
    """A registry that knows what it was told."""

    def __init__(self) -> None:
        self.known: dict[str, ModelVersion] = {}

    def version(self, who: Principal, reference: str) -> ModelVersion:
        if reference not in self.known:
            raise ModelNotFound(reference)
        return self.known[reference]


class Room:
    """A workspace with a bank's endpoint, as far as monitoring sees it."""

    def __init__(self, database: Database, folder: Path, workers: Workers) -> None:
        self.clock = FixedClock(datetime(2026, 3, 1, tzinfo=UTC))
        self.database = database
        self.folder = folder
        self.storage = Storage(str(folder / "storage"), reserve_bytes=0)
        self.events = Events(SqlEventStore(database), database, self.clock)
        self.log = FakeLog(folder / "log")
        self.models = FixedModels()
        shared: dict[str, Any] = {
            "events": self.events,
            "access": OwnerAccess(),
            "clock": self.clock,
        }
        self.lineage = Lineage(SqlLineageStore(database), database, **shared)
        self.alerts = Alerts(SqlAlertStore(database), database, **shared)
        near = Neighbours(
            lineage=self.lineage,
            models=self.models,
            predictions=self.log,
            storage=self.storage,
            workers=workers,
            alerts=self.alerts,
        )
        self.monitors = Monitors(SqlMonitorStore(database), database, neighbours=near, **shared)
        self.jobs = Jobs(SqlJobStore(database), self.clock)
        self.watch = Watch(self.monitors, self.alerts, jobs=self.jobs)
        self.watch.attach(self.events)
        self.events.settle()

    def train(self, version: int, table: pa.Table | None = None) -> ModelVersion:
        """A model version, with its lineage up to the table that it was trained on."""
        rows = STREAM.months(1, 6) if table is None else table
        path = self.folder / "train.parquet"
        pq.write_table(rows, path)
        blob = self.storage.put_file(path)
        run = self.lineage.start_run(OWNER, NewRun(kind="task", name="train"))
        trained_on = self.lineage.record(
            OWNER,
            NewArtifact(
                type="table",
                name="split/train",
                uri=blob.uri,
                digest=blob.digest,
                metadata={"blob": blob.digest},
            ),
        )
        model = self.lineage.record(
            OWNER, NewArtifact(type="model", name="model", uri="x", digest=f"sha256:{version}")
        )
        self.lineage.consumed(OWNER, run.id, trained_on.id, "train")
        self.lineage.produced(OWNER, run.id, model.id, "model")
        inputs = [name for name in rows.column_names if name not in NOT_INPUTS]
        made = ModelVersion(
            model="churn",
            number=version,
            artifact_id=model.id,
            digest=model.digest,
            size=1,
            run_id=run.id,
            flavor="sklearn",
            signature=Signature(
                inputs=tuple(InputColumn(name=name, type="string") for name in inputs),
                target=TARGET,
                classes=("Attrited Customer", "Existing Customer"),
                positive="Attrited Customer",
            ),
            metrics={"roc_auc": 0.97},
            created_by="owner",
            created_at=self.clock.now(),
            updated_at=self.clock.now(),
        )
        self.models.known[f"churn@{version}"] = made
        return made

    def deploy(self, version: int, *, share: float = 1.0, deployment: str | None = None) -> str:
        """Tell what serving tells when a version takes traffic."""
        deployment = deployment or new_id()
        named: dict[str, Any] = {"endpoint": "churn", "deployment": deployment, "model": "churn"}
        named["version"] = version
        self.tell("serving.deployment.created", "churn", named)
        self.tell("serving.traffic.changed", "churn", {"shares": [named | {"share": share}]})
        return deployment

    def tell(self, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        with self.database.transaction():
            self.events.tell(SYSTEM, action, subject, detail)
        self.events.deliver()
        self.clock.advance(1)

    def predict(self, table: pa.Table, version: int = 1, **more: Any) -> list[str]:
        records = table.drop_columns(NOT_INPUTS).to_pylist()
        ids = self.log.predict("churn", version, records, at=self.clock.now(), **more)
        self.clock.advance(timedelta(seconds=60))
        return ids

    def told(self, action: str) -> list[Event]:
        return [event for event in self.events.since(0) if event.action == action]


@pytest.fixture
def room(sqlite: Database, tmp_path: Path, workers: Workers) -> Room:
    return Room(sqlite, tmp_path, workers)


@pytest.fixture
def deployed(room: Room) -> Room:
    room.train(1)
    room.deploy(1)
    return room


def test_a_deployment_brings_a_monitor_whose_reference_is_the_training_table(room: Room) -> None:
    version = room.train(1)
    room.deploy(1)
    (monitor,) = room.monitors.monitors(OWNER)
    assert (monitor.endpoint, monitor.model, monitor.version) == ("churn", "churn", 1)
    assert monitor.state == "watching"
    assert monitor.reference_id is not None
    reference = room.lineage.artifact(OWNER, monitor.reference_id)
    assert reference.name == "split/train"
    assert version.artifact_id in {
        node.id for node in room.lineage.trace(OWNER, reference.id, "down").nodes
    }


def test_drift_is_found_told_once_and_closed_by_the_next_champion(deployed: Room) -> None:
    room = deployed
    room.predict(STREAM.months(8, 8))
    assert room.monitors.look() == 2
    assert [item.verdict for item in room.monitors.windows(OWNER, "churn")] == [
        WindowVerdict.HEALTHY,
        WindowVerdict.HEALTHY,
    ]
    assert room.told("monitoring.alert.raised") == []

    room.predict(STREAM.months(9, 9))
    room.log.tear()
    assert room.monitors.look() == 2
    (alert,) = room.alerts.alerts(OWNER, AlertFilter())
    assert alert.kind is AlertKind.DRIFT
    assert set(alert.columns) == set(STREAM.truth.columns)
    assert alert.times == 2
    (event,) = room.told("monitoring.alert.raised")
    assert event.subject == "churn"
    assert set(event.detail["columns"]) == set(STREAM.truth.columns)
    assert event.detail["kind"] == "drift"
    assert event.detail["false_alarm_rate"] == 0.001
    assert event.detail["window"] == 3
    assert event.detail["version"] == 1
    assert "healthy windows of 500 rows stay below" in event.detail["explanation"]
    assert datetime.fromisoformat(event.detail["since"]) < datetime.fromisoformat(
        event.detail["until"]
    )

    room.train(2, STREAM.months(9, 10))
    room.deploy(2)
    (alert,) = room.alerts.alerts(OWNER, AlertFilter())
    assert alert.state is AlertState.CLOSED
    assert alert.closed_because == "churn version 2 took over"
    room.predict(STREAM.months(11, 11), version=2)
    assert room.monitors.look() == 2
    assert room.monitors.windows(OWNER, "churn", limit=1)[0].verdict is WindowVerdict.HEALTHY
    assert room.monitors.monitor(OWNER, "churn").windows == 6


def test_a_report_says_all_and_its_lineage_leads_to_model_and_reference(deployed: Room) -> None:
    room = deployed
    room.predict(STREAM.months(9, 9).slice(0, 500))
    room.monitors.look()
    report = room.monitors.report(OWNER, "churn", 1)
    assert report.verdict is WindowVerdict.DRIFTED
    assert set(report.drifted) == set(STREAM.truth.columns)
    assert len(report.columns) == 19
    (window,) = room.monitors.windows(OWNER, "churn")
    assert window.report_id is not None
    names = {node.name for node in room.lineage.trace(OWNER, window.report_id, "up").nodes}
    assert {"churn window 1", "split/train", "model"} <= names
    with pytest.raises(WindowNotFound):
        room.monitors.report(OWNER, "churn", 2)


def test_outputs_are_compared_with_the_first_healthy_window(deployed: Room) -> None:
    room = deployed
    random = np.random.default_rng(0)
    healthy = STREAM.months(7, 8)
    room.predict(healthy.slice(0, 500), scores=random.beta(1, 4, 500).tolist())
    room.monitors.look()
    room.predict(healthy.slice(500, 500), scores=random.beta(1, 4, 500).tolist())
    room.predict(healthy.slice(1000, 500), scores=random.beta(4, 1, 500).tolist())
    room.monitors.look()
    verdicts = [item.verdict.value for item in room.monitors.windows(OWNER, "churn")]
    assert verdicts == ["drifted", "healthy", "healthy"]
    (alert,) = room.alerts.alerts(OWNER, AlertFilter())
    assert alert.columns == []
    assert alert.detail["outputs"] == ["(score)", "(predicted label)"]


def test_a_run_by_hand_takes_what_there_is_if_it_is_enough(deployed: Room) -> None:
    room = deployed
    room.predict(STREAM.months(9, 9).slice(0, 150))
    window = room.monitors.run(OWNER, "churn")
    assert (window.number, window.rows, window.verdict) == (0, 150, WindowVerdict.TOO_SMALL)
    assert "150 new predictions, fewer than the 200" in window.reason
    room.predict(STREAM.months(9, 9).slice(150, 100))
    assert room.monitors.look() == 0
    window = room.monitors.run(OWNER, "churn")
    assert (window.number, window.rows, window.verdict) == (1, 250, WindowVerdict.DRIFTED)
    assert room.monitors.run(OWNER, "churn").rows == 0


def test_windows_do_not_overlap_and_other_versions_are_not_in_them(deployed: Room) -> None:
    room = deployed
    room.predict(STREAM.months(7, 7).slice(0, 499))
    room.predict(STREAM.months(9, 9).slice(0, 400), version=2)
    assert room.monitors.look() == 0
    room.predict(STREAM.months(7, 7).slice(499, 1))
    assert room.monitors.look() == 1
    assert room.monitors.look() == 0
    assert room.monitors.windows(OWNER, "churn")[0].verdict is WindowVerdict.HEALTHY


def test_bad_values_alert_without_drift(deployed: Room) -> None:
    room = deployed
    records = STREAM.months(7, 7).slice(0, 500).drop_columns(NOT_INPUTS).to_pylist()
    for record in records[:10]:
        record["Customer_Age"] = 999
    room.log.predict("churn", 1, records, at=room.clock.now())
    room.monitors.look()
    (alert,) = room.alerts.alerts(OWNER, AlertFilter())
    assert (alert.kind, alert.columns) == (AlertKind.QUALITY, ["Customer_Age"])
    assert "2 % of the rows (10) lie outside the reference's range" in alert.explanation


def test_performance_is_judged_when_the_labels_have_come(deployed: Room) -> None:
    room = deployed
    table = STREAM.months(8, 8).slice(0, 500)
    truth = table[TARGET].to_pylist()
    random = np.random.default_rng(1)
    scores = [random.beta(4, 3) if label == LEFT else random.beta(3, 4) for label in truth]
    ids = room.predict(table, scores=scores)
    room.monitors.look()
    (window,) = room.monitors.windows(OWNER, "churn")
    assert window.performance is None
    room.log.label("churn", dict(zip(ids[:300], truth, strict=False)), at=room.clock.now())
    room.monitors.look()
    assert room.monitors.windows(OWNER, "churn")[0].performance is None
    room.log.label("churn", dict(zip(ids[300:], truth[300:], strict=True)), at=room.clock.now())
    room.monitors.look()
    told = room.monitors.windows(OWNER, "churn")[0].performance
    assert told is not None
    assert told.degraded
    assert told.labelled == 500
    assert "worse than the 0.970 of its evaluation" in told.explanation
    (alert,) = room.alerts.alerts(OWNER, AlertFilter(kind=AlertKind.PERFORMANCE))
    assert alert.detail["metric"] == "roc_auc"
    room.monitors.look()
    assert room.alerts.alert(OWNER, alert.id).times == 1


def test_a_canary_does_not_change_what_is_watched_until_it_has_most(deployed: Room) -> None:
    room = deployed
    before = room.monitors.monitor(OWNER, "churn")
    room.train(2)
    old = {"deployment": before.deployment, "model": "churn", "version": 1}
    new = {"deployment": new_id(), "model": "churn", "version": 2}
    for share in (0.1, 0.5):
        shares = [old | {"share": 1 - share}, new | {"share": share}]
        room.tell("serving.traffic.changed", "churn", {"shares": shares})
        assert room.monitors.monitor(OWNER, "churn").version == 1
    room.tell("serving.traffic.changed", "churn", {"shares": [new | {"share": 1.0}]})
    after = room.monitors.monitor(OWNER, "churn")
    assert (after.version, after.id, after.sketch) == (2, before.id, None)
    assert after.reference_id != before.reference_id
    room.tell("serving.traffic.changed", "churn", {"shares": [old | {"share": 1.0}]})
    assert room.monitors.monitor(OWNER, "churn").reference_id == before.reference_id


def test_a_removed_endpoint_is_no_longer_watched(deployed: Room) -> None:
    room = deployed
    room.predict(STREAM.months(9, 9))
    room.monitors.look()
    room.tell("serving.endpoint.removed", "churn", {})
    assert room.monitors.monitors(OWNER) == []
    assert room.alerts.alerts(OWNER, AlertFilter(state=AlertState.OPEN)) == []
    with pytest.raises(MonitorNotFound):
        room.monitors.monitor(OWNER, "churn")


@pytest.mark.parametrize("named", [False, True])
def test_a_model_without_a_training_table_is_told(room: Room, named: bool) -> None:
    version = room.train(1)
    bare = room.lineage.record(
        OWNER, NewArtifact(type="model", name="bare", uri="x", digest="sha256:bare")
    )
    if named:  # as an MLflow client names its table, which stays with it
        elsewhere = NewArtifact(type="dataset", name="mine", uri="code", digest="526f5421")
        run = room.lineage.start_run(OWNER, NewRun(kind="mlflow", name="train"))
        table = room.lineage.record(OWNER, elsewhere)
        room.lineage.consumed(OWNER, run.id, table.id, "train")
        room.lineage.produced(OWNER, run.id, bare.id, "model")
    fields = {name: getattr(version, name) for name in ModelVersion.__dataclass_fields__}
    room.models.known["churn@1"] = ModelVersion(**fields | {"artifact_id": bare.id})
    room.deploy(1)
    assert room.monitors.monitor(OWNER, "churn").state == "no reference"
    room.predict(STREAM.months(7, 7))
    assert room.monitors.look() == 0
    with pytest.raises(NoReference, match="churn@1"):
        room.monitors.run(OWNER, "churn")


def test_a_graph_has_a_monitor_that_says_that_nothing_is_compared(room: Room) -> None:
    graph = {"endpoint": "ens", "deployment": new_id(), "model": "ens", "version": 1, "share": 1.0}
    room.tell("serving.traffic.changed", "ens", {"shares": [graph]})
    assert room.monitors.monitor(OWNER, "ens").state == "no reference"
    with pytest.raises(NoReference, match="nothing to compare with") as told:
        room.monitors.run(OWNER, "ens")
    assert "A graph itself" in told.value.hint


def test_a_monitor_that_can_not_look_says_so_until_it_can(deployed: Room) -> None:
    room = deployed
    torn = room.folder / "log" / "predictions.open"
    torn.write_bytes(b"no JSON\n")
    room.monitors.look()
    assert room.monitors.monitor(OWNER, "churn").state == "watching"
    room.monitors.look()
    room.monitors.look()
    [alert] = room.alerts.alerts(OWNER, AlertFilter(state=AlertState.OPEN))
    assert (alert.kind, alert.subject, alert.times) == (AlertKind.MONITOR, "churn", 1)
    [told] = room.monitors.monitors(OWNER)
    assert told == room.monitors.monitor(OWNER, "churn")
    assert told.state == "failed"
    assert told.problem
    assert told.problem in alert.explanation
    torn.write_bytes(b"")
    reference = room.lineage.artifact(OWNER, told.reference_id or "")
    path = room.storage.path_of(reference.digest)
    assert path is not None
    kept = path.rename(room.folder / "away")
    room.monitors.look()
    assert "split/train is gone" in room.monitors.monitor(OWNER, "churn").problem
    kept.rename(path)
    room.monitors.look()
    assert room.monitors.monitor(OWNER, "churn").state == "watching"
    assert room.alerts.alert(OWNER, alert.id).closed_because == "it looks again"


def test_settings_change_the_next_window(deployed: Room) -> None:
    room = deployed
    room.predict(STREAM.months(8, 8).slice(0, 300))
    assert room.monitors.look() == 0
    change = SettingsChange(window_rows=300, false_alarm_rate=0.01, leave_out=["Gender"])
    room.monitors.configure(OWNER, "churn", change)
    assert room.monitors.look() == 1
    report = room.monitors.report(OWNER, "churn", 1)
    assert report.false_alarm_rate == 0.01
    assert report.left_out["Gender"] == "left out by the settings"
    room.monitors.configure(OWNER, "churn", SettingsChange(paused=True))
    room.predict(STREAM.months(9, 9))
    assert room.monitors.look() == 0
    room.monitors.configure(OWNER, "churn", SettingsChange(paused=False))
    assert room.monitors.look() == 3


@pytest.mark.parametrize(
    "change",
    [
        {"false_alarm_rate": 0.0},
        {"window_rows": 100},
        {"minimum_rows": 10},
        {"replicates": 10},
    ],
)
def test_settings_that_make_no_sense_are_refused(deployed: Room, change: Any) -> None:
    with pytest.raises(BadMonitorSetting):
        deployed.monitors.configure(OWNER, "churn", SettingsChange(**change))


def test_a_look_that_was_overtaken_keeps_nothing(deployed: Room) -> None:
    room = deployed
    room.predict(STREAM.months(9, 9))
    stale = room.monitors.monitor(OWNER, "churn")
    room.monitors.look()
    windows, _ = room.monitors._looking.look(OWNER, stale, rest=False)
    assert windows == []
    assert len(room.monitors.windows(OWNER, "churn")) == 2


def test_an_alert_is_closed_by_hand_and_opens_again_while_drift_goes_on(deployed: Room) -> None:
    room = deployed
    room.predict(STREAM.months(9, 9).slice(0, 500))
    room.monitors.look()
    (alert,) = room.alerts.alerts(OWNER, AlertFilter())
    closed = room.alerts.close_alert(OWNER, alert.id, reason="known campaign")
    assert closed.closed_because == "known campaign"
    assert room.alerts.close_alert(OWNER, alert.id) == closed
    (event,) = room.told("monitoring.alert.closed")
    assert event.detail["reason"] == "known campaign"
    room.predict(STREAM.months(9, 9).slice(500, 500))
    room.monitors.look()
    assert len(room.told("monitoring.alert.raised")) == 2
    with pytest.raises(AlertNotFound):
        room.alerts.alert(OWNER, new_id())


def test_what_other_rooms_tell_raises_and_closes_alerts(room: Room) -> None:
    check = {"check": "missing", "column": "age", "message": "12 % are missing.", "rows": [4]}
    room.tell(
        "data.version.quarantined", "bank@3", {"dataset": "bank", "version": 3, "checks": [check]}
    )
    room.tell("data.file.refused", "bank", {"dataset": "bank", "file": "x.csv", "message": "Torn."})
    canary = {"model": "churn", "version": 2, "reason": "slower"}
    room.tell("serving.canary.refused", "churn", canary)
    failed = {"pipeline": "retrain", "state": "failed", "trigger": "on-drift"}
    room.tell("pipelines.run.finished", new_id(), failed)
    room.tell("pipelines.run.finished", new_id(), failed | {"trigger": None})
    found = {
        item.kind: item for item in room.alerts.alerts(OWNER, AlertFilter(state=AlertState.OPEN))
    }
    assert set(found) == {AlertKind.DATA, AlertKind.CANARY, AlertKind.PIPELINE}
    assert (found[AlertKind.DATA].subject, found[AlertKind.DATA].times) == ("bank", 2)
    assert "Torn." in found[AlertKind.DATA].explanation
    assert "slower" in found[AlertKind.CANARY].explanation
    assert found[AlertKind.PIPELINE].subject == "on-drift"

    appended = {"dataset": "bank", "version": 4, "mode": "append"}
    room.tell("data.version.created", "bank@4", appended)
    assert room.alerts.alert(OWNER, found[AlertKind.DATA].id).state is AlertState.OPEN
    room.tell("data.version.created", "bank@5", appended | {"version": 5, "mode": "replace"})
    room.tell("serving.canary.finished", "churn", {"model": "churn", "version": 3})
    room.tell("pipelines.run.finished", new_id(), failed | {"state": "done"})
    assert room.alerts.alerts(OWNER, AlertFilter(state=AlertState.OPEN)) == []


def test_the_job_looks_again_and_again(deployed: Room) -> None:
    room = deployed
    room.predict(STREAM.months(9, 9))
    for _ in range(3):
        room.clock.advance(3)
        assert room.jobs.run_next("test")
        assert not room.jobs.run_next("test")
    assert len(room.monitors.windows(OWNER, "churn")) == 2


def test_the_job_is_there_while_there_is_a_monitor(room: Room) -> None:
    room.train(1)
    room.watch.start()
    assert not room.jobs.run_next("test")
    room.deploy(1)
    room.clock.advance(3)
    assert room.jobs.run_next("test")
    room.watch.start()
    room.tell("serving.endpoint.removed", "churn", {})
    for ended in (False, True):
        room.clock.advance(6)
        assert room.jobs.run_next("test") is not ended


def test_nobody_else_may(deployed: Room) -> None:
    stranger = Principal(id="x", name="x")
    for verb in (
        lambda: deployed.monitors.run(stranger, "churn"),
        lambda: deployed.alerts.alerts(stranger, AlertFilter()),
    ):
        with pytest.raises(ActionForbidden):
            verb()


def test_windows_and_alerts_are_offered_to_sql(deployed: Room) -> None:
    room = deployed
    room.predict(STREAM.months(9, 9).slice(0, 500))
    room.monitors.look()
    offered = {item.name: item for item in relations(room.monitors, room.alerts)}
    (window,) = offered["monitor_windows"].scan(OWNER, "").rows
    assert window["verdict"] == "drifted"
    (alert,) = offered["alerts"].scan(OWNER, "churn").rows
    assert set(window) == {column.name for column in offered["monitor_windows"].columns}
    assert set(alert) == {column.name for column in offered["alerts"].columns}


def test_errors_are_athanors(deployed: Room) -> None:
    with pytest.raises(AthanorError) as caught:
        deployed.monitors.monitor(OWNER, "chrun")
    assert "churn" in caught.value.hint


def test_every_indicator_is_explained(room: Room) -> None:
    told = {item.name: item for item in room.monitors.indicators(OWNER)}
    assert {"js", "chi2", "anderson", "psi", "wasserstein", "performance"} <= set(told)
    for item in told.values():
        assert min(len(text.split()) for text in (item.what, item.how, item.misleads)) > 4
    assert json.dumps([item.title for item in told.values()])
