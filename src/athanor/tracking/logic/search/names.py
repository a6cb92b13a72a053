"""The names and values of comparisons: which thing a name means, and what a value is."""

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from athanor.tracking.errors import BadSearch
from athanor.tracking.logic.search.clauses import Clause, Unit, shortened
from athanor.tracking.searches import Entity

Value = str | int | float | tuple[str, ...]

_ENTITIES: dict[str, Entity] = {
    "metric": "metric",
    "metrics": "metric",
    "parameter": "parameter",
    "parameters": "parameter",
    "param": "parameter",
    "params": "parameter",
    "tag": "tag",
    "tags": "tag",
    "attribute": "attribute",
    "attributes": "attribute",
    "attr": "attribute",
    "run": "attribute",
    "dataset": "dataset",
    "datasets": "dataset",
}
_NARROW: dict[str, Entity] = {"attribute": "attribute", "tag": "tag", "tags": "tag"}
_DATASET_KEYS = frozenset({"name", "digest", "context"})
_LISTED = re.compile(r"""\s*(?:'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|(,)|(.))""", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\n": ""}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MOST_LISTED = 10_000
_BEYOND = 1e30
"""Stands for 1e400 and more where a time or a number is meant: beyond what any column holds."""
LONGEST_INTEGER = 4_000
"""Digits; Python itself refuses a little more."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What may stand in a filter of one kind of thing."""

    attributes: frozenset[str]
    numbers: frozenset[str]
    lists: frozenset[str]
    """Attributes that take IN and NOT IN."""


def named(clause: Clause) -> Unit:
    """The left side, which has to be a name."""
    if clause.left.kind != "name":
        raise BadSearch(
            "Invalid comparison clause. Expected 'Identifier' found "
            f"'{shortened(clause.left.text)}'"
        )
    return clause.left


def wide_name(text: str, attributes: Collection[str]) -> tuple[Entity, str]:
    """A name in a filter of runs: any entity, attributes also bare."""
    before, dot, after = text.partition(".")
    kind = before[1:-1] if len(before) > 1 and before[0] == before[-1] == "`" else before
    kind, key = (kind, after) if dot else ("attribute", before)
    entity = _ENTITIES.get(kind)
    if entity is None:
        raise BadSearch(
            f"Invalid entity type '{shortened(kind)}'. Valid values are "
            "['metric', 'parameter', 'tag', 'attribute', 'dataset']"
        )
    key = bare_key(key)
    valid = {"attribute": attributes, "dataset": _DATASET_KEYS}.get(entity)
    if valid is not None and key not in valid:
        raise BadSearch(
            f"Invalid {entity} key '{shortened(key)}' specified. Valid keys are '{set_of(valid)}'"
        )
    return entity, key


def narrow_name(
    text: str, attributes: Collection[str], *, bare: bool = False
) -> tuple[Entity, str]:
    """A name of attributes and tags alone; where `bare`, quotes make an attribute another."""
    before, dot, after = text.partition(".")
    entity: Entity | None = "attribute"
    key = before
    if dot:
        entity, key = _NARROW.get(before), after
    if entity is None:
        raise BadSearch(
            f"Invalid entity type '{shortened(before)}'. "
            f"Valid entity types are {('attribute', 'tag', 'tags')}"
        )
    stripped = bare_key(key)
    if entity == "attribute" and (key if bare else stripped) not in attributes:
        raise BadSearch(
            f"Invalid attribute key '{shortened(key)}' specified. "
            f"Valid keys are '{set_of(attributes)}'"
        )
    return entity, stripped


def bare_key(key: str) -> str:
    """A key without its quotes."""
    for quotes in ("'\"", "`"):
        if len(key) > 1 and key[0] == key[-1] and key[0] in quotes:
            key = key[1:-1]
    return key


def attribute_value(key: str, right: Unit, rules: Rules) -> Value:
    """What an attribute is compared with: a number, a text, or a list where it takes one."""
    if key in rules.numbers:
        if right.kind != "number":
            raise BadSearch(
                f"Expected numeric value type for numeric attribute: {key}. "
                f"Found {shortened(right.text)}"
            )
        return number_of(key, right)
    if right.kind in {"text", "name"}:
        return unquoted(right)
    if right.kind == "list":
        check_list_allowed(key, rules)
        return listed(right)
    raise BadSearch(
        f"Expected a quoted string value for attributes. Got value {shortened(right.text)}"
    )


def number_of(key: str, right: Unit) -> int | float:
    """A number: an integer as it stands, anything else as a finite float."""
    if not set(right.text) & set(".eE"):
        return integer_of(key, right.text)
    value = float(right.text)
    return value if math.isfinite(value) else int(math.copysign(_BEYOND, value))


def integer_of(key: str, text: str) -> int:
    """An integer of any size that Python reads."""
    if len(text) > LONGEST_INTEGER:
        raise BadSearch(f"Invalid value for numeric attribute '{key}': {shortened(text)!r}")
    return int(text)


def text_of(entity: Entity, right: Unit) -> str:
    """What a tag or a parameter is compared with."""
    if right.kind not in {"text", "name"}:
        raise BadSearch(
            f"Expected a quoted string value for {entity} (e.g. 'my-value'). "
            f"Got value {shortened(right.text)}"
        )
    return unquoted(right)


def unquoted(right: Unit) -> str:
    """A text without its quotes; doubled and escaped ones in it stay as they are."""
    text = right.text
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    raise BadSearch(
        "Parameter value is either not quoted or unidentified quote types used for string value "
        f"{shortened(text)}. Use either single or double quotes."
    )


def check_list_allowed(key: str, rules: Rules) -> None:
    """Refuse a list for an attribute that takes none."""
    if key not in rules.lists:
        raise BadSearch(
            f"Only {sorted(rules.lists)} attributes support comparison with a list of quoted "
            "string values."
        )


def listed(right: Unit) -> tuple[str, ...]:
    """The values of a list; neighbours without a comma are one, as in Python."""
    values: list[str] = []
    joined = False
    for single, double, comma, other in _LISTED.findall(right.text[1:-1].rstrip()):
        if other.isdigit():
            raise BadSearch(
                "While parsing a list in the query, expected string value, punctuation, or "
                f"whitespace, but got different type in list: {shortened(right.text)}"
            )
        if other or (comma and not joined):
            raise BadSearch(
                "While parsing a list in the query, expected a non-empty list of string values, "
                "but got ill-formed list."
            )
        if comma:
            joined = False
            continue
        value = _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), single or double)
        if joined:
            values[-1] += value
        else:
            values.append(value)
        joined = True
    if not values:
        raise BadSearch(
            "While parsing a list in the query, expected a non-empty list of string values, "
            "but got empty list"
        )
    if len(values) > _MOST_LISTED:
        raise BadSearch(f"A list holds at most {_MOST_LISTED:,} values; this has {len(values):,}")
    return tuple(values)


def set_of(names: Iterable[str]) -> str:
    """Names as Python prints a set of them, sorted."""
    return "{" + ", ".join(f"'{name}'" for name in sorted(names)) + "}"
