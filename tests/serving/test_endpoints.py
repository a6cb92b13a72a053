"""Endpoints from the registered model to the logged prediction, with every part real."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

from athanor.kernel.database import Database
from athanor.kernel.permissions import OWNER
from athanor.kernel.workers import Workers
from athanor.lineage import OperationCall
from athanor.registry.packaging.materializer import ModelMaterializer
from athanor.serving.errors import (
    CanaryShareInvalid,
    EndpointNameInvalid,
    EndpointNotFound,
    LabelsInvalid,
    LabelsMissing,
    LabelUnfit,
    NoCanary,
    NoEarlierDeployment,
    PredictionNotFound,
)
from athanor.serving.errors.deployments import NumberNotFollowed
from athanor.serving.service import operations
from athanor.serving.supervisor import judging
from athanor.serving.types import (
    CanaryPlan,
    Deploy,
    NewLabel,
    PredictionQuery,
    SnapshotRequest,
)
from athanor.serving.types.rollouts import Scaling, TrafficRules
from athanor.testing.serving import Browser, eventually
from athanor.testing.serving_room import ServingRoom, serving_room
from tests.serving.conftest import Trained, described

QUICK = CanaryPlan(patience_seconds=0.2, requests=20, tolerance=0.3, slow_tolerance=0.9)


def port_of(room: ServingRoom) -> int:
    return int(room.supervisor.url().rpartition(":")[2])


def up(room: ServingRoom, champion: Trained, key: str = "") -> None:
    room.register(champion.folder, "churn", described(champion))
    room.endpoints.deploy(OWNER, "churn", Deploy(model="churn", key=key or None))
    room.wait_for("churn", 1, "live")


def ask(room: ServingRoom, champion: Trained, count: int) -> list[str]:
    """Send the first rows one by one; the predictions' ids."""
    browser = Browser(port_of(room))
    ids = []
    for record in champion.records[:count]:
        answer = browser.predict([record], "churn")
        assert answer.status == 200, answer.content
        ids.append(answer.body["predictions"][0]["id"])
    return ids


