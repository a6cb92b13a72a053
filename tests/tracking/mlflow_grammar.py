"""MLflow's own reading of filters and orders: run by MLflow's interpreter, never by ours.

Reads a list of [subject, text] as JSON from its input and prints a list of answers: the parsed
form, or null where MLflow refuses the text (or fails on it).
"""

# mypy: disable-error-code="no-untyped-call,unreachable,attr-defined,arg-type"
import json
import sys
from typing import Any

from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
from mlflow.store.tracking import sqlalchemy_store as tracking
from mlflow.store.tracking.dbmodels.models import SqlLoggedModel
from mlflow.utils.search_logged_model_utils import EntityType, parse_filter_string
from mlflow.utils.search_utils import (
    SearchExperimentsUtils,
    SearchModelUtils,
    SearchModelVersionUtils,
    SearchUtils,
)

_ALIASES = SearchUtils.translate_key_alias


class _Store:
    """As much of a registry's store as its filters need."""

    def _get_workspace_clauses(self, *_: object) -> list[object]:
        return []

    def _is_querying_prompt(self, *_: object) -> bool:
        return True


def _plain(parsed: list[dict[str, Any]]) -> list[list[Any]]:
    return [
        [
            each["type"],
            # MLflow renames a tag that is called Created, too: no caller can want that.
            _ALIASES(each["key"]) if each["type"] == "attribute" else each["key"],
            each["comparator"].upper(),
            float(each["value"]) if each["type"] == "metric" else each["value"],
        ]
        for each in parsed
    ]


class _Session:
    """What builds a query without a database."""

    def query(self, *entities: Any) -> Any:
        from sqlalchemy.orm import Query  # noqa: PLC0415 - beside its only use

        return Query(entities)


def _check_lists(parsed: list[dict[str, Any]]) -> None:
    """What MLflow refuses, or fails on, no sooner than in its database."""
    for each in parsed:
        if (each["comparator"].upper() in {"IN", "NOT IN"}) != isinstance(each["value"], tuple):
            message = "a list goes with IN alone"
            raise ValueError(message)


def _runs(text: str) -> Any:
    parsed = SearchUtils.parse_search_filter(text)
    _check_lists(parsed)
    tracking._get_sqlalchemy_filter_clauses(parsed, _Session(), "sqlite")
    return _plain(parsed)


def _experiments(text: str) -> Any:
    parsed = SearchExperimentsUtils.parse_search_filter(text)
    tracking._get_search_experiments_filter_clauses(parsed, "sqlite")
    return _plain(parsed)


def _models(text: str) -> Any:
    parsed = SearchModelUtils.parse_search_filter(text)
    _check_lists(parsed)
    Registry._get_search_registered_model_filter_query(_Store(), None, parsed, "sqlite")
    return _plain(parsed)


def _versions(text: str) -> Any:
    parsed = SearchModelVersionUtils.parse_search_filter(text)
    _check_lists(parsed)
    Registry._get_search_model_versions_filter_clauses(_Store(), parsed, "sqlite")
    for each in parsed:
        if each["type"] == "attribute" and each["key"] == "version_number":
            each["value"] = int(each["value"])
    return _plain(parsed)


def _logged(text: str) -> Any:
    answer = []
    for each in parse_filter_string(text):
        if isinstance(each.value, tuple) and each.op not in {"IN", "NOT IN"}:
            return None
        if each.entity.type is EntityType.ATTRIBUTE:
            # `attributes.creation_timestamp` is renamed without its entity alone.
            each.entity.key = SqlLoggedModel.ALIASES.get(each.entity.key, each.entity.key)
            getattr(SqlLoggedModel, each.entity.key)
        kinds = {"attributes": "attribute", "metrics": "metric", "params": "parameter"}
        kind = kinds.get(each.entity.type.value, "tag")
        answer.append([kind, each.entity.key.removesuffix("_ms"), each.op, each.value])
    return answer


def _run_order(text: str) -> Any:
    tracking._get_orderby_clauses([text], _Session())
    kind, key, ascending = SearchUtils.parse_order_by_for_search_runs(text)
    return [kind, SearchUtils.translate_key_alias(key), ascending]


def _experiment_order(text: str) -> Any:
    tracking._get_search_experiments_order_by_clauses([text])
    return SearchExperimentsUtils.parse_order_by_for_search_experiments(text)


def _model_order(text: str) -> Any:
    key, ascending = SearchUtils.parse_order_by_for_search_registered_models(text)
    names = {"timestamp": "last_updated_timestamp"}
    return ["attribute", names.get(key, key), ascending]


def _version_order(text: str) -> Any:
    Registry._parse_search_model_versions_order_by([text])
    kind, key, ascending = SearchModelVersionUtils.parse_order_by_for_search_model_versions(text)
    # MLflow takes `tag.name` here for the name.
    return [kind, key, ascending] if kind == "attribute" else None


READERS = {
    "run": _runs,
    "experiment": _experiments,
    "model": _models,
    "version": _versions,
    "logged": _logged,
    "run order": _run_order,
    "experiment order": _experiment_order,
    "model order": _model_order,
    "version order": _version_order,
}


def _answer(subject: str, text: str) -> Any:
    try:
        return READERS[subject](text)
    except Exception:  # noqa: BLE001 - whatever it is, it is a refusal
        return None


if __name__ == "__main__":
    json.dump([_answer(*asked) for asked in json.load(sys.stdin)], sys.stdout)
