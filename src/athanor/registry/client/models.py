"""The registry's verbs over a transport."""

from collections.abc import Iterator, Sequence

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.registry.client.places import parts_of, version_path
from athanor.registry.types import (
    AliasMove,
    Comparison,
    Holdout,
    Model,
    ModelVersion,
    NewModelVersion,
    Upload,
)


class ModelsClient:
    """Models, their versions and aliases. References are `churn@2`, `churn@champion`, `churn`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def register(self, new: NewModelVersion) -> ModelVersion:
        """Give a model artifact the model's next number."""
        return self._transport.send("POST", "/models", body=new).read(ModelVersion)

    def upload(self, new: Upload) -> ModelVersion:
        """Send a packed MLflow model folder as the model's next version."""
        answer = self._transport.send(
            "PUT", f"{_path(new.model)}/upload", query={"run": new.run_id}, content=new.archive
        )
        return answer.read(ModelVersion)

    def models(self, *, prompts: bool = False) -> list[Model]:
        """All models, by name; those by which MLflow keeps prompts only where they are wanted."""
        query = {"prompts": True} if prompts else None
        return self._transport.send("GET", "/models", query=query).read(list[Model])

    def model(self, name: str) -> Model:
        """One model."""
        return self._transport.send("GET", _path(name)).read(Model)

    def version(self, reference: str) -> ModelVersion:
        """The version that a reference names at this moment."""
        return self._transport.send("GET", version_path(self._transport, reference)).read(
            ModelVersion
        )

    def versions(self, model: str) -> list[ModelVersion]:
        """A model's versions, newest first."""
        return self._transport.send("GET", f"{_path(model)}/versions").read(list[ModelVersion])

    def versions_of(self, artifact_id: str) -> list[ModelVersion]:
        """The versions, of whatever model, whose files are this artifact."""
        path = f"/model-versions/{segment(artifact_id)}"
        return self._transport.send("GET", path).read(list[ModelVersion])

    def set_alias(self, model: str, alias: str, number: int, *, reason: str = "") -> ModelVersion:
        """Point an alias at a version."""
        body = {"number": number, "reason": reason}
        path = f"{_path(model)}/aliases/{segment(alias)}"
        return self._transport.send("PUT", path, body=body).read(ModelVersion)

    def remove_alias(self, model: str, alias: str) -> None:
        """Remove an alias."""
        self._transport.send("DELETE", f"{_path(model)}/aliases/{segment(alias)}")

    def promote(self, reference: str, *, force: bool = False, reason: str = "") -> ModelVersion:
        """Make a version its model's champion."""
        model, rest = parts_of(reference)
        body = {"version": rest or "latest", "force": force, "reason": reason}
        return self._transport.send("POST", f"{_path(model)}/promote", body=body).read(ModelVersion)

    def rollback(self, model: str, *, alias: str = "champion") -> ModelVersion:
        """Point an alias back at the version before."""
        answer = self._transport.send("POST", f"{_path(model)}/rollback", body={"alias": alias})
        return answer.read(ModelVersion)

    def history(self, model: str) -> list[AliasMove]:
        """Where a model's aliases have pointed, oldest first."""
        return self._transport.send("GET", f"{_path(model)}/history").read(list[AliasMove])

    def protect(self, model: str, *, protected: bool) -> Model:
        """Say whether "champion" takes only versions that passed a gate."""
        body = {"protected": protected}
        return self._transport.send("PUT", f"{_path(model)}/protection", body=body).read(Model)

    def compare(self, model: str, references: Sequence[str]) -> Comparison:
        """Versions of one model side by side."""
        answer = self._transport.send(
            "GET", f"{_path(model)}/compare", query={"version": list(references)}
        )
        return answer.read(Comparison)

    def holdouts(self, model: str) -> list[Holdout]:
        """On which rows the metrics of a model's versions were measured, newest first."""
        return self._transport.send("GET", f"{_path(model)}/holdouts").read(list[Holdout])

    def download(self, reference: str) -> Iterator[bytes]:
        """A version's model folder as a zip archive, chunk by chunk."""
        return self._transport.stream(f"{version_path(self._transport, reference)}/download")


def _path(model: str) -> str:
    return f"/models/{segment(model)}"
