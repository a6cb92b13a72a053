"""The API's app: rooms' routes stand on a shelf, and are taken from it when first asked for."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from athanor.app.wiring.routes import ROUTES, all_routers, routers_of
from athanor.kernel.http import operation_id
from athanor.kernel.transport import PREFIX

_BEHIND: Final = len(PREFIX) + 1
_FAILURE: Final = {
    "title": "Failure",
    "description": "What went wrong, where, and what to do about it.",
    "type": "object",
    "required": ["error", "status", "message", "hint", "details"],
    "properties": {
        "error": {"type": "string", "description": "Its name for programs: dataset_not_found."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "message": {"type": "string"},
        "hint": {"type": "string", "description": "What to do about it; may be empty."},
        "details": {"type": "object", "additionalProperties": True},
    },
}
"""What `kernel.errors.error_to_dict` writes."""


class Shelf(BaseRoute):
    """All routes of the rooms: those whose paths begin alike are loaded together."""

    def __init__(self) -> None:
        self._loaded: dict[str, APIRouter] = {}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take what begins as a room's path does."""
        if scope["type"] == "http" and _part(scope["path"]) in ROUTES:
            return Match.FULL, {"endpoint": self}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to its routes; the first one waits until they are loaded."""
        part = _part(scope["path"])
        router = self._loaded.get(part)
        if router is None:
            router = await run_in_threadpool(_gathered, part)
            self._loaded[part] = router
        try:
            await router(scope, receive, send)
        except HTTPException as refused:
            if refused.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
                raise
            # Starlette names the methods of one route; several share a path.
            here = [each for each in router.routes if each.matches(scope)[0] is not Match.NONE]
            allowed = {
                name for each in here if isinstance(each, Route) for name in each.methods or ()
            }
            allow = {"Allow": ", ".join(sorted(allowed))}
            raise HTTPException(refused.status_code, headers=allow) from None


class Api(FastAPI):
    """FastAPI over a shelf: its description loads and tells every room's routes."""

    def __init__(self, version: str) -> None:
        super().__init__(
            title="Athanor",
            version=version,
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            generate_unique_id_function=operation_id,
        )
        self.router.routes.append(Shelf())

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 description of all routes, made once."""
        if self.openapi_schema is None:
            rooms = [route for router in all_routers() for route in router.routes]
            self.openapi_schema = get_openapi(
                title=self.title, version=self.version, routes=[*rooms, *self.routes]
            )
            _tell_failures(self.openapi_schema)
        return self.openapi_schema


def _tell_failures(description: dict[str, Any]) -> None:
    """Every operation fails in one form, and never in FastAPI's own."""
    schemas = description["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Failure"] = _FAILURE
    told = {
        "description": "It failed",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
    }
    for methods in description["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = told


def _part(path: str) -> str:
    if not path.startswith(PREFIX):
        return ""
    return path[_BEHIND:].partition("/")[0]


def _gathered(part: str) -> APIRouter:
    together = APIRouter()
    for router in routers_of(part):
        together.routes.extend(router.routes)
    return together
