"""Filters of logged models: a grammar of their own, with entities always in the plural."""

import re

from athanor.tracking.errors import BadSearch
from athanor.tracking.logic.search.clauses import (
    Clause,
    check_characters,
    clauses,
    shortened,
    single_statement,
)
from athanor.tracking.logic.search.names import Value, bare_key, listed, number_of, set_of
from athanor.tracking.searches import Comparison, Entity

_NUMERIC = ("<", "<=", ">", ">=", "=", "!=")
_STRING = ("=", "!=", "LIKE", "ILIKE", "IN", "NOT IN")
_ALIASES = {
    "creation_time": "creation_timestamp",
    "creation_timestamp_ms": "creation_timestamp",
    "last_updated_time": "last_updated_timestamp",
    "last_updated_timestamp_ms": "last_updated_timestamp",
}
_NUMBERS = frozenset({"creation_timestamp", "last_updated_timestamp"})
_KEYS = _NUMBERS | {
    "artifact_location",
    "experiment_id",
    "lifecycle_stage",
    "model_id",
    "model_type",
    "name",
    "source_run_id",
    "status",
    "status_message",
}
_NAME = re.compile(r"([a-z]+)\.(.+)", re.DOTALL)
_ENTITIES: dict[str, Entity] = {
    "attributes": "attribute",
    "metrics": "metric",
    "params": "parameter",
    "tags": "tag",
}
_LABELS = {entity: label for label, entity in _ENTITIES.items()}


def logged_model_filter(text: str) -> tuple[Comparison, ...]:
    """The conditions of a filter of logged models.

    Raises: BadSearch.
    """
    if not text:
        return ()
    single = text.strip() and single_statement(text)
    if not single:
        raise BadSearch(
            f"Invalid filter string: {shortened(text)!r}. Expected a single SQL expression."
        )
    check_characters(text, "filter")
    try:
        found = clauses(text, quoted=True)
    except BadSearch as error:
        if not error.message.startswith("Invalid clause"):
            raise
        raise BadSearch(
            f"Invalid filter string: {shortened(text)!r}. Expected a list of comparisons "
            "separated by 'AND' (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01')."
        ) from error
    return tuple(map(_of_logged_model, found))


def logged_model_attribute(key: str) -> str | None:
    """A logged model's attribute by any of its names."""
    key = _ALIASES.get(key, key)
    return key if key in _KEYS else None


def _of_logged_model(clause: Clause) -> Comparison:
    left, operator, right = clause.left, clause.operator, clause.right
    if right is None:
        raise BadSearch(
            f"Invalid comparison: {shortened(left.text)} {operator}. "
            "Expected a comparison with 3 tokens."
        )
    entity, key = _logged_name(left.text)
    numeric = entity == "metric" or (entity == "attribute" and key in _NUMBERS)
    allowed = _NUMERIC if numeric else _STRING
    is_list = right.kind == "list"
    if operator not in allowed or (is_list and operator not in {"IN", "NOT IN"}):
        raise BadSearch(
            f"Invalid comparison operator for {_LABELS[entity]}.{key}: {operator!r}. "
            f"Expected one of {allowed}."
        )
    if numeric:
        if right.kind != "number":
            raise BadSearch(
                f"Expected a number for {_LABELS[entity]}.{key}. Found {shortened(right.text)}"
            )
        value: Value = float(right.text) if entity == "metric" else number_of(key, right)
    elif is_list:
        value = listed(right)
    elif right.kind in {"text", "name"} and right.text[0] in "'\"":
        value = right.text[1:-1]
    else:
        value = right.text
    return Comparison(entity=entity, key=key, operator=operator, value=value)


def _logged_name(text: str) -> tuple[Entity, str]:
    found = _NAME.fullmatch(text)
    if found is None:
        key = logged_model_attribute(bare_key(text))
        if key is None:
            raise BadSearch(
                f"Invalid attribute key '{shortened(text)}' specified. "
                f"Valid keys are '{set_of(_KEYS)}'"
            )
        return "attribute", key
    entity = _ENTITIES.get(found[1])
    if entity is None:
        raise BadSearch(
            f"Invalid entity type: {shortened(found[1])!r}. Expected one of {sorted(_ENTITIES)}."
        )
    return (entity, bare_key(found[2])) if entity != "attribute" else _logged_name(found[2])