def test_a_thousand_answers_equal_the_model_and_are_all_logged(
    room: ServingRoom, champion: Trained
) -> None:
    up(room, champion)
    expected = champion.model.predict_records(champion.records)
    wrong: list[object] = []

    def client(first: int) -> None:
        browser = Browser(port_of(room))
        for number in range(first, 1000, 8):
            place = number % len(expected)
            answer = browser.predict([champion.records[place]], "churn")
            found = answer.body["predictions"][0]
            ids.add(found.pop("id"))
            if answer.status != 200 or found != expected[place]:
                wrong.append((answer.status, found, expected[place]))

    ids: set[str] = set()
    records = champion.records
    assert len(records) == 300
    threads = [threading.Thread(target=client, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    logged = room.endpoints.predictions(OWNER, "churn", PredictionQuery(limit=10_000))
    assert len(logged) == len(ids) == 1000
    assert {row.id for row in logged} == ids
    many = Browser(port_of(room)).predict(records, "churn").body["predictions"]
    assert [{k: v for k, v in row.items() if k != "id"} for row in many] == expected


def test_labels_join_by_id_and_key_and_the_latest_counts(
    room: ServingRoom, champion: Trained
) -> None:
    up(room, champion, key="customer")
    browser = Browser(port_of(room))
    ids = [
        browser.predict([{**record, "customer": number}], "churn").body["predictions"][0]["id"]
        for number, record in enumerate(champion.records[:6])
    ]
    with pytest.raises(LabelsMissing):
        room.endpoints.snapshot(OWNER, "churn", SnapshotRequest())
    told = room.endpoints.label(
        OWNER,
        "churn",
        [
            NewLabel(id=ids[0], label="left"),
            NewLabel(key="1", label="stayed"),
            NewLabel(key="2", label="left"),
        ],
    )
    assert (told.count, told.joined, told.waiting) == (3, 3, 0)
    room.supervisor.compact()
    early = [NewLabel(key="9", label="left"), NewLabel(key=3, label="left")]
    told = room.endpoints.label(OWNER, "churn", [*early, NewLabel(id="0" * 32, label="left")])
    assert (told.count, told.joined, told.waiting) == (3, 1, 2)
    assert told.waiting_for == ["9", "0" * 32]
    with pytest.raises(LabelUnfit, match=r"Label 1 is 'lft'.*'left', 'stayed'"):
        room.endpoints.label(OWNER, "churn", [*early[:1], NewLabel(key=4, label="lft")])
    room.endpoints.label(OWNER, "churn", [NewLabel(id=ids[0], label="stayed")])
    truths = {
        row.key: row.truth for row in room.endpoints.predictions(OWNER, "churn", PredictionQuery())
    }
    assert truths == {"0": "stayed", "1": "stayed", "2": "left", "3": "left", "4": None, "5": None}
    labelled = room.endpoints.predictions(OWNER, "churn", PredictionQuery(labelled=True))
    assert {row.key for row in labelled} == {"0", "1", "2", "3"}
    with pytest.raises(LabelsInvalid):
        room.endpoints.label(OWNER, "churn", [NewLabel(label="left")])
    with pytest.raises(EndpointNotFound):
        room.endpoints.label(OWNER, "chrun", [NewLabel(id=ids[0], label="left")])
    assert "serving.labels.received" in room.actions()


def test_a_labelled_snapshot_is_a_table_to_train_on(room: ServingRoom, champion: Trained) -> None:
    up(room, champion, key="customer")
    browser = Browser(port_of(room))
    for number, record in enumerate(champion.records[:40]):
        browser.predict([{**record, "customer": number}], "churn")
    room.endpoints.label(
        OWNER,
        "churn",
        [NewLabel(key=str(number), label=champion.truth[number]) for number in range(30)],
    )
    artifact = room.lineage.resolve(OWNER, "labelled:churn")
    path = room.storage.path_of(artifact.metadata["blob"])
    assert path is not None
    table = pq.read_table(path)
    model_columns = ["age", "balance", "trend", "card", "region"]
    assert set(table.column_names) == {*model_columns, "customer", "churn", "predicted_at"}
    assert table.num_rows == 30
    assert table.column("churn").to_pylist() == champion.truth[:30]
    assert table.column("age").to_pylist() == champion.rows.age.tolist()[:30]
    again = room.lineage.resolve(OWNER, "labelled:churn")
    assert again.digest == artifact.digest
    assert {node.type for node in room.lineage.trace(OWNER, artifact.id).nodes} >= {"model"}
    room.supervisor.compact()
    moved = room.lineage.resolve(OWNER, "labelled:churn")
    assert moved.digest == artifact.digest
    detailed = room.endpoints.snapshot(
        OWNER, "churn", SnapshotRequest(labelled=False, details=True)
    )
    assert detailed.metadata["rows"] == 40
    assert "predicted_score" in detailed.metadata["columns"]


def test_a_prediction_leads_back_to_its_model(room: ServingRoom, champion: Trained) -> None:
    up(room, champion)
    (prediction,) = ask(room, champion, 1)
    graph = room.lineage.trace(OWNER, f"prediction:{prediction}")
    assert [(node.kind, node.type) for node in graph.nodes] == [
        ("artifact", "prediction"),
        ("run", "serving"),
        ("artifact", "model"),
    ]
    assert room.lineage.resolve(OWNER, f"prediction:{prediction}").id == prediction
    found = room.endpoints.prediction(OWNER, prediction)
    assert found.features["card"] == champion.records[0]["card"]
    with pytest.raises(PredictionNotFound):
        room.endpoints.prediction(OWNER, "0" * 32)


def test_a_new_version_takes_over_and_a_rollback_brings_the_first_one_back(
    room: ServingRoom, champion: Trained, challenger: Trained
) -> None:
    up(room, champion)
    record = champion.records[0]
    browser = Browser(port_of(room))
    first = browser.predict([record], "churn").body
    room.register(challenger.folder, "churn", described(challenger))
    room.endpoints.deploy(OWNER, "churn", Deploy(model="churn@2"))
    shown = room.wait_for("churn", 2, "live")
    assert [item.state for item in shown.deployments] == ["live", "standby"]
    second = browser.predict([record], "churn").body
    assert second["version"] == 2
    assert second["predictions"][0]["score"] != first["predictions"][0]["score"]
    room.endpoints.rollback(OWNER, "churn")
    third = browser.predict([record], "churn").body
    assert third["version"] == 1
    assert third["predictions"][0]["score"] == first["predictions"][0]["score"]
    with pytest.raises(NoEarlierDeployment) as refused:
        room.endpoints.rollback(OWNER, "churn")
    assert "rolled back already" in refused.value.message
    assert "athanor endpoint split churn 2=100" in refused.value.hint
    assert browser.predict([record], "churn").body["version"] == 1
    room.deployments.split(OWNER, "churn", TrafficRules(shares={"2": 1.0}))
    assert browser.predict([record], "churn").body["version"] == 2
    room.endpoints.rollback(OWNER, "churn")
    assert browser.predict([record], "churn").body["version"] == 1
    assert room.actions().count("serving.endpoint.rolled_back") == 2


def test_without_a_named_class_the_score_is_of_what_is_true(
    room: ServingRoom, champion: Trained, tmp_path: Path
) -> None:
    estimator = LogisticRegression().fit(champion.rows[["trend"]], champion.rows.trend > 0)
    said = ModelMaterializer().save(estimator, tmp_path / "model")
    unnamed = said | {"task": "", "classes": (), "positive": None}  # as of MLflow's folders
    room.register(tmp_path / "model", "churn", unnamed)
    room.endpoints.deploy(OWNER, "churn", Deploy(model="churn"))
    room.wait_for("churn", 1, "live")
    rows = [{"trend": -2.0}, {"trend": 2.0}]
    low, high = Browser(port_of(room)).predict(rows, "churn").body["predictions"]
    assert (low["label"], high["label"]) == (False, True)
    assert low["score"] == low["probabilities"]["True"] < 0.5
    assert high["score"] == high["probabilities"]["True"] > 0.5


def test_what_cannot_be_done_is_said(room: ServingRoom, champion: Trained) -> None:
    room.register(champion.folder, "churn", described(champion))
    with pytest.raises(EndpointNameInvalid):
        room.endpoints.deploy(OWNER, "Churn/2", Deploy(model="churn"))
    with pytest.raises(CanaryShareInvalid):
        room.endpoints.deploy(OWNER, "churn", Deploy(model="churn", canary=10))
    with pytest.raises(EndpointNotFound):
        room.endpoints.get(OWNER, "churn")
    room.endpoints.deploy(OWNER, "churn", Deploy(model="churn"))
    room.wait_for("churn", 1, "live")
    with pytest.raises(NoEarlierDeployment):
        room.endpoints.rollback(OWNER, "churn")
    with pytest.raises(NoCanary):
        room.endpoints.promote(OWNER, "churn")
    room.endpoints.remove(OWNER, "churn")
    assert Browser(port_of(room)).predict([champion.records[0]], "churn").status == 404
    assert room.endpoints.list(OWNER) == []


def test_a_model_that_cannot_be_loaded_leaves_the_traffic_alone(
    room: ServingRoom, champion: Trained, tmp_path: Path
) -> None:
    up(room, champion)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "MLmodel").write_text("no model at all")
    room.register(broken, "churn", described(champion))
    room.endpoints.deploy(OWNER, "churn", Deploy(model="churn@2", canary=0.5))
    shown = room.wait_for("churn", 2, "failed")
    assert shown.deployments[0].reason
    assert shown.live is not None
    assert shown.live.number == 1
    assert len(ask(room, champion, 5)) == 5
    assert "serving.deployment.failed" in room.actions()


def test_a_canary_without_traffic_is_judged_on_logged_inputs(
    room: ServingRoom, champion: Trained, challenger: Trained
) -> None:
    up(room, champion)
    ask(room, champion, 60)
    room.register(challenger.folder, "churn", described(challenger))
    room.endpoints.deploy(OWNER, "churn", Deploy(model="churn@2", canary=0.1, plan=QUICK))
    shown = room.wait_for("churn", 2, "live", "refused")
    taken = shown.deployments[0]
    assert taken.state == "live", taken.reason
    assert taken.canary is not None
    assert [step.share for step in taken.canary.history] == [0.1, 0.5]
    assert all("no traffic came" in step.reason for step in taken.canary.history)
    assert taken.canary.history[-1].measured["compared"] >= 40  # 20 at each step
    assert taken.canary.history[-1].measured["agreement"] > 0.5
    actions = [action for action in room.actions() if action.startswith("serving.canary")]
    assert actions == ["serving.canary.advanced"] * 2 + ["serving.canary.finished"]


def test_rows_logged_after_a_canary_read_the_log_are_replayed_too(
    room: ServingRoom,
    champion: Trained,
    challenger: Trained,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judging, "_READ_AGAIN_SECONDS", 0.2)
    up(room, champion)
    ask(room, champion, 1)
    room.register(challenger.folder, "churn", described(challenger))
    plan = replace(QUICK, steps=(0.0001,))
    room.endpoints.deploy(OWNER, "churn", Deploy(model="churn@2", canary=0.0001, plan=plan))
    waits = "waits for requests: none came, and 1 logged row, replayed once each, told too little"
    assert eventually(lambda: room.endpoints.get(OWNER, "churn").deployments[0].reason == waits)
    Browser(port_of(room)).predict(champion.records[:60], "churn")
    taken = room.wait_for("churn", 2, "live", "refused").deployments[0]
    assert (taken.state, taken.canary and len(taken.canary.history)) == ("live", 1), taken.reason
    assert taken.canary is not None
    assert 20 <= taken.canary.history[-1].measured["compared"] <= 61


def test_a_canary_with_traffic_gets_its_share(
    room: ServingRoom, champion: Trained, challenger: Trained
) -> None:
    up(room, champion)
    room.register(challenger.folder, "churn", described(challenger))
    plan = CanaryPlan(patience_seconds=600.0, seconds=600.0, steps=(0.3,))
    room.endpoints.deploy(OWNER, "churn", Deploy(model="churn@2", canary=0.3, plan=plan))
    room.wait_for("churn", 2, "canary")
    browser = Browser(port_of(room))
    versions = [
        browser.predict([champion.records[n % 300]], "churn").body["version"] for n in range(300)
    ]
    assert 0.2 < versions.count(2) / 300 < 0.4
    assert room.endpoints.get(OWNER, "churn").candidate is not None
    room.endpoints.rollback(OWNER, "churn")
    versions = [browser.predict([champion.records[n]], "churn").body["version"] for n in range(50)]
    assert set(versions) == {1}
    assert room.endpoints.get(OWNER, "churn").deployments[0].state == "refused"


def test_a_canary_is_judged_on_live_traffic(
    room: ServingRoom, champion: Trained, challenger: Trained
) -> None:
    up(room, champion)
    room.register(challenger.folder, "churn", described(challenger))
    plan = CanaryPlan(patience_seconds=600.0, seconds=600.0, steps=(0.5,))
    room.endpoints.deploy(OWNER, "churn", Deploy(model="churn@2", canary=0.5, plan=plan))
    room.wait_for("churn", 2, "canary")

    def client(first: int) -> None:
        browser = Browser(port_of(room))
        for number in range(first, 1000, 16):
            browser.predict([champion.records[number % 300]], "churn")

    threads = [threading.Thread(target=client, args=(first,)) for first in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = room.wait_for("churn", 2, "live")
    assert shown.deployments[0].canary is not None
    (step,) = shown.deployments[0].canary.history
    assert step.measured["compared"] == 0
    assert 300 <= step.measured["requests"] <= 600


def test_a_canary_that_contradicts_the_labels_is_refused(
    room: ServingRoom, champion: Trained, worse: Trained
) -> None:
    up(room, champion)
    ids = ask(room, champion, 120)
    room.endpoints.label(
        OWNER,
        "churn",
        [NewLabel(id=id_, label=champion.truth[place]) for place, id_ in enumerate(ids)],
    )
    room.register(worse.folder, "churn", described(worse))
    room.endpoints.deploy(OWNER, "churn", Deploy(model="churn@2", canary=0.1, plan=QUICK))
    shown = room.wait_for("churn", 2, "live", "refused")
    refused = shown.deployments[0]
    assert refused.state == "refused"
    assert "wrong more often" in refused.reason or "contradicts" in refused.reason
    assert shown.live is not None
    assert (shown.live.number, shown.live.share) == (1, 1.0)
    assert "serving.canary.refused" in room.actions()


def test_endpoints_come_back_after_a_restart(
    tmp_path: Path, sqlite: Database, warm_workers: Workers, champion: Trained
) -> None:
    with serving_room(tmp_path, sqlite, warm_workers) as first:
        up(first, champion)
        ids = ask(first, champion, 5)
    with serving_room(tmp_path, sqlite, warm_workers) as second:
        assert eventually(
            lambda: Browser(port_of(second)).predict(champion.records[:1], "churn").status == 200
        )
        logged = second.endpoints.predictions(OWNER, "churn", PredictionQuery(limit=1000))
        assert set(ids) <= {row.id for row in logged}


def test_the_pipelines_step_is_idempotent(room: ServingRoom, champion: Trained) -> None:
    room.register(champion.folder, "churn", described(champion))
    deploy = operations(room.endpoints)["endpoint.deploy"]
    call = OperationCall(
        run_id="0" * 32,
        task="deploy",
        key="same",
        parameters={"endpoint": "churn", "model": "churn", "version": 1, "canary": 0.1},
    )
    assert deploy(OWNER, call) == deploy(OWNER, call)
    assert len(room.wait_for("churn", 1, "live").deployments) == 1
    nothing = OperationCall(run_id="0" * 32, task="deploy", key="k", parameters={"endpoint": ""})
    assert deploy(OWNER, nothing).parameters["deployment"] == ""


def test_an_endpoint_that_follows_an_alias_moves_with_it(
    room: ServingRoom, champion: Trained, challenger: Trained
) -> None:
    room.register(champion.folder, "churn", described(champion))
    room.models.promote(OWNER, "churn@1")
    with pytest.raises(NumberNotFollowed, match="never moves"):
        room.endpoints.deploy(OWNER, "churn", Deploy(model="churn@1", follow=True))
    asked = Deploy(model="churn@champion", follow=True, scaling=Scaling(min=1, max=3))
    room.endpoints.deploy(OWNER, "churn", asked)
    room.wait_for("churn", 1, "live")
    room.events.subscribe("serving.follow", room.endpoints.follow, ("registry.alias.moved",))
    room.events.settle()
    room.register(challenger.folder, "churn", described(challenger))
    room.models.promote(OWNER, "churn@2")
    room.events.deliver()
    room.events.deliver()
    shown = room.endpoints.get(OWNER, "churn")
    assert [(item.number, item.version) for item in shown.deployments] == [(2, 2), (1, 1)]
    assert shown.deployments[0].scaling == asked.scaling
    room.endpoints.rollback(OWNER, "churn")
    room.models.set_alias(OWNER, "churn", "staging", 1)  # not the one that is followed
    room.events.deliver()
    assert len(room.endpoints.get(OWNER, "churn").deployments) == 2


def test_an_endpoint_knows_its_renamed_model(room: ServingRoom, champion: Trained) -> None:
    room.register(champion.folder, "churn", described(champion))
    room.models.promote(OWNER, "churn@1")
    room.endpoints.deploy(OWNER, "churn", Deploy(model="churn@champion", follow=True))
    room.events.subscribe("serving.renamed", room.endpoints.renamed, ("registry.model.renamed",))
    room.events.settle()
    detail = {"model": "churn", "new_name": "a@b"}
    room.events.tell(OWNER, "registry.model.renamed", "churn", detail)
    room.events.deliver()
    shown = room.endpoints.get(OWNER, "churn")
    assert shown.follow == "a@b@champion"
    assert [item.model for item in shown.deployments] == ["a@b"]


def test_deployments_say_when(room: ServingRoom, champion: Trained) -> None:
    up(room, champion)
    (deployment,) = room.endpoints.get(OWNER, "churn").deployments
    assert abs((datetime.now(UTC) - deployment.created_at).total_seconds()) < 60
    assert deployment.digest.startswith("sha256:")
