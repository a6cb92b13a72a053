"""Every failure has a name, a status and a way out."""

import ast
import importlib
import inspect
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from athanor.kernel.errors import KINDS, AthanorError
from tests.architecture import house

KIND_NAMES = {kind.__name__ for kind in KINDS}


@cache
def _error_classes() -> list[tuple[Path, ast.ClassDef]]:
    return list(_found_error_classes())


def _found_error_classes() -> Iterator[tuple[Path, ast.ClassDef]]:
    """Every class of the source that descends from AthanorError, by the names of its bases."""
    known = KIND_NAMES | {"AthanorError"}
    every = [
        (file, node)
        for file in house.python_files()
        for node in house.classes(house.parsed(file))
        if node.name not in known
    ]
    grew = True
    while grew:
        grew = False
        for file, node in every:
            bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
            if node.name not in known and bases & known:
                known.add(node.name)
                grew = True
                yield file, node


def _loaded(file: Path, node: ast.ClassDef) -> type[AthanorError]:
    kind: type[AthanorError] = getattr(importlib.import_module(house.module_of(file)), node.name)
    assert issubclass(kind, AthanorError)
    return kind


def _sample(annotation: Any) -> Any:
    """A plausible argument for a parameter of an error's constructor."""
    plain = {
        str: "thing",
        int: 3,
        float: 0.5,
        bool: True,
        bytes: b"thing",
        Path: Path("thing"),
        datetime: datetime(2026, 1, 1, tzinfo=UTC),
        BaseException: ValueError("cause"),
        Exception: ValueError("cause"),
    }
    if annotation in plain:
        return plain[annotation]
    kind = typing.get_origin(annotation) or annotation
    items = [_sample(item) for item in typing.get_args(annotation) if item is not ...]
    if kind is typing.Literal:
        return typing.get_args(annotation)[0]
    if not items:
        return _record(kind) if isinstance(kind, type) and kind not in {object, Any} else "thing"
    if kind in {dict, Mapping}:
        return {items[0]: items[1]}
    if kind in {tuple, set, frozenset}:
        return kind(items)
    return items if kind in {list, Sequence, Iterable, Collection} else items[0]


def _record(kind: type) -> Any:
    return kind(**_arguments(kind))


def _arguments(kind: type) -> dict[str, Any]:
    """What a constructor can't be called without."""
    hints = typing.get_type_hints(getattr(kind, "__init__"))  # noqa: B009 - of a class, not of one of its instances
    required = (
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    )
    return {name: _sample(hints.get(name, str)) for name in required}


ERRORS = [
    pytest.param(file, node, id=f"{house.module_of(file)}.{node.name}")
    for file, node in _error_classes()
]


@pytest.mark.parametrize(("file", "node"), ERRORS)
def test_every_error_has_a_status(file: Path, node: ast.ClassDef) -> None:
    kind = _loaded(file, node)
    assert 400 <= kind.status < 600
    chosen = any("status" in vars(parent) for parent in kind.__mro__[: -len(AthanorError.__mro__)])
    assert chosen, "descend from a kind that has a status, or state one"
    assert kind.__doc__, "say when it is raised"


@pytest.mark.parametrize(("file", "node"), ERRORS)
def test_every_error_says_what_to_do(file: Path, node: ast.ClassDef) -> None:
    kind = _loaded(file, node)
    if not _has_constructor(node):
        return  # its hint is given where it is raised: the next test looks there
    try:
        error = kind(**_arguments(kind))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # Its arguments are too particular to make up: read the constructor instead.
        assert "hint=" in ast.unparse(node), "say what to do next"
        return
    assert error.message.strip(), "say what happened, to which thing"
    assert error.hint.strip(), "say what to do next"


def test_what_has_no_constructor_of_its_own_is_given_a_hint_where_it_is_made() -> None:
    own = {node.name for _, node in _error_classes() if _has_constructor(node)}
    bare = {node.name for _, node in _error_classes()} - own | KIND_NAMES
    silent = [
        house.place(file, node.lineno)
        for file in house.python_files()
        for node in ast.walk(house.parsed(file))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in bare
        and not {"hint", None} & {keyword.arg for keyword in node.keywords}
    ]
    assert silent == []


def _has_constructor(node: ast.ClassDef) -> bool:
    """Whether the class, or a named ancestor in the source, makes its own message and hint."""
    if any(item.name == "__init__" for item in node.body if isinstance(item, ast.FunctionDef)):
        return True
    bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
    return any(parent.name in bases and _has_constructor(parent) for _, parent in _error_classes())
