"""What people write on models and versions, and where versions come from."""

from pathlib import Path
from typing import Any

import pytest

from athanor.kernel import Database
from athanor.kernel.permissions import OWNER
from athanor.lineage import NewRun
from athanor.registry import (
    BadModelName,
    BadModelSource,
    BadStage,
    BadTag,
    ContentElsewhere,
    Logged,
    ModelExists,
    ModelInUse,
    ModelNotFound,
    ModelUse,
    ModelVersionNotFound,
    NewModel,
    NewModelVersion,
    NewSource,
    Search,
    StageMove,
    held,
)
from athanor.registry.logic.references import split
from athanor.registry.logic.sources import read_source
from athanor.testing.registry_room import RegistryRoom
from athanor.tracking import BadKey, BadSearch

MLMODEL = b"""
flavors:
  python_function: {loader_module: mlflow.lightgbm}
  lightgbm: {data: model.lgb}
run_id: RUN
signature:
  inputs: '[{"name": "age", "type": "long", "required": true}]'
"""


@pytest.fixture
def room(sqlite: Database, tmp_path: Path) -> RegistryRoom:
    return RegistryRoom(sqlite, tmp_path)


def added(room: RegistryRoom, model: str = "churn", source: str = "s3://b/m", **more: Any) -> int:
    return room.catalog.add_version(OWNER, NewSource(model=model, source=source, **more)).number


def made(room: RegistryRoom, name: str = "churn", **tags: str) -> None:
    room.catalog.create_model(OWNER, NewModel(name=name, tags=tags))


@pytest.mark.parametrize(
    "name", ["a@b", "ü & ?#%", "1x", "x" * 255, "latest", "a.b", "-a b", "100%"]
)
def test_names_may_be_odd(room: RegistryRoom, name: str) -> None:
    made(room, name)
    assert added(room, name) == 1
    room.models.set_alias(OWNER, name, "champion", 1)
    assert room.models.version(OWNER, f"{name}@champion").reference == f"{name}@1"
    assert split(f"model:{name}@1") == (name, "1")
    room.catalog.delete_model(OWNER, name)
    with pytest.raises(ModelNotFound):
        room.models.model(OWNER, name)


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", ".", "..", "..a", "a\nb", "x" * 256])
def test_names_that_cannot_be(room: RegistryRoom, name: str) -> None:
    with pytest.raises(BadModelName):
        made(room, name)
    made(room)
    with pytest.raises(BadModelName):
        room.catalog.rename_model(OWNER, "churn", name)


def test_a_model_is_described_tagged_renamed_and_deleted(room: RegistryRoom) -> None:
    made(room, team="growth")
    with pytest.raises(ModelExists):
        made(room)
    assert room.catalog.change_model(OWNER, "churn", description="who").description == "who"
    room.catalog.tag_model(OWNER, "churn", "tier", "")
    room.catalog.untag_model(OWNER, "churn", "team")
    room.catalog.untag_model(OWNER, "churn", "never was")
    added(room)
    room.models.set_alias(OWNER, "churn", "prod", 1)
    renamed = room.catalog.rename_model(OWNER, "churn", "leaving")
    assert (renamed.tags, renamed.aliases) == ({"tier": ""}, {"prod": 1})
    made(room)
    with pytest.raises(ModelExists):
        room.catalog.rename_model(OWNER, "leaving", "churn")
    assert room.catalog.rename_model(OWNER, "leaving", "leaving").name == "leaving"
    for key, value, kind in (
        ("a//b", "x", BadKey),
        ("k" * 251, "x", BadKey),
        ("k", "x" * 100_001, BadTag),
    ):
        with pytest.raises(kind):
            room.catalog.tag_model(OWNER, "leaving", key, value)


def test_a_deleted_version_takes_its_aliases_and_its_number_with_it(room: RegistryRoom) -> None:
    made(room)
    assert [added(room), added(room)] == [1, 2]
    for number in (1, 2):
        room.models.set_alias(OWNER, "churn", "prod", number)
    room.catalog.delete_version(OWNER, "churn", 2)
    assert room.models.model(OWNER, "churn").aliases == {}
    assert room.models.history(OWNER, "churn")[-1].kind == "removed"
    assert added(room) == 3
    with pytest.raises(ModelVersionNotFound):
        room.catalog.delete_version(OWNER, "churn", 2)
    with pytest.raises(ModelVersionNotFound):
        room.catalog.change_version(OWNER, "churn", 2, description="x")


