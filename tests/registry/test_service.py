"""The registry's rules: immutable versions, aliases that go back, gates, idempotence."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from athanor.kernel import Database, Events, Principal, Storage, Verdict
from athanor.kernel.errors import AthanorError
from athanor.kernel.events import SqlEventStore
from athanor.kernel.permissions import OWNER, ActionForbidden, OwnerAccess
from athanor.lineage import (
    Artifact,
    Lineage,
    NewArtifact,
    NewRun,
    OperationCall,
    SqlLineageStore,
)
from athanor.registry import (
    BadAlias,
    BadModelName,
    GateNotPassed,
    ModelNotFound,
    Models,
    ModelVersionNotFound,
    NewModelVersion,
    NothingToRollBack,
    SqlModelStore,
    model_versions,
    operations,
    resolver,
)
from athanor.registry.errors import NotAModel, OperationLacks
from athanor.testing import FixedClock

GOOD = Verdict(gate="quality", passed=True, reason="better", measured={"p_value": 0.001})
BAD = Verdict(gate="quality", passed=False, reason="The challenger is worse", measured={})


class Room:
    def __init__(self, database: Database, folder: Path) -> None:
        clock = FixedClock()
        self.database = database
        self.storage = Storage(str(folder), reserve_bytes=0)
        self.events = Events(SqlEventStore(database), database, clock)
        shared: dict[str, Any] = {
            "events": self.events,
            "access": OwnerAccess(),
            "clock": clock,
        }
        self.lineage = Lineage(SqlLineageStore(database), database, **shared)
        self.models = Models(
            SqlModelStore(database),
            database,
            lineage=self.lineage,
            storage=self.storage,
            **shared,
        )
        self.folder = folder / "model"

    def artifact(self, text: str = "model", kind: str = "model") -> Artifact:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "MLmodel").write_text(text)
        blob = self.storage.put_folder(self.folder)
        metadata = {
            "inputs": [{"name": "age", "type": "long", "required": True}],
            "target": "status",
            "task": "binary",
            "classes": ["gone", "here"],
            "positive": "gone",
            "flavor": "sklearn",
        }
        return self.lineage.record(
            OWNER,
            NewArtifact(
                type=kind,
                name="model",
                uri=blob.uri,
                digest=blob.digest,
                size=blob.size,
                metadata=metadata,
            ),
        )

    def register(self, text: str = "model", verdict: Verdict | None = None) -> int:
        new = NewModelVersion(
            model="churn",
            artifact_id=self.artifact(text).id,
            metrics={"roc_auc": 0.9},
            verdict=verdict,
        )
        return self.models.register(OWNER, new).number

    def actions(self) -> list[str]:
        return [event.action for event in self.events.since(0)]


@pytest.fixture
def room(sqlite: Database, tmp_path: Path) -> Room:
    return Room(sqlite, tmp_path)


def test_versions_count_up_and_keep_what_the_artifact_told(room: Room) -> None:
    assert [room.register("a"), room.register("b")] == [1, 2]
    version = room.models.version(OWNER, "churn@1")
    assert version.artifact_id is not None
    assert room.models.versions_of(OWNER, version.artifact_id) == [version]
    assert version.signature.inputs[0].name == "age"
    assert version.signature.classes == ("gone", "here")
    assert version.metrics == {"roc_auc": 0.9}
    assert version.reference == "churn@1"
    created = ["registry.version.created"] * 2
    assert room.actions() == ["registry.model.created", *created]
    assert [v.number for v in room.models.versions(OWNER, "churn")] == [2, 1]


def test_the_same_key_registers_once(room: Room) -> None:
    artifact = room.artifact()
    new = NewModelVersion(model="churn", artifact_id=artifact.id, key="task-1")
    assert room.models.register(OWNER, new) == room.models.register(OWNER, new)
    assert room.actions() == ["registry.model.created", "registry.version.created"]


def test_a_model_from_the_cache_keeps_its_number(room: Room) -> None:
    artifact = room.artifact()
    first, again = (
        room.models.register(
            OWNER, NewModelVersion(model="churn", artifact_id=artifact.id, key=key)
        )
        for key in ("task-1", "task-2")
    )
    assert first == again


def test_only_models_are_registered_and_names_are_plain(room: Room) -> None:
    table = room.artifact(kind="table")
    with pytest.raises(NotAModel):
        room.models.register(OWNER, NewModelVersion(model="churn", artifact_id=table.id))
    assert room.models.models(OWNER) == []
    for name in ("", " ", "a/b", "a:b", "..", "a\n", "a" * 256):
        with pytest.raises(BadModelName):
            room.models.register(OWNER, NewModelVersion(model=name, artifact_id=table.id))
    room.register()
    for alias in ("latest", "Latest", "v2", "V2", "", "a b", "a@b", "a" * 256):
        with pytest.raises(BadAlias):
            room.models.set_alias(OWNER, "churn", alias, 1)


def test_references(room: Room) -> None:
    for text in "abc":
        room.register(text)
    named = {"churn": 3, "churn@latest": 3, "churn@2": 2, "model:churn@1": 1}
    for reference, number in named.items():
        assert room.models.version(OWNER, reference).number == number
    room.models.promote(OWNER, "churn@2")
    assert room.models.version(OWNER, "churn@champion").number == 2
    assert room.models.version(OWNER, "churn").number == 2
    for reference in ("churn@4", "churn@0", "churn@shadow"):
        with pytest.raises(ModelVersionNotFound):
            room.models.version(OWNER, reference)
    with pytest.raises(ModelNotFound, match="Did you mean 'churn'"):
        room.models.version(OWNER, "chrun")


def test_rollback_goes_back_step_by_step(room: Room) -> None:
    for text in "abc":
        room.register(text)
    for number in (1, 2, 3):
        room.models.promote(OWNER, f"churn@{number}")
    assert room.models.rollback(OWNER, "churn").number == 2
    assert room.models.rollback(OWNER, "churn").number == 1
    with pytest.raises(NothingToRollBack):
        room.models.rollback(OWNER, "churn")
    room.models.promote(OWNER, "churn@3")
    assert room.models.rollback(OWNER, "churn").aliases == ["champion"]
    moves = room.models.history(OWNER, "churn")
    assert [move.kind for move in moves] == ["set"] * 3 + ["rollback"] * 2 + ["set", "rollback"]
    room.models.remove_alias(OWNER, "churn", "champion")
    with pytest.raises(NothingToRollBack):
        room.models.rollback(OWNER, "churn")
    assert room.models.model(OWNER, "churn").aliases == {}


def test_moving_an_alias_where_it_is_tells_nothing(room: Room) -> None:
    room.register()
    for _ in range(2):
        room.models.set_alias(OWNER, "churn", "champion", 1)
    assert room.actions().count("registry.alias.moved") == 1


def test_a_protected_model_takes_only_what_passed_its_gate(room: Room) -> None:
    room.register("a")
    room.register("b", GOOD)
    room.models.protect(OWNER, "churn", protected=True)
    with pytest.raises(GateNotPassed, match="no gate has judged it"):
        room.models.promote(OWNER, "churn@1")
    with pytest.raises(GateNotPassed):
        room.models.set_alias(OWNER, "churn", "champion", 1)
    room.models.set_alias(OWNER, "churn", "shadow", 1)
    assert room.models.promote(OWNER, "churn@2").aliases == ["champion"]
    room.models.promote(OWNER, "churn@1", force=True, reason="urgent")
    assert room.models.history(OWNER, "churn")[-1].reason == "urgent; forced past the gate"


def test_a_download_holds_the_folder_and_is_the_same_twice(room: Room) -> None:
    room.register("the model")
    first = b"".join(room.models.download(OWNER, "churn@1"))
    assert first == b"".join(room.models.download(OWNER, "churn@1"))
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.read("MLmodel") == b"the model"


def call(room: Room, **parameters: Any) -> OperationCall:
    run = room.lineage.start_run(OWNER, NewRun(kind="task", name="register"))
    return OperationCall(
        run_id=run.id,
        task="register",
        key="run/register",
        parameters={"name": "churn", **parameters},
        artifacts={"model": [room.artifact()]},
    )


def test_the_operation_registers_and_promotes_once(room: Room) -> None:
    register = operations(room.models, room.events)["model.register"]
    asked = call(
        room,
        metrics={"roc_auc": 0.8, "note": "x"},
        verdict={"gate": "quality", "passed": True, "reason": "better", "measured": {}},
    )
    first = register(OWNER, asked)
    assert first.parameters["reference"] == "churn@1"
    assert register(OWNER, asked) == first
    version = room.models.version(OWNER, "churn@champion")
    assert version.metrics == {"roc_auc": 0.8}
    assert version.run_id == asked.run_id
    promoted = operations(room.models, room.events)["model.promote"]
    assert promoted(OWNER, call(room, version=1)).parameters == {"model": "churn", "version": 1}


def test_a_refused_challenger_changes_nothing_and_is_told(room: Room) -> None:
    room.register()
    register = operations(room.models, room.events)["model.register"]
    verdict = {"gate": "quality", "passed": False, "reason": "worse", "measured": {"p_value": 0.9}}
    result = register(OWNER, call(room, verdict=verdict))
    assert result.parameters["registered"] is False
    assert result.parameters["reason"] == "worse"
    assert len(room.models.versions(OWNER, "churn")) == 1
    event = room.events.latest()[0]
    assert (event.action, event.detail["reason"]) == ("registry.challenger.refused", "worse")


def test_the_operation_says_what_it_lacks(room: Room) -> None:
    register = operations(room.models, room.events)["model.register"]
    with pytest.raises(OperationLacks, match="'name'"):
        register(OWNER, OperationCall(run_id="r", task="register", key="k"))
    with pytest.raises(OperationLacks, match="'model'"):
        register(
            OWNER, OperationCall(run_id="r", task="register", key="k", parameters={"name": "x"})
        )


def test_the_resolver_finds_the_artifact(room: Room) -> None:
    room.register()
    resolve = resolver(room.models, room.lineage)
    assert resolve(OWNER, "churn@latest").type == "model"


def test_sql_sees_the_versions(room: Room) -> None:
    room.register()
    relation = model_versions(room.models)
    row = relation.scan(OWNER, "").rows[0]
    assert list(row) == [column.name for column in relation.columns]
    assert (row["model"], row["version"], row["roc_auc"]) == ("churn", 1, 0.9)


def test_a_stranger_may_nothing(room: Room) -> None:
    room.register()
    stranger = Principal(id="mallory", name="mallory")
    models = room.models
    with pytest.raises(ActionForbidden):
        models.models(stranger)
    with pytest.raises(ActionForbidden):
        models.promote(stranger, "churn@1")
    with pytest.raises(AthanorError):
        models.download(stranger, "churn@1")
