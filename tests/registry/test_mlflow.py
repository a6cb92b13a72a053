"""The registry over MLflow's protocol: codes, messages and forms that its clients match."""

from pathlib import Path
from typing import Any

import pytest

from athanor.kernel import Database
from athanor.kernel.permissions import OWNER
from athanor.registry import NewModelVersion
from athanor.registry.errors import ModelNotFound
from athanor.testing.registry_room import RegistryRoom


@pytest.fixture
def room(sqlite: Database, tmp_path: Path) -> RegistryRoom:
    return RegistryRoom(sqlite, tmp_path)


@pytest.fixture
def stocked(room: RegistryRoom) -> RegistryRoom:
    assert room.ask("POST", "registered-models/create", {"name": "churn"})[0] == 200
    asked = {"name": "churn", "source": "s3://b/m", "run_id": "r1"}
    assert room.ask("POST", "model-versions/create", asked)[0] == 200
    return room


def test_a_model_as_clients_read_it(room: RegistryRoom) -> None:
    asked = {
        "name": "churn",
        "tags": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}],
        "description": "d",
    }
    _, told = room.ask("POST", "registered-models/create", asked)
    at = told["registered_model"].pop("creation_timestamp")
    assert told["registered_model"] == {
        "name": "churn",
        "last_updated_timestamp": at,
        "description": "d",
        "tags": [{"key": "a", "value": "2"}],
    }
    assert room.ask("GET", "registered-models/get", {"name": "churn"})[1]["registered_model"][
        "tags"
    ] == [{"key": "a", "value": "2"}]


def test_a_version_as_clients_read_it(stocked: RegistryRoom) -> None:
    _, told = stocked.ask("GET", "model-versions/get", {"name": "churn", "version": "1"})
    version = told["model_version"]
    for name in ("creation_timestamp", "last_updated_timestamp"):
        assert isinstance(version.pop(name), int)
    assert version == {
        "name": "churn",
        "version": "1",
        "current_stage": "None",
        "description": "",
        "source": "s3://b/m",
        "run_id": "r1",
        "run_link": "",
        "status": "READY",
    }
    where = stocked.ask("GET", "model-versions/get-download-uri", {"name": "churn", "version": 1})
    assert where[1] == {"artifact_uri": "s3://b/m"}
    assert (
        stocked.ask("PATCH", "model-versions/update", {"name": "churn", "version": "1"})[1][
            "model_version"
        ].get("description")
        is None
    )


REFUSED: list[tuple[str, str, dict[str, Any], int, str, str]] = [
    ("POST", "registered-models/create", {}, 400, "INVALID_PARAMETER_VALUE", "parameter 'name'"),
    (
        "POST",
        "registered-models/create",
        {"name": "churn"},
        400,
        "RESOURCE_ALREADY_EXISTS",
        "Registered Model (name=churn) already exists.",
    ),
    (
        "POST",
        "registered-models/create",
        {"name": "churn", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]},
        400,
        "RESOURCE_ALREADY_EXISTS",
        "Tried to create a prompt with name 'churn'",
    ),
    (
        "POST",
        "registered-models/create",
        {"name": "a/b"},
        400,
        "INVALID_PARAMETER_VALUE",
        "Invalid model name 'a/b'. Names cannot contain '/' or ':'.",
    ),
    (
        "GET",
        "registered-models/get",
        {"name": "x"},
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "Registered Model with name=x not found",
    ),
    (
        "GET",
        "model-versions/get",
        {"name": "x", "version": "1"},
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "Model Version (name=x, version=1) not found",
    ),
    (
        "GET",
        "model-versions/get",
        {"name": "churn", "version": "99999999999999999999"},
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "not found",
    ),
    (
        "GET",
        "model-versions/get",
        {"name": "churn", "version": "one"},
        400,
        "INVALID_PARAMETER_VALUE",
        "Parameter 'version' must be an integer, got 'one'.",
    ),
    (
        "GET",
        "registered-models/alias",
        {"name": "churn", "alias": "prod"},
        400,
        "INVALID_PARAMETER_VALUE",
        "Registered model alias prod not found.",
    ),
    (
        "POST",
        "registered-models/alias",
        {"name": "churn", "alias": "LATEST", "version": "1"},
        400,
        "INVALID_PARAMETER_VALUE",
        "'latest' alias name (case insensitive) is reserved.",
    ),
    (
        "POST",
        "registered-models/alias",
        {"name": "churn", "alias": "V2", "version": "1"},
        400,
        "INVALID_PARAMETER_VALUE",
        "Version alias name 'V2' is reserved.",
    ),
    (
        "POST",
        "registered-models/alias",
        {"name": "churn", "alias": "a.b", "version": "1"},
        400,
        "INVALID_PARAMETER_VALUE",
        "Invalid alias name",
    ),
    (
        "POST",
        "model-versions/transition-stage",
        {"name": "churn", "version": "1", "stage": "Live"},
        400,
        "INVALID_PARAMETER_VALUE",
        "Invalid Model Version stage: Live. Value must be one of None, Staging, Production, Arc",
    ),
    (
        "POST",
        "model-versions/create",
        {"name": "churn", "source": "s3://b/../m"},
        400,
        "INVALID_PARAMETER_VALUE",
        "Invalid model version source: 's3://b/../m'",
    ),
    (
        "GET",
        "registered-models/search",
        {"max_results": 1001},
        400,
        "INVALID_PARAMETER_VALUE",
        "'max_results'",
    ),
    (
        "POST",
        "registered-models/set-tag",
        {"name": "churn", "key": "a//b", "value": "x"},
        400,
        "INVALID_PARAMETER_VALUE",
        "This name would resolve to 'a/b'",
    ),
    (
        "GET",
        "webhooks/none",
        {},
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "Webhook with ID none not found.",
    ),
    (
        "POST",
        "webhooks",
        {"name": "w", "url": "https://1.1.1.1", "events": []},
        400,
        "INVALID_PARAMETER_VALUE",
        "Webhook events must be a non-empty list",
    ),
]