class Users:
    """A `Uses`: the deployments that hold versions, and whether any ever did."""

    def __init__(self, *uses: ModelUse, number: int = 1, ever: bool = False) -> None:
        self._uses, self._number, self._ever = uses, number, ever

    def deployments(self, model: str, number: int | None) -> tuple[ModelUse, ...]:
        return self._uses if model == "churn" and number in {None, self._number} else ()

    def ever(self, model: str) -> bool:
        return self._ever and model == "churn"


def test_what_serves_is_not_deleted(room: RegistryRoom) -> None:
    made(room)
    assert [added(room), added(room)] == [1, 2]
    live = ModelUse(endpoint="front", deployment=3, state="live", alone=True)
    kept = ModelUse(endpoint="back", deployment=2, state="standby", alone=False)
    room.catalog.mind(Users(live, kept))
    with pytest.raises(ModelInUse, match=r"Version 1 ") as refused:
        room.catalog.delete_version(OWNER, "churn", 1)
    assert "serves as deployment 3 of endpoint 'front'" in refused.value.message
    assert "kept for a rollback or a rule as deployment 2 of endpoint 'back'" in (
        refused.value.message
    )
    assert "athanor endpoint remove front" in refused.value.hint
    assert "athanor endpoint retire back 2" in refused.value.hint
    with pytest.raises(ModelInUse, match="Model 'churn'"):
        room.catalog.delete_model(OWNER, "churn")
    code, told = room.ask("DELETE", "registered-models/delete", {"name": "churn"})
    assert (code, told["error_code"]) == (409, "RESOURCE_CONFLICT")
    assert "athanor endpoint remove front" in told["message"]
    room.catalog.delete_version(OWNER, "churn", 2)
    assert room.models.model(OWNER, "churn").latest == 1


def test_a_number_is_not_used_again_by_a_model_that_comes_after(room: RegistryRoom) -> None:
    def registered() -> int:
        new = NewModelVersion(model="churn", artifact_id=room.artifact().id)
        return room.models.register(OWNER, new).number

    assert [registered(), registered()] == [1, 2]
    room.catalog.delete_version(OWNER, "churn", 2)
    room.catalog.delete_model(OWNER, "churn")
    assert registered() == 3
    room.catalog.delete_model(OWNER, "churn")
    made(room)
    assert added(room) == 4
    room.catalog.rename_model(OWNER, "churn", "leaving")
    assert registered() == 5


@pytest.mark.parametrize(("ever", "number"), [(False, 1), (True, 3)])
def test_mlflows_models_count_anew_where_nothing_served_them(
    room: RegistryRoom, *, ever: bool, number: int
) -> None:
    room.catalog.mind(Users(ever=ever))
    named = {"name": "churn"}
    assert room.ask("POST", "registered-models/create", named)[0] == 200
    assert [added(room), added(room)] == [1, 2]
    assert room.ask("DELETE", "registered-models/delete", named)[0] == 200
    assert room.ask("POST", "registered-models/create", named)[0] == 200
    assert added(room) == number


def test_an_alias_goes_back_past_a_deleted_version(room: RegistryRoom) -> None:
    made(room)
    for number in (1, 2, 3):
        assert added(room) == number
        room.models.set_alias(OWNER, "churn", "champion", number)
    room.catalog.delete_version(OWNER, "churn", 2)
    assert room.models.rollback(OWNER, "churn").number == 1


def test_stages_hold_several_versions(room: RegistryRoom) -> None:
    made(room)
    for _ in range(3):
        added(room)
    for number in (1, 2):
        moved = room.catalog.move_stage(OWNER, "churn", number, StageMove(stage="production"))
        assert moved.stage == "Production"
    latest = room.catalog.latest_versions(OWNER, ("churn",))
    assert {v.stage: v.number for v in latest} == {"Production": 2, "None": 3}
    room.catalog.move_stage(OWNER, "churn", 3, StageMove(stage="PRODUCTION", archive_existing=True))
    stages = [v.stage for v in room.models.versions(OWNER, "churn")]
    assert stages == ["Production", "Archived", "Archived"]
    assert room.catalog.latest_versions(OWNER, ("churn",), ("staging",)) == []
    for move in (StageMove(stage="Live"), StageMove(stage="Archived", archive_existing=True)):
        with pytest.raises(BadStage):
            room.catalog.move_stage(OWNER, "churn", 1, move)


