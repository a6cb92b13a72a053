"""Suites of pandera and Great Expectations as expectations, as far as they are simple.

What has no counterpart is named, never dropped in silence.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from athanor.data.errors.checks import BadExpectation, BadSuite
from athanor.data.logic.rules import check_expectation
from athanor.data.types import Expectation
from athanor.data.types.checks import ImportedSuite
from athanor.kernel.sqltext import identifier, literal

_PANDERA_TYPES = (
    (r"u?int\d*", "integer"),
    (r"(float|double)\d*(\[pyarrow\])?", "number"),
    (r"decimal.*", "decimal"),
    (r"bool(ean)?", "boolean"),
    (r"(str|string|object|category).*", "text"),
    (r"datetime64.*|timestamp.*", "timestamp"),
    (r"date", "date"),
)


def read_suite(suite: Any) -> ImportedSuite:
    """The expectations of a suite, and what could not be read.

    Raises: BadSuite.
    """
    if not isinstance(suite, Mapping):
        raise BadSuite("it is no JSON object.")
    if isinstance(suite.get("expectations"), list):
        return _great_expectations(suite["expectations"])
    if isinstance(suite.get("columns"), Mapping):
        return _pandera(suite)
    raise BadSuite("it has neither 'expectations' nor 'columns'.")


class _Found:
    """Expectations as they are found, and what was left."""

    def __init__(self) -> None:
        self.kept: list[Expectation] = []
        self.left: list[str] = []

    def add(self, kind: str, column: str = "", **parameters: Any) -> None:
        given = {key: value for key, value in parameters.items() if value is not None}
        item = Expectation(kind=kind, column=column, parameters=given)
        try:
            check_expectation(item)
        except BadExpectation as error:
            self.left.append(f"{column or 'the table'}: {error.message}")
            return
        self.kept.append(item)

    def ends(self, of: str) -> ImportedSuite:
        return ImportedSuite(source=of, expectations=tuple(self.kept), left_out=tuple(self.left))


def _pandera(suite: Mapping[str, Any]) -> ImportedSuite:
    found, types = _Found(), {}
    for name, told in suite["columns"].items():
        if not isinstance(told, Mapping):
            raise BadSuite(f"the column {name!r} is no object.")
        if told.get("regex"):
            found.left.append(f"{name}: columns that are named by a pattern")
            continue
        kind = _type(told.get("dtype"))
        if told.get("required", True) and kind:
            types[name] = kind
        if told.get("dtype") and not kind:
            found.left.append(f"{name}: the type {told['dtype']!r}")
        if not told.get("nullable", False):
            found.add("missing", name, share=0.0)
        if told.get("unique"):
            found.add("unique", name)
        for check, given in _checks(told.get("checks")):
            _pandera_check(found, name, check, given)
    if types:
        found.kept.insert(0, Expectation(kind="columns", parameters={"columns": types}))
    together = suite.get("unique")
    if isinstance(together, list) and together:
        found.add("unique_together", columns=together)
    for check, _ in _checks(suite.get("checks")):
        found.left.append(f"the table: the check {check!r}")
    return found.ends("pandera")


def _checks(told: Any) -> list[tuple[str, Any]]:
    """Checks of either form that pandera writes."""
    if isinstance(told, Mapping):
        return [(str(name), given) for name, given in told.items()]
    pairs = []
    for item in told if isinstance(told, list) else []:
        if isinstance(item, Mapping):
            options = item.get("options") or {}
            name = options.get("check_name") or item.get("name") or ""
            rest = {key: value for key, value in item.items() if key not in {"options", "name"}}
            pairs.append((str(name), rest))
    return pairs


def _pandera_check(found: _Found, column: str, check: str, given: Any) -> None:
    told = dict(given) if isinstance(given, Mapping) else {"value": given}
    told.pop("options", None)
    value = next(iter(told.values()), None)
    low, high = told.get("min_value"), told.get("max_value")
    if (sign := _STRICT.get(check)) is not None:
        found.add("sql", condition=f"{identifier(column)} {sign} {_literal(value)}")
    elif (side := _SIDES.get(check)) is not None:
        found.add("range", column, **{side: _bound(value)})
    elif check in {"in_range", "between"}:
        found.add("range", column, minimum=_bound(low), maximum=_bound(high))
    elif check in {"isin", "equal_to", "eq"}:
        found.add("values", column, values=_listed(value))
    elif check in {"notin", "not_equal_to", "ne"}:
        found.add("sql", condition=f"{identifier(column)} NOT IN ({_all_of(value)})")
    elif (pattern := _PATTERNS.get(check)) is not None:
        found.add("pattern", column, pattern=pattern(str(value)))
    elif check == "str_length":
        found.add("length", column, minimum=low, maximum=high)
    else:
        found.left.append(f"{column}: the check {check!r}")


_STRICT = {"greater_than": ">", "gt": ">", "less_than": "<", "lt": "<"}
_SIDES = {"greater_than_or_equal_to": "minimum", "ge": "minimum",
          "less_than_or_equal_to": "maximum", "le": "maximum"}  # fmt: skip
_PATTERNS: Mapping[str, Callable[[str], str]] = {
    "str_matches": lambda text: f"^(?:{text})",
    "str_contains": lambda text: text,
    "str_startswith": lambda text: f"^{re.escape(text)}",
    "str_endswith": lambda text: f"{re.escape(text)}$",
}


def _type(dtype: Any) -> str:
    text = str(dtype or "").lower()
    return next((kind for pattern, kind in _PANDERA_TYPES if re.fullmatch(pattern, text)), "")


Reader = Callable[[_Found, str, Mapping[str, Any]], None]


def _share(told: Mapping[str, Any]) -> float | None:
    mostly = told.get("mostly")
    return None if mostly is None else round(1.0 - float(mostly), 9)


def _gx_between(found: _Found, column: str, told: Mapping[str, Any]) -> None:
    low, high = told.get("min_value"), told.get("max_value")
    if told.get("strict_min") or told.get("strict_max") or told.get("mostly") is not None:
        if told.get("mostly") is not None:
            found.left.append(f"{column}: `mostly` of a range")
        parts = []
        if low is not None:
            sign = ">" if told.get("strict_min") else ">="
            parts.append(f"{identifier(column)} {sign} {_literal(low)}")
        if high is not None:
            sign = "<" if told.get("strict_max") else "<="
            parts.append(f"{identifier(column)} {sign} {_literal(high)}")
        if told.get("mostly") is None and parts:
            found.add("sql", condition=" AND ".join(parts))
        return
    found.add("range", column, minimum=_bound(low), maximum=_bound(high))


def _gx_figure(statistic: str) -> Reader:
    def read(found: _Found, column: str, told: Mapping[str, Any]) -> None:
        found.add("statistic", column, statistic=statistic, minimum=told.get("min_value"),
                  maximum=told.get("max_value"))  # fmt: skip

    return read


def _gx_pair(found: _Found, column: str, told: Mapping[str, Any]) -> None:
    del column
    first, second = str(told.get("column_A", "")), str(told.get("column_B", ""))
    found.add("compare", first, other=second, operator=">=" if told.get("or_equal") else ">",
              other_share=_share(told))  # fmt: skip


_GX: Mapping[str, Reader] = {
    "expect_column_to_exist": lambda f, c, _: f.add("columns", columns={c: "any"}),
    "expect_column_values_to_not_be_null": lambda f, c, t: f.add(
        "missing", c, share=_share(t) or 0.0
    ),
    "expect_column_values_to_be_null": lambda f, c, _: f.add(
        "sql", condition=f"{identifier(c)} IS NULL"
    ),
    "expect_column_values_to_be_unique": lambda f, c, _: f.add("unique", c),
    "expect_column_values_to_be_between": _gx_between,
    "expect_column_values_to_be_in_set": lambda f, c, t: f.add(
        "values", c, values=_listed(t.get("value_set")), other_share=_share(t)
    ),
    "expect_column_distinct_values_to_be_in_set": lambda f, c, t: f.add(
        "values", c, values=_listed(t.get("value_set"))
    ),
    "expect_column_values_to_not_be_in_set": lambda f, c, t: f.add(
        "sql",
        condition=f"{identifier(c)} NOT IN ({_all_of(t.get('value_set'))})",
    ),
    "expect_column_values_to_match_regex": lambda f, c, t: f.add(
        "pattern", c, pattern=t.get("regex"), other_share=_share(t)
    ),
    "expect_column_value_lengths_to_be_between": lambda f, c, t: f.add(
        "length", c, minimum=t.get("min_value"), maximum=t.get("max_value"), other_share=_share(t)
    ),
    "expect_column_value_lengths_to_equal": lambda f, c, t: f.add(
        "length", c, minimum=t.get("value"), maximum=t.get("value"), other_share=_share(t)
    ),
    "expect_column_unique_value_count_to_be_between": lambda f, c, t: f.add(
        "distinct", c, minimum=t.get("min_value"), maximum=t.get("max_value")
    ),
    "expect_column_values_to_be_of_type": lambda f, c, t: f.add(
        "type", c, type=_type(t.get("type_")) or str(t.get("type_"))
    ),
    "expect_table_row_count_to_be_between": lambda f, _, t: f.add(
        "rows", minimum=t.get("min_value"), maximum=t.get("max_value")
    ),
    "expect_table_row_count_to_equal": lambda f, _, t: f.add(
        "rows", minimum=t.get("value"), maximum=t.get("value")
    ),
    "expect_compound_columns_to_be_unique": lambda f, _, t: f.add(
        "unique_together", columns=t.get("column_list")
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": _gx_pair,
    "expect_column_mean_to_be_between": _gx_figure("mean"),
    "expect_column_median_to_be_between": _gx_figure("median"),
    "expect_column_stdev_to_be_between": _gx_figure("sd"),
    "expect_column_sum_to_be_between": _gx_figure("sum"),
    "expect_column_min_to_be_between": _gx_figure("minimum"),
    "expect_column_max_to_be_between": _gx_figure("maximum"),
}


def _great_expectations(items: list[Any]) -> ImportedSuite:
    found = _Found()
    for item in items:
        if not isinstance(item, Mapping):
            raise BadSuite("an expectation is no object.")
        kind = str(item.get("expectation_type") or item.get("type") or "")
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()
        told = item.get("kwargs") or {}
        column = str(told.get("column") or "")
        reader = _GX.get(kind)
        if reader is None:
            found.left.append(f"{column or 'the table'}: {kind or 'an expectation without type'}")
            continue
        reader(found, column, told)
    return found.ends("great expectations")


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _bound(value: Any) -> Any:
    return value if value is None or isinstance(value, (int, float)) else str(value)


def _all_of(value: Any) -> str:
    return ", ".join(map(_literal, _listed(value)))


def _literal(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "NULL"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    return literal(str(value))
