"""What every room's `routes.py` needs of the web: its router, the caller, the service to call."""

from dataclasses import fields, is_dataclass
from typing import Annotated, Any, cast, get_args, get_type_hints

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute

from athanor.kernel.permissions import Principal
from athanor.kernel.transport import PREFIX


def _caller(request: Request) -> Principal:
    """Who calls, as the doors of the app found out."""
    return cast("Principal", request.state.who)


Caller = Annotated[Principal, Depends(_caller)]
"""The type of a route's parameter that is the one who calls."""


def provide(service: type) -> Any:
    """What a route's parameter of this service is filled by.

    Write `TheModels = Annotated[Models, provide(Models)]` once a room.
    """

    def find(request: Request) -> object:
        return request.app.state.services[service]

    return Depends(find)


def room_router(*tags: str, prefix: str = "") -> APIRouter:
    """A router for routes of a room, whose paths begin with `/api/v1` and the prefix.

    Bodies are taken as they are declared: a field that is not there is refused by name, so that a
    mistyped one is never silently without effect.
    """
    return APIRouter(
        tags=[*tags],
        prefix=PREFIX + prefix,
        route_class=_StrictRoute,
        generate_unique_id_function=operation_id,
    )


def operation_id(route: Any) -> str:
    """A route's name in the API's description: unique, and the name of the clients' method."""
    tag = route.tags[0] if route.tags else "platform"
    # Where a room's routes are a folder, each of its files may have a `delete` of its own.
    _, _, part = route.endpoint.__module__.partition(".routes.")
    return "_".join(name for name in (tag, part, route.name) if name)


class _StrictRoute(APIRoute):
    """A route whose bodies have no other fields than the declared ones."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        hints = get_type_hints(endpoint, include_extras=True)
        hints.pop("return", None)
        for hint in hints.values():
            _close(hint)
        super().__init__(path, endpoint, **options)


def _close(hint: Any) -> None:
    """Let Pydantic refuse unknown fields of a dataclass, and of those that it holds."""
    if isinstance(hint, type) and is_dataclass(hint):
        if "__pydantic_config__" in vars(hint):
            return
        hint.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
        types = get_type_hints(hint, include_extras=True)
        for field in fields(hint):
            _close(types[field.name])
        return
    for part in get_args(hint):
        _close(part)
