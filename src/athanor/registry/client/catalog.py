"""Names, descriptions, tags, stages and searches, over a transport."""

from collections.abc import Sequence

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.registry.types import (
    Model,
    ModelPage,
    ModelVersion,
    NewModel,
    NewSource,
    Search,
    StageMove,
    VersionPage,
)


class CatalogClient:
    """What people write on models and versions."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_model(self, new: NewModel) -> Model:
        """Take a name for versions that will come."""
        body = {"description": new.description, "tags": new.tags}
        return self._transport.send("PUT", _path(new.name), body=body).read(Model)

    def change_model(self, name: str, *, description: str | None) -> Model:
        """Write a model's description anew."""
        body = {"description": description}
        return self._transport.send("PATCH", _path(name), body=body).read(Model)

    def rename_model(self, name: str, new_name: str) -> Model:
        """Give a model another name."""
        answer = self._transport.send("POST", f"{_path(name)}/rename", body={"name": new_name})
        return answer.read(Model)

    def delete_model(self, name: str) -> None:
        """Delete a model with its versions and aliases."""
        self._transport.send("DELETE", _path(name))

    def tag_model(self, name: str, key: str, value: str) -> None:
        """Set a model's tag."""
        body = {"key": key, "value": value}
        self._transport.send("PUT", f"{_path(name)}/tags", body=body)

    def untag_model(self, name: str, key: str) -> None:
        """Remove a model's tag."""
        self._transport.send("DELETE", f"{_path(name)}/tags", query={"key": key})

    def search_models(self, search: Search) -> ModelPage:
        """Models by a filter in MLflow's grammar."""
        return self._transport.send("GET", "/model-search", query=_query(search)).read(ModelPage)

    def add_version(self, new: NewSource) -> ModelVersion:
        """Give a model its next version, from where its files lie."""
        answer = self._transport.send("POST", f"{_path(new.model)}/versions", body=new)
        return answer.read(ModelVersion)

    def change_version(self, model: str, number: int, *, description: str | None) -> ModelVersion:
        """Write a version's description anew."""
        body = {"description": description}
        return self._transport.send("PATCH", _version(model, number), body=body).read(ModelVersion)

    def delete_version(self, model: str, number: int) -> None:
        """Delete a version, and the aliases that point at it."""
        self._transport.send("DELETE", _version(model, number))

    def tag_version(self, model: str, number: int, key: str, value: str) -> ModelVersion:
        """Set a version's tag."""
        path = f"{_version(model, number)}/tags"
        body = {"key": key, "value": value}
        return self._transport.send("PUT", path, body=body).read(ModelVersion)

    def untag_version(self, model: str, number: int, key: str) -> ModelVersion:
        """Remove a version's tag."""
        path = f"{_version(model, number)}/tags"
        return self._transport.send("DELETE", path, query={"key": key}).read(ModelVersion)

    def move_stage(self, model: str, number: int, move: StageMove) -> ModelVersion:
        """Put a version in one of MLflow's stages."""
        path = f"{_version(model, number)}/stage"
        return self._transport.send("PUT", path, body=move).read(ModelVersion)

    def search_versions(self, search: Search) -> VersionPage:
        """Versions by a filter in MLflow's grammar."""
        answer = self._transport.send("GET", "/model-version-search", query=_query(search))
        return answer.read(VersionPage)

    def latest_versions(self, model: str, stages: Sequence[str] = ()) -> list[ModelVersion]:
        """The newest version in each stage, or in the stages asked for."""
        answer = self._transport.send(
            "GET", f"{_path(model)}/latest", query={"stage": list(stages)}
        )
        return answer.read(list[ModelVersion])


def _query(search: Search) -> dict[str, object]:
    return {
        "filter": search.filter,
        "order_by": list(search.order_by),
        "limit": search.max_results,
        "page": search.page_token,
    }


def _path(model: str) -> str:
    return f"/models/{segment(model)}"


def _version(model: str, number: int) -> str:
    return f"{_path(model)}/versions/{number}"
