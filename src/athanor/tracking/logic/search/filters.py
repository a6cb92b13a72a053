"""Filters of runs, experiments, registered models, their versions and logged models.

What is accepted, what it means and how a refusal is worded is MLflow's (3.17), which clients match;
only what MLflow itself fails on is refused here. Clauses that follow each other without an AND
between them hold together too, as there.
"""

import re
from collections.abc import Callable, Collection

from athanor.tracking.errors import BadSearch
from athanor.tracking.logic.search.clauses import (
    Clause,
    Unit,
    clauses,
    shortened,
    single_statement,
)
from athanor.tracking.logic.search.names import (
    LONGEST_INTEGER,
    Rules,
    Value,
    attribute_value,
    check_list_allowed,
    integer_of,
    listed,
    named,
    narrow_name,
    number_of,
    set_of,
    text_of,
    unquoted,
    wide_name,
)
from athanor.tracking.searches import Comparison, Entity

_NUMERIC = ("=", "!=", "<", "<=", ">", ">=")
_STRING = ("=", "!=", "LIKE", "ILIKE")
_LISTS = ("IN", "NOT IN")
_NULLS = ("IS NULL", "IS NOT NULL")
_ALIASES = {
    "created": "start_time",
    "Created": "start_time",
    "run name": "run_name",
    "Run name": "run_name",
    "Run Name": "run_name",
}
_RUN_KEYS = frozenset(
    {"artifact_uri", "end_time", "run_id", "run_name", "start_time", "status", "user_id"}
) | frozenset(_ALIASES)
_RUN_ORDERS = _RUN_KEYS - {"run name", "Run name", "Run Name"}
_EXPERIMENT_KEYS = frozenset({"name", "experiment_id", "creation_time", "last_update_time"})
_VERSION_KEYS = frozenset({"name", "version_number", "run_id", "source_path"})


_RUNS = Rules(_RUN_KEYS, frozenset({"start_time", "end_time"}), frozenset({"run_id"}))
_EXPERIMENTS = Rules(
    _EXPERIMENT_KEYS, frozenset({"creation_time", "last_update_time"}), frozenset({"experiment_id"})
)
_MODELS = Rules(frozenset({"name"}), frozenset(), frozenset({"name"}))
_VERSIONS = Rules(_VERSION_KEYS, frozenset({"version_number"}), frozenset({"name", "run_id"}))


def run_filter(text: str) -> tuple[Comparison, ...]:
    """The conditions of a filter of runs; `Created` and `run name` under their own keys.

    Raises: BadSearch.
    """
    return _read(text, _of_run)


def experiment_filter(text: str) -> tuple[Comparison, ...]:
    """The conditions of a filter of experiments.

    Raises: BadSearch.
    """
    return _read(text, _of_experiment, quoted=False)


def model_filter(text: str) -> tuple[Comparison, ...]:
    """The conditions of a filter of registered models.

    Raises: BadSearch.
    """
    return _read(text, _of_model, quoted=False)


def version_filter(text: str) -> tuple[Comparison, ...]:
    """The conditions of a filter of model versions.

    Raises: BadSearch.
    """
    return _read(text, _of_version, quoted=False)


def run_order_key(text: str) -> tuple[Entity, str]:
    """What a run is sorted by.

    Raises: BadSearch.
    """
    entity, key = wide_name(text, _RUN_ORDERS)
    if entity == "dataset":
        raise BadSearch(f"Invalid identifier type '{entity}'")
    return entity, _ALIASES.get(key, key)


def narrow_order_key(text: str, attributes: Collection[str]) -> str:
    """What an experiment or a model version is sorted by.

    Raises: BadSearch.
    """
    entity, key = narrow_name(text, attributes)
    if entity != "attribute":
        raise BadSearch(f"Invalid order_by entity: {entity}")
    return key


def _read(
    text: str, judge: Callable[[Clause], Comparison], *, quoted: bool = True
) -> tuple[Comparison, ...]:
    if not text:
        return ()
    if not text.strip():
        raise BadSearch(f"Invalid filter '{shortened(text)}'. Could not be parsed.")
    if not single_statement(text):
        raise BadSearch(
            f"Search filter contained multiple expression {shortened(text)!r}. "
            "Provide AND-ed expression list."
        )
    return tuple(map(judge, clauses(text, quoted=quoted)))


# --- runs ----------------------------------------------------------------------------------------


def _of_run(clause: Clause) -> Comparison:
    name = named(clause)
    entity, key = wide_name(name.text, _RUN_KEYS)
    key = _ALIASES.get(key, key) if entity == "attribute" else key
    if clause.right is None:
        if entity not in {"tag", "parameter"}:
            raise BadSearch(
                "IS NULL / IS NOT NULL is only supported for tags and params, "
                f"not for '{entity}' '{key}'"
            )
        return Comparison(entity=entity, key=key, operator=clause.operator, value=None)
    value = _run_value(entity, key, clause.right)
    _check_run_operator(entity, key, clause.operator, value)
    return Comparison(entity=entity, key=key, operator=clause.operator, value=value)


def _run_value(entity: Entity, key: str, right: Unit) -> Value:
    if entity == "metric":
        if right.kind != "number":
            raise BadSearch(
                f"Expected numeric value type for metric. Found {shortened(right.text)}"
            )
        return float(right.text)
    if entity in {"parameter", "tag"}:
        return text_of(entity, right)
    if entity == "attribute":
        return attribute_value(key, right, _RUNS)
    if right.kind == "list":
        return listed(right)
    if right.kind not in {"text", "name"}:
        raise BadSearch(
            "Expected a quoted string value for dataset attributes. "
            f"Got value {shortened(right.text)}"
        )
    return unquoted(right)


