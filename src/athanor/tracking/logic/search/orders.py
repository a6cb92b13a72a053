"""Orders: by what a search's results are sorted, ties included."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from athanor.tracking.errors import BadSearch
from athanor.tracking.logic.search.clauses import check_characters, names, shortened
from athanor.tracking.logic.search.filters import narrow_order_key, run_order_key
from athanor.tracking.logic.search.logged import logged_model_attribute
from athanor.tracking.logic.search.names import set_of
from athanor.tracking.searches import Order

_MOST_ORDERS = 20
_QUOTED = re.compile(r"""`([^`]*)`|"((?:\\.|[^"])*)"|'([^']*)'""")
_EXPERIMENT_ORDERS = ("name", "experiment_id", "creation_time", "last_update_time")
_VERSION_ORDERS = ("name", "version_number", "creation_timestamp", "last_updated_timestamp")
_MODEL_ORDERS = {
    "name": "name",
    "timestamp": "last_updated_timestamp",
    "last_updated_timestamp": "last_updated_timestamp",
}


def run_orders(texts: Sequence[str]) -> tuple[Order, ...]:
    """How runs are sorted: as asked, then the newest first, then by id.

    Raises: BadSearch.
    """
    orders = []
    for text in texts:
        name, ascending = _read(text)
        entity, key = run_order_key(name)
        orders.append(Order(entity=entity, key=key, ascending=ascending))
    _check_once(texts, orders)
    return _with_ties(orders, (("start_time", False), ("run_id", True)))


def experiment_orders(texts: Sequence[str]) -> tuple[Order, ...]:
    """How experiments are sorted: as asked, else the newest first.

    Raises: BadSearch.
    """
    asked = texts or ("creation_time DESC", "experiment_id ASC")
    return _with_ties(_narrow(asked, _EXPERIMENT_ORDERS), (("experiment_id", False),))


def model_orders(texts: Sequence[str]) -> tuple[Order, ...]:
    """How registered models are sorted: as asked, then by name.

    Raises: BadSearch.
    """
    orders = []
    for text in texts:
        name, ascending = _read(text)
        key = _MODEL_ORDERS.get(name)
        if key is None:
            raise BadSearch(
                f"Invalid order by key '{shortened(name)}' specified. "
                f"Valid keys are '{set_of({'name', 'timestamp'})}'"
            )
        orders.append(Order(entity="attribute", key=key, ascending=ascending))
    _check_once(texts, orders)
    return _with_ties(orders, (("name", True),))


def version_orders(texts: Sequence[str]) -> tuple[Order, ...]:
    """How model versions are sorted: as asked, else the last changed first.

    Raises: BadSearch.
    """
    asked = texts or ("last_updated_timestamp DESC", "name ASC", "version_number DESC")
    orders = _narrow(asked, _VERSION_ORDERS)
    _check_once(texts, orders)
    return _with_ties(orders, (("name", True), ("version_number", False)))


def logged_model_orders(asked: Sequence[Mapping[str, Any]]) -> tuple[Order, ...]:
    """How logged models are sorted: as asked, then the newest first.

    `asked` are MLflow's records: field_name, ascending, dataset_name, dataset_digest.
    Raises: BadSearch.
    """
    _check_count(asked)
    orders = []
    for each in asked:
        field, ascending = each.get("field_name"), each.get("ascending", True)
        if not isinstance(field, str) or not field:
            raise BadSearch("`field_name` in the `order_by` clause must be specified.")
        check_characters(field, "order")
        entity, dot, name = field.partition(".")
        key = name if dot else logged_model_attribute(field.strip())
        if dot and entity != "metrics":
            raise BadSearch(
                f"Invalid order by field name: {shortened(field)}. Only metrics are supported."
            )
        if key is None:
            raise BadSearch(f"Invalid order by field name: {shortened(field)}")
        dataset, digest = each.get("dataset_name") or None, each.get("dataset_digest") or None
        orders.append(
            Order(
                entity="metric" if dot else "attribute",
                key=key,
                ascending=ascending is not False,
                dataset=dataset,
                digest=digest,
            )
        )
    return _with_ties(orders, (("creation_timestamp", False), ("model_id", True)))


def _narrow(texts: Iterable[str], attributes: Sequence[str]) -> list[Order]:
    return [
        Order(entity="attribute", key=narrow_order_key(name, attributes), ascending=ascending)
        for name, ascending in map(_read, texts)
    ]


def _read(text: str) -> tuple[str, bool]:
    """A name, and whether it is sorted upwards."""
    check_characters(text, "order")
    units = names(text)
    if [unit.kind for unit in units[:1]] != ["name"] or len(units) > 2:
        raise BadSearch(f"Invalid order_by clause '{shortened(text)}'. Could not be parsed.")
    if len(units) == 1:
        return units[0].text, True
    if units[1].kind == "name":
        raise BadSearch(f"Invalid ordering key in order_by clause '{shortened(text)}'.")
    if units[1].upper not in {"ASC", "DESC"}:
        raise BadSearch(f"Invalid order_by clause '{shortened(text)}'. Could not be parsed.")
    name = _QUOTED.sub(lambda found: found[1] or found[2] or found[3] or "", units[0].text)
    return name, units[1].upper == "ASC"


def _check_once(texts: Sequence[str], orders: list[Order]) -> None:
    _check_count(texts)
    if len({(order.entity, order.key) for order in orders}) < len(orders):
        raise BadSearch(f"`order_by` contains duplicate fields: {shortened(str(list(texts)))}")


def _check_count(asked: Sequence[object]) -> None:
    if len(asked) > _MOST_ORDERS:
        raise BadSearch(f"At most {_MOST_ORDERS} keys to sort by, not {len(asked)}")


def _with_ties(orders: list[Order], ties: Iterable[tuple[str, bool]]) -> tuple[Order, ...]:
    sorted_by = {order.key for order in orders if order.entity == "attribute"}
    added = [
        Order(entity="attribute", key=key, ascending=ascending)
        for key, ascending in ties
        if key not in sorted_by
    ]
    return (*orders, *added)
