"""Exports of endpoints over HTTP."""

from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import PlainTextResponse, StreamingResponse

from athanor.kernel.http import Caller, provide, room_router
from athanor.serving.service.exports import Exports
from athanor.serving.types.exports import ExampleRow, ManifestRequest

router = room_router("serving")
TheExports = Annotated[Exports, provide(Exports)]


@router.get("/endpoints/{name}/export", response_class=StreamingResponse)
def export(
    name: str,
    who: Caller,
    exports: TheExports,
    kind: str = "folder",
    deployment: int | None = None,
) -> StreamingResponse:
    """A zip archive that serves the endpoint's model without the platform."""
    pieces = exports.export(who, name, kind, deployment)
    headers = {
        "content-disposition": f'attachment; filename="{name}-{kind}.zip"',
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.get("/endpoints/{name}/manifest", response_class=PlainTextResponse)
def manifest(  # noqa: PLR0917 - one parameter a part of the request
    name: str,
    who: Caller,
    exports: TheExports,
    kind: str = "kubernetes",
    image: str = "",
    namespace: str = "",
    min_replicas: int = 1,
    max_replicas: int = 4,
    resources: Annotated[str, Query(description="cpu,memory: 500m,512Mi")] = "500m,512Mi",
) -> PlainTextResponse:
    """YAML for Kubernetes, KServe or Seldon."""
    cpu, _, memory = resources.partition(",")
    request = ManifestRequest(
        kind=kind,
        image=image,
        namespace=namespace,
        min_replicas=min_replicas,
        max_replicas=max_replicas,
        cpu=cpu,
        memory=memory or "512Mi",
    )
    return PlainTextResponse(exports.manifest(who, name, request), media_type="application/yaml")


@router.get("/endpoints/{name}/dashboard")
def dashboard(name: str, who: Caller, exports: TheExports) -> dict[str, Any]:
    """A Grafana dashboard, to be imported."""
    return exports.dashboard(who, name)


@router.get("/endpoints/{name}/example")
def example(name: str, who: Caller, exports: TheExports) -> ExampleRow:
    """A row that the endpoint's model was trained on."""
    return exports.example(who, name)


@router.get("/endpoints/{name}/snippet", response_class=PlainTextResponse)
def snippet(
    name: str, who: Caller, exports: TheExports, language: str = "curl"
) -> PlainTextResponse:
    """A program that asks the endpoint."""
    return PlainTextResponse(exports.snippet(who, name, language))