def test_what_lies_elsewhere_is_an_address(room: RegistryRoom) -> None:
    made(room)
    added(room, run_id="somebody's run")
    version = room.models.version(OWNER, "churn@1")
    assert (version.artifact_id, version.run_id) == (None, "somebody's run")
    with pytest.raises(ContentElsewhere, match="s3://b/m"):
        held(version)
    with pytest.raises(ContentElsewhere):
        room.models.download(OWNER, "churn@1")


def test_a_runs_folder_becomes_an_artifact(room: RegistryRoom) -> None:
    made(room)
    run = room.lineage.start_run(OWNER, NewRun(kind="script", name="train.py"))
    room.origins.runs[run.id] = f"mlflow-artifacts:/1/{run.id}/artifacts"
    where = f"mlflow-artifacts:/1/{run.id}/artifacts/model"
    room.logged(where, {"MLmodel": MLMODEL, "model.lgb": b"trees"})
    first = room.catalog.add_version(
        OWNER, NewSource(model="churn", source=f"runs:/{run.id}/model", run_id=run.id)
    )
    assert (first.flavor, first.signature.inputs[0].name) == ("lightgbm", "age")
    assert first.size == len(MLMODEL) + len(b"trees")
    room.logged(where, {"MLmodel": MLMODEL.replace(b"RUN", b"NUR"), "model.lgb": b"trees"})
    again = room.catalog.add_version(OWNER, NewSource(model="churn", source=where, run_id=run.id))
    assert again.digest == first.digest, "the run's id is no part of the content"
    came_from = room.lineage.trace(OWNER, held(first), "up").nodes
    assert "train.py" in [node.name for node in came_from]
    kept = room.lineage.artifact(OWNER, held(first))
    assert [entry.path for entry in room.storage.entries(kept.metadata["blob"])] == [
        "MLmodel",
        "model.lgb",
    ]


def test_a_logged_model_is_told_of_its_versions(room: RegistryRoom) -> None:
    made(room)
    where = "mlflow-artifacts:/1/models/m-1/artifacts"
    room.origins.models["m-1"] = Logged(location=where, run="r1")
    room.logged(where, {"MLmodel": MLMODEL})
    version = room.catalog.add_version(
        OWNER, NewSource(model="churn", source="models:/m-1", model_id="m-1")
    )
    assert (version.run_id, version.location) == ("r1", where)
    assert room.origins.noted == [("m-1", "churn", 1)]
    copied = room.catalog.add_version(OWNER, NewSource(model="churn", source="models:/churn/1"))
    assert (copied.source, copied.artifact_id) == ("models:/churn/1", version.artifact_id)
    assert copied.location == where
    room.models.set_alias(OWNER, "churn", "prod", 1)
    assert added(room, source="models:/churn@prod") == 3
    assert added(room, source="models:/churn/latest") == 4
    with pytest.raises(BadModelSource, match="m-2"):
        added(room, source="models:/m-2")
    with pytest.raises(ModelVersionNotFound):
        added(room, source="models:/churn/9")
    with pytest.raises(ModelNotFound):
        added(room, source="models:/other/1")


@pytest.mark.parametrize(
    "source",
    [
        "mlflow-artifacts://host/models/../../x",
        "mlflow-artifacts:/models/..%2f..%2fx",
        "s3://b/..%252f..%252fetc",
        "http://host/a%00",
        "http://[broken",
        "runs:/r/../../x",
        "models:/a/b/c",
        "models:/",
    ],
)
def test_a_source_stays_where_it_is(room: RegistryRoom, source: str) -> None:
    made(room)
    with pytest.raises(BadModelSource):
        added(room, source=source)


