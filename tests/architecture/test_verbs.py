"""What a service can do, everybody can ask for: by HTTP and by the SDK, and never unasked."""

import ast
from functools import cache

from tests.architecture import exceptions, house


@cache
def _names_used_in_routes(room: str) -> frozenset[str]:
    return frozenset(
        node.attr
        for file in house.part(room, "routes")
        for node in ast.walk(house.parsed(file))
        if isinstance(node, ast.Attribute)
    )


@cache
def _client_methods(room: str) -> frozenset[str]:
    return frozenset(
        method.name
        for file in house.part(room, "client")
        for node in house.classes(house.parsed(file))
        for method in house.public_methods(node)
    )


def _asks_first(verb: house.Verb) -> bool:
    """Whether the first line is `self._access.require(who, ...)`."""
    first = next(iter(house.without_docstring(verb.node.body)), None)
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Call):
        return False
    call = first.value
    return (
        ast.unparse(call.func) == "self._access.require"
        and bool(call.args)
        and ast.unparse(call.args[0]) == "who"
    )


def _compare(found: dict[str, str], allowed: dict[str, str]) -> None:
    assert {name: at for name, at in found.items() if name not in allowed} == {}
    assert sorted(set(allowed) - set(found)) == [], "an exception that is no longer needed"


def _places(verbs: list[house.Verb]) -> dict[str, str]:
    return {verb.full_name: house.place(verb.file, verb.node.lineno) for verb in verbs}


def test_every_verb_is_reachable_by_a_route() -> None:
    unreached = [
        verb for verb in house.verbs() if verb.name not in _names_used_in_routes(verb.room)
    ]
    _compare(_places(unreached), exceptions.NOT_REACHABLE_BY_ROUTE)


def test_every_verb_is_reachable_by_the_client() -> None:
    unreached = [verb for verb in house.verbs() if verb.name not in _client_methods(verb.room)]
    _compare(_places(unreached), exceptions.NOT_REACHABLE_BY_CLIENT)


def test_every_verb_asks_for_permission_first() -> None:
    unasked = [verb for verb in house.verbs() if not _asks_first(verb)]
    _compare(_places(unasked), exceptions.ASKS_LATER)


def test_every_exception_has_a_reason() -> None:
    every = (
        exceptions.NOT_REACHABLE_BY_ROUTE
        | exceptions.NOT_REACHABLE_BY_CLIENT
        | exceptions.ASKS_LATER
    )
    assert [name for name, reason in every.items() if len(reason.split()) < 4] == []