def _check_run_operator(entity: Entity, key: str, operator: str, value: Value) -> None:
    numeric = entity == "metric" or (entity == "attribute" and key in _RUNS.numbers)
    if numeric:
        allowed: tuple[str, ...] = _NUMERIC
    elif entity in {"parameter", "tag"}:
        allowed = _STRING + _NULLS
    else:
        allowed = _STRING + _LISTS
    # A list goes with IN alone, which the grammar gives to nothing else.
    if operator not in allowed or isinstance(value, tuple) != (operator in _LISTS):
        raise BadSearch(f"Invalid comparator '{operator}' not one of '{set_of(allowed)}'")


# --- experiments ---------------------------------------------------------------------------------


def _of_experiment(clause: Clause) -> Comparison:
    name = named(clause)
    entity, key = narrow_name(name.text, _EXPERIMENT_KEYS)
    operator = clause.operator
    if clause.right is None:
        if entity != "tag":
            raise BadSearch(
                f"IS NULL / IS NOT NULL is only supported for tags, not for attribute '{key}'"
            )
        return Comparison(entity=entity, key=key, operator=operator, value=None)
    if entity == "tag":
        value: Value = text_of(entity, clause.right)
        _check_tag_operator(operator)
        return Comparison(entity=entity, key=key, operator=operator, value=value)
    value = attribute_value(key, clause.right, _EXPERIMENTS)
    if key == "experiment_id":
        if operator not in {"=", "!=", *_LISTS} or isinstance(value, tuple) != (operator in _LISTS):
            raise BadSearch(f"Invalid comparator for experiment_id: {operator}")
        for each in value if isinstance(value, tuple) else (value,):
            _check_experiment_id(str(each))
    elif key in _EXPERIMENTS.numbers:
        if operator not in _NUMERIC:
            raise BadSearch(f"Invalid comparator for numeric attribute: {operator}")
        if isinstance(value, float):
            raise BadSearch(f"Invalid value for numeric attribute '{key}': {str(value)!r}")
    elif operator not in _STRING:
        raise BadSearch(f"Invalid comparator '{operator}' not one of '{set_of(_STRING + _LISTS)}'")
    return Comparison(entity=entity, key=key, operator=operator, value=value)


def _check_experiment_id(text: str) -> None:
    if len(text) > LONGEST_INTEGER or not re.fullmatch(r"\s*[+-]?\d+(_\d+)*\s*", text):
        raise BadSearch(
            f"Invalid experiment ID '{shortened(text)}'. Experiment ID must be a valid integer."
        )


# --- registered models and their versions --------------------------------------------------------


def _of_model(clause: Clause) -> Comparison:
    entity, key, right = _registered(clause, _MODELS)
    value = _registered_value(entity, key, right, _MODELS)
    if entity == "tag":
        _check_tag_operator(clause.operator)
    else:
        _check_registered_operator(clause.operator, value)
    return Comparison(entity=entity, key=key, operator=clause.operator, value=value)


def _of_version(clause: Clause) -> Comparison:
    entity, key, right = _registered(clause, _VERSIONS)
    value = _registered_value(entity, key, right, _VERSIONS)
    operator = clause.operator
    if entity == "tag":
        _check_tag_operator(operator)
    elif key in _VERSIONS.numbers:
        if operator not in _NUMERIC:
            raise BadSearch(f"Invalid comparator for attribute {key}: {operator}")
        if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value):
            value = integer_of(key, value)
        if not isinstance(value, int):
            raise BadSearch(f"Invalid value for numeric attribute '{key}': {value!r}")
    else:
        _check_registered_operator(operator, value)
    return Comparison(entity=entity, key=key, operator=operator, value=value)


def _registered(clause: Clause, rules: Rules) -> tuple[Entity, str, Unit]:
    name = named(clause)
    entity, key = narrow_name(name.text, rules.attributes, bare=True)
    if clause.right is None:
        raise BadSearch(
            "IS NULL / IS NOT NULL is not supported for registered models and their versions"
        )
    return entity, key, clause.right


def _registered_value(entity: Entity, key: str, right: Unit, rules: Rules) -> Value:
    if entity == "tag":
        return text_of(entity, right)
    if right.kind in {"text", "name"}:
        return unquoted(right)
    if right.kind == "list":
        check_list_allowed(key, rules)
        return listed(right)
    if right.kind == "number" and rules is _VERSIONS:
        if key not in rules.numbers:
            numbers = set_of(rules.numbers | {"creation_timestamp", "last_updated_timestamp"})
            raise BadSearch(
                f"Only the '{numbers}' attributes support comparison with numeric values."
            )
        return number_of(key, right)
    raise BadSearch(
        "Expected a quoted string value or a list of quoted string values for attributes. "
        f"Got value {shortened(right.text)}"
    )


def _check_registered_operator(operator: str, value: Value) -> None:
    if operator not in _STRING + _LISTS or isinstance(value, tuple) != (operator in _LISTS):
        raise BadSearch(f"Invalid comparator for attribute: {operator}")


def _check_tag_operator(operator: str) -> None:
    if operator not in _STRING:
        raise BadSearch(f"Invalid comparator for tag: {operator}")