@pytest.mark.parametrize(("method", "path", "asked", "status", "code", "message"), REFUSED)
def test_refusals(
    stocked: RegistryRoom,
    method: str,
    path: str,
    asked: dict[str, Any],
    status: int,
    code: str,
    message: str,
) -> None:
    found, told = stocked.ask(method, path, asked)
    assert (found, told["error_code"]) == (status, code)
    assert message in told["message"]


def test_a_name_that_another_is_about_to_commit_is_taken(
    stocked: RegistryRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unseen(_who: object, name: str) -> None:
        raise ModelNotFound(name)

    monkeypatch.setattr(stocked.models, "model", unseen)
    found, told = stocked.ask("POST", "registered-models/create", {"name": "churn"})
    assert (found, told["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")


def test_aliases(stocked: RegistryRoom) -> None:
    named = {"name": "churn", "alias": "12"}
    assert stocked.ask("POST", "registered-models/alias", named | {"version": "1"}) == (200, {})
    _, told = stocked.ask("GET", "registered-models/alias", named)
    assert told["model_version"]["aliases"] == ["12"]
    _, told = stocked.ask("GET", "registered-models/alias", {"name": "churn", "alias": "latest"})
    assert told["model_version"]["version"] == "1"
    for _ in range(2):
        assert stocked.ask("DELETE", "registered-models/alias", named) == (200, {})
    assert stocked.ask("GET", "registered-models/alias", named)[0] == 400


def test_answers_leave_out_what_is_empty(room: RegistryRoom) -> None:
    assert room.ask("GET", "registered-models/search") == (200, {})
    assert room.ask("GET", "model-versions/search") == (200, {})
    assert room.ask("GET", "webhooks") == (200, {})


def test_latest_versions(stocked: RegistryRoom) -> None:
    asked = {"name": "churn", "version": "1", "stage": "staging"}
    assert stocked.ask("POST", "model-versions/transition-stage", asked)[0] == 200
    for method in ("GET", "POST"):
        for stages, count in ((["Staging"], 1), (["Production"], 0), ([], 1)):
            wanted = {"name": "churn", "stages": stages}
            _, told = stocked.ask(method, "registered-models/get-latest-versions", wanted)
            assert len(told.get("model_versions", [])) == count
    _, told = stocked.ask("GET", "registered-models/search")
    assert told["registered_models"][0]["latest_versions"][0]["current_stage"] == "Staging"


def test_projects_are_apart(stocked: RegistryRoom) -> None:
    assert stocked.ask("GET", "registered-models/get", {"name": "churn"}, "other")[0] == 404
    asked = {"name": "churn", "version": "1"}
    assert stocked.ask("GET", "model-versions/get", asked, "other")[0] == 404
    assert stocked.ask("DELETE", "registered-models/delete", {"name": "churn"}, "other")[0] == 404
    assert stocked.ask("GET", "registered-models/search", {}, "other") == (200, {})
    assert stocked.ask("POST", "registered-models/create", {"name": "theirs"}, "other")[0] == 200
    _, told = stocked.ask("GET", "registered-models/search", {}, "other")
    assert [model["name"] for model in told["registered_models"]] == ["theirs"]


def test_our_own_versions_can_be_fetched(room: RegistryRoom) -> None:
    artifact = room.artifact()
    room.models.register(OWNER, NewModelVersion(model="ours", artifact_id=artifact.id))
    asked = {"name": "ours", "version": "1"}
    _, told = room.ask("GET", "model-versions/get-download-uri", asked)
    assert told == {"artifact_uri": f"mlflow-artifacts:/registry/{artifact.id}"}
    _, told = room.ask("GET", "model-versions/get", asked)
    assert told["model_version"]["source"] == f"mlflow-artifacts:/registry/{artifact.id}"


def test_tags_of_versions(stocked: RegistryRoom) -> None:
    named = {"name": "churn", "version": "1", "key": "seed"}
    assert stocked.ask("POST", "model-versions/set-tag", named) == (200, {})
    _, told = stocked.ask("GET", "model-versions/get", {"name": "churn", "version": "1"})
    assert told["model_version"]["tags"] == [{"key": "seed", "value": ""}]
    for _ in range(2):
        assert stocked.ask("DELETE", "model-versions/delete-tag", named) == (200, {})


def test_a_secret_is_never_told(room: RegistryRoom) -> None:
    asked = {
        "name": "w",
        "url": "https://203.0.113.1/x",
        "secret": "s3cret-value",
        "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
    }
    # A documentation address is no public one.
    assert room.ask("POST", "webhooks", asked)[0] == 400
    status, told = room.ask("POST", "webhooks", asked | {"url": "https://1.1.1.1/x"})
    assert status == 200
    assert "s3cret" not in str(told)
    with room.database.connection() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM registry_webhook").first()
    assert "s3cret" not in str(kept)
    assert "s3cret" not in str(room.events.since(0))
