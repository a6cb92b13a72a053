"""Models, versions and aliases over HTTP."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from athanor.kernel.http import Caller, provide, room_router
from athanor.registry.routes.exchange import attachment, received
from athanor.registry.service import Models
from athanor.registry.types import (
    AliasMove,
    Model,
    ModelVersion,
    NewModelVersion,
    Upload,
)

router = room_router("registry")
TheModels = Annotated[Models, provide(Models)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasTarget:
    """Where an alias is to point."""

    number: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """Which version is to be the champion."""

    version: str
    """A number or an alias."""
    force: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """Which alias is to go back."""

    alias: str = "champion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Whether "champion" takes only what passed a gate."""

    protected: bool


@router.get("/models")
def models(who: Caller, registry: TheModels, *, prompts: bool = False) -> list[Model]:
    """All models; with `prompts` also those by which MLflow keeps prompts."""
    return registry.models(who, prompts=prompts)


@router.get("/models/{name}")
def model(name: str, who: Caller, registry: TheModels) -> Model:
    """One model."""
    return registry.model(who, name)


@router.post("/models", status_code=201)
def register(new: NewModelVersion, who: Caller, registry: TheModels) -> ModelVersion:
    """Give a model artifact the model's next number."""
    return registry.register(who, new)


@router.put("/models/{name}/upload", status_code=201)
async def upload(
    name: str, request: Request, who: Caller, registry: TheModels, *, run: str | None = None
) -> ModelVersion:
    """Take in a packed MLflow model folder (a zip archive) as the next version."""
    with TemporaryDirectory(prefix="athanor-upload-") as place:
        archive = await received(request, Path(place) / "model.zip")
        new = Upload(model=name, archive=archive, run_id=run)
        return await run_in_threadpool(registry.upload, who, new)


@router.get("/models/{name}/versions")
def versions(name: str, who: Caller, registry: TheModels) -> list[ModelVersion]:
    """A model's versions, newest first."""
    return registry.versions(who, name)


@router.get("/model-versions/{artifact}")
def versions_of(artifact: str, who: Caller, registry: TheModels) -> list[ModelVersion]:
    """The versions, of whatever model, whose files are this artifact."""
    return registry.versions_of(who, artifact)


@router.get("/models/{name}/versions/{version}")
def version(name: str, version: str, who: Caller, registry: TheModels) -> ModelVersion:
    """One version, by number, alias or `latest`."""
    return registry.version(who, f"{name}@{version}")


@router.get("/models/{name}/versions/{version}/download", response_class=StreamingResponse)
def download(name: str, version: str, who: Caller, registry: TheModels) -> StreamingResponse:
    """A version's model folder as a zip archive."""
    found = registry.version(who, f"{name}@{version}")
    return StreamingResponse(
        registry.download(who, found.reference),
        media_type="application/zip",
        headers=attachment(f"{found.model}-{found.number}.zip"),
    )


@router.put("/models/{name}/aliases/{alias}")
def set_alias(
    name: str, alias: str, target: AliasTarget, who: Caller, registry: TheModels
) -> ModelVersion:
    """Point an alias at a version."""
    return registry.set_alias(who, name, alias, target.number, reason=target.reason)


@router.delete("/models/{name}/aliases/{alias}", status_code=204)
def remove_alias(name: str, alias: str, who: Caller, registry: TheModels) -> None:
    """Remove an alias."""
    registry.remove_alias(who, name, alias)


@router.post("/models/{name}/promote")
def promote(name: str, body: Promotion, who: Caller, registry: TheModels) -> ModelVersion:
    """Make a version the champion."""
    return registry.promote(who, f"{name}@{body.version}", force=body.force, reason=body.reason)


@router.post("/models/{name}/rollback")
def rollback(name: str, body: Rollback, who: Caller, registry: TheModels) -> ModelVersion:
    """Point an alias back at the version before."""
    return registry.rollback(who, name, alias=body.alias)


@router.get("/models/{name}/history")
def history(name: str, who: Caller, registry: TheModels) -> list[AliasMove]:
    """Where the aliases have pointed, oldest first."""
    return registry.history(who, name)


@router.put("/models/{name}/protection")
def protect(name: str, body: Protection, who: Caller, registry: TheModels) -> Model:
    """Say whether "champion" takes only versions that passed a gate."""
    return registry.protect(who, name, protected=body.protected)
