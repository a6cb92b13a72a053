"""Definitions written as Python: sources and on-demand features from functions."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from athanor.features.errors import BadView
from athanor.features.types import (
    Definitions,
    Entity,
    FeatureService,
    FeatureView,
    Field,
    OnDemandView,
    ViewSource,
)

Definition = Entity | FeatureView | OnDemandView | FeatureService


def python_source(function: Callable[..., Any], inputs: Iterable[str]) -> ViewSource:
    """A view's source by a function that takes the datasets as DataFrames and returns one.

    It has to import what it uses itself, and may not use what stands outside of it.
    Raises: BadView, where there is no source at hand.
    """
    return ViewSource(
        kind="python",
        code=_source_of(function),
        function=function.__name__,
        inputs=tuple(inputs),
    )


def on_demand_view(
    *,
    features: Mapping[str, str],
    inputs: Iterable[str] = (),
    request: Mapping[str, str] | None = None,
    name: str = "",
    **about: Any,
) -> Callable[[Callable[[dict[str, Any]], dict[str, Any]]], OnDemandView]:
    """Make an on-demand view of a function of one row: `features` and `request` are name to type.

    The function is given a dict of the inputs and returns a dict of the features.
    """

    def made(function: Callable[[dict[str, Any]], dict[str, Any]]) -> OnDemandView:
        return OnDemandView(
            name=name or function.__name__,
            inputs=tuple(inputs),
            request=_fields(request or {}),
            features=_fields(features),
            code=_source_of(function),
            description=about.pop("description", inspect.getdoc(function) or ""),
            **about,
        )

    return made


def collected(items: Iterable[object]) -> Definitions:
    """The definitions among any objects, each once."""
    found = {id(item): item for item in items if isinstance(item, Definition)}
    every = list(found.values())
    return Definitions(
        entities=tuple(item for item in every if isinstance(item, Entity)),
        views=tuple(item for item in every if isinstance(item, FeatureView)),
        on_demand=tuple(item for item in every if isinstance(item, OnDemandView)),
        services=tuple(item for item in every if isinstance(item, FeatureService)),
    )


def _fields(types: Mapping[str, Any]) -> tuple[Field, ...]:
    return tuple(Field(name=name, type=kind) for name, kind in types.items())


def _source_of(function: Callable[..., Any]) -> str:
    try:
        text = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise BadView(
            getattr(function, "__name__", "function"), f"its source is not at hand: {error}"
        ) from None
    node = ast.parse(text).body[0]
    if not isinstance(node, ast.FunctionDef):
        raise BadView("function", "it is not a plain function.")
    node.decorator_list = []
    return ast.unparse(node) + "\n"
