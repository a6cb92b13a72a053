"""What every room's `routes.py` needs of the web: the caller, and the service to call."""

from typing import Annotated, Any, cast

from fastapi import Depends, Request

from athanor.kernel.permissions import Principal


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
