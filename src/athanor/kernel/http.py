"""What every room's `routes.py` needs of the web: the caller, and the service to call."""

from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request

from athanor.kernel.permissions import Principal

S = TypeVar("S")


def _caller(request: Request) -> Principal:
    """Who calls, as the doors of the app found out."""
    return cast("Principal", request.state.who)


Caller = Annotated[Principal, Depends(_caller)]
"""A route's parameter: who calls."""


def provide(service: type[S]) -> Any:  # noqa: ANN401 - an annotation
    """The annotation of a route's parameter that receives this service: `X = provide(X)`."""

    def find(request: Request) -> S:
        return cast("S", request.app.state.services[service])

    return Annotated[service, Depends(find)]