def test_a_local_path_lies_in_its_runs_folder(room: RegistryRoom) -> None:
    made(room)
    room.origins.runs["r1"] = "file:///data/1/r1/artifacts"
    assert added(room, source="/data/1/r1/artifacts/model", run_id="r1") == 1
    for source in ("/etc", "/data/1/r1/artifacts/../../r2", "file:///data/1/r1/artifactsx"):
        with pytest.raises(BadModelSource):
            added(room, source=source, run_id="r1")
    with pytest.raises(BadModelSource):
        added(room, source="/data/1/r1/artifacts")


def test_sources_are_told_apart() -> None:
    kinds = {
        "runs:/r/a/b": "run",
        "models:/m-1": "logged_model",
        "models:/churn/3": "version",
        "models:/churn@prod": "version",
        "mlflow-artifacts:/1/r/artifacts": "tree",
        "mlflow-artifacts://host:1/x": "remote",
        "s3://b/k": "remote",
        "dbfs:/x": "remote",
        "/tmp/x": "local",
        "file:///tmp/x": "local",
        "relative": "local",
    }
    assert {source: read_source(source).kind for source in kinds} == kinds


@pytest.fixture
def stocked(room: RegistryRoom) -> RegistryRoom:
    for number in range(5):
        made(room, f"model {number}", even="yes" if number % 2 == 0 else "no")
        for _ in range(number):
            added(room, f"model {number}", source=f"s3://b/{number}", run_id=f"r{number}")
            room.clock.advance(1)
    made(room, "Model X")
    made(room, "a prompt", **{"mlflow.prompt.is_prompt": "true"})
    room.catalog.create_model(OWNER, NewModel(name="of others", project="other"))
    return room


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["Model X", "model 0", "model 1", "model 2", "model 3", "model 4"]),
        ("name LIKE 'model%'", ["model 0", "model 1", "model 2", "model 3", "model 4"]),
        ("name ILIKE 'MODEL x'", ["Model X"]),
        ("tags.even = 'yes' AND name != 'model 0'", ["model 2", "model 4"]),
        ("tags.even != 'yes'", ["model 1", "model 3"]),
        ("name IN ('model 1', 'nobody')", ["model 1"]),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", ["a prompt"]),
        ("tags.`mlflow.prompt.is_prompt` != 'true' AND name ILIKE '%x'", ["Model X"]),
    ],
)
def test_models_are_found(stocked: RegistryRoom, text: str, names: list[str]) -> None:
    page = stocked.catalog.search_models(OWNER, Search(filter=text))
    assert [model.name for model in page.models] == names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name = 'model 3' AND version_number > 1", [("model 3", 3), ("model 3", 2)]),
        ("run_id = 'r1'", [("model 1", 1)]),
        ("run_id IN ('r1', 'r2') AND version_number = 1", [("model 2", 1), ("model 1", 1)]),
        ("source_path = 's3://b/2'", [("model 2", 2), ("model 2", 1)]),
        ("name = 'nobody'", []),
    ],
)
def test_versions_are_found(stocked: RegistryRoom, text: str, found: list[tuple[str, int]]) -> None:
    page = stocked.catalog.search_versions(OWNER, Search(filter=text))
    assert [(version.model, version.number) for version in page.versions] == found


def test_pages_lead_to_all_and_to_nothing_twice(stocked: RegistryRoom) -> None:
    found, token = [], None
    while True:
        search = Search(order_by=("name DESC",), max_results=4, page_token=token)
        page = stocked.catalog.search_models(OWNER, search)
        found += [model.name for model in page.models]
        token = page.next_page_token
        if token is None:
            break
    assert found == [*(f"model {number}" for number in reversed(range(5))), "Model X"]
    for bad in (Search(filter="stage = 'x'"), Search(order_by=("size",)), Search(page_token="x")):
        with pytest.raises(BadSearch):
            stocked.catalog.search_models(OWNER, bad)


def test_our_own_versions_are_found_too(room: RegistryRoom) -> None:
    new = NewModelVersion(model="ours", artifact_id=room.artifact().id)
    room.models.register(OWNER, new)
    page = room.catalog.search_versions(OWNER, Search(filter="name = 'ours'"))
    assert [version.artifact_id for version in page.versions] == [new.artifact_id]
