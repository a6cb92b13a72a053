"""Operations that make one row of many, or many of one: group, pivot, unpivot, explode."""

from collections.abc import Mapping
from typing import Any

from athanor.data.logic.recipes import lists
from athanor.data.logic.recipes.kinds import FRAME_TYPES, NUMERIC, PLAIN, RESERVED, SQL_TYPES, Kind
from athanor.data.logic.recipes.operations.aggregates import (
    FUNCTIONS,
    checked_list,
    kind_of,
    sql_of,
)
from athanor.data.logic.recipes.table import (
    ROW,
    Cells,
    Context,
    Operation,
    Parameter,
    Plan,
    Whole,
    register,
)
from athanor.kernel.sqltext import identifier, literal

_MOST_CATEGORIES = 500
_HERE, _BESIDE, _KEY = f"{RESERVED}here", f"{RESERVED}beside", f"{RESERVED}key"
_VALUE, _PLACE, _PARTS = f"{RESERVED}value", f"{RESERVED}place", f"{RESERVED}parts"


def by_groups(rows: list[Cells], by: list[str]) -> list[list[Cells]]:
    """Rows with equal cells, as they first appear."""
    found: dict[tuple[Any, ...], list[Cells]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in by), []).append(row)
    return list(found.values()) if by else [rows]


def _names(step: Context, by: list[str], new: list[str]) -> None:
    every = [name.casefold() for name in (*by, *new)]
    if len(set(every)) != len(every):
        twice = next(name for name in every if every.count(name) > 1)
        raise step.wrong(f"two columns would be called {twice!r}.", "Give them names by `name`.")


def _group(step: Context) -> Plan:
    by = step["by"] or []
    asked = checked_list(step, step["aggregates"])
    _names(step, by, [name for name, _, _ in asked])
    kinds: dict[str, Kind] = {name: step.schema[name] for name in by}
    kinds |= {name: kind_of(step, function, column) for name, function, column in asked}
    keys = "".join(f", {identifier(name)}" for name in by)
    sums = "".join(
        f", {sql_of(function, step.schema.get(column, ''), column)} AS {identifier(name)}"
        for name, function, column in asked
    )
    grouping = f" GROUP BY {keys[2:]}" if by else ""
    first = f"min({ROW})" if by else f"coalesce(min({ROW}), 0)"
    listed = [
        (name, FRAME_TYPES[kinds[name]], function, step.schema.get(column, ""), column)
        for name, function, column in asked
    ]

    def grouped(rows: list[Cells]) -> list[Cells]:
        return [
            {name: group[0][name] for name in by}
            | {
                name: lists.aggregate(
                    function,
                    step.schema.get(column, ""),
                    [row[column] if column else 0 for row in group],
                )
                for name, function, column in asked
            }
            for group in by_groups(rows, by)
        ]

    return Whole(
        schema=kinds,
        sql=lambda table: f"SELECT {first} AS {ROW}{keys}{sums} FROM {table}{grouping}",
        frame=f"grouped(df, {by!r}, {listed!r})",
        rows=grouped,
    )


def _group_value(step: Context) -> Plan:
    by, column, function = step["by"] or [], step["column"] or "", step["function"]
    kind = kind_of(step, function, column)
    name = step["name"]
    step.check_name(name)
    value = sql_of(function, step.schema.get(column, ""), column)
    schema: dict[str, Kind] = {**step.schema, name: kind}
    columns = ", ".join(
        f"{_BESIDE}.{_VALUE} AS {identifier(item)}"
        if item == name
        else f"{_HERE}.{identifier(item)}"
        for item in schema
    )
    keys = ", ".join(f"{identifier(item)} AS {_KEY}{place}" for place, item in enumerate(by))
    on = " AND ".join(f"{_HERE}.{identifier(item)} IS NOT DISTINCT FROM {_BESIDE}.{_KEY}{place}"
                      for place, item in enumerate(by)) or "true"  # fmt: skip
    grouping = f" GROUP BY {', '.join(map(identifier, by))}" if by else ""
    inner = f"SELECT {keys + ', ' if keys else ''}{value} AS {_VALUE}"
    source = step.schema.get(column, "")

    def valued(rows: list[Cells]) -> list[Cells]:
        values: dict[int, Any] = {}
        for group in by_groups(rows, by):
            cells = [row[column] if column else 0 for row in group]
            found = lists.aggregate(function, source, cells)
            values |= {id(row): found for row in group}
        return [
            {item: values[id(row)] if item == name else row[item] for item in schema}
            for row in rows
        ]

    return Whole(
        schema=schema,
        sql=lambda table: (
            f"SELECT {_HERE}.{ROW}, {columns} FROM {table} {_HERE} "
            f"JOIN ({inner} FROM {table}{grouping}) {_BESIDE} ON {on}"
        ),
        frame=f"beside(df, {by!r}, {name!r}, {FRAME_TYPES[kind]!r}, "
        f"{(function, source, column)!r})",
        rows=valued,
    )


def _pivot(step: Context) -> Plan:
    by, column, value = step["by"] or [], step["column"], step["value"] or ""
    function = step["function"]
    kind = kind_of(step, function, value)
    categories = step["categories"] or step.learned.get("categories") or []
    if len(categories) > _MOST_CATEGORIES:
        raise step.wrong(f"{column!r} has more than {_MOST_CATEGORIES} values: too many columns.")
    mark = step.schema[column]
    names = _category_names(step, mark, categories)
    if not names and not by:
        raise step.wrong(f"{column!r} holds nothing: there would be no columns.")
    _names(step, by, names)
    fill = _fill(step, kind)
    source = step.schema.get(value, "")
    schema: dict[str, Kind] = {name: step.schema[name] for name in by} | dict.fromkeys(names, kind)
    parts = []
    for category, name in zip(categories, names, strict=True):
        written = literal(category) if mark == "text" else str(category).lower()
        cell = sql_of(function, source, value, f"{identifier(column)} = {written}")
        if fill is not None:
            cell = f"coalesce({cell}, CAST({fill!r} AS {SQL_TYPES[kind]}))"
        parts.append(f", {cell} AS {identifier(name)}")
    keys = "".join(f", {identifier(name)}" for name in by)
    grouping = f" GROUP BY {keys[2:]}" if by else ""
    first = f"min({ROW})" if by else f"coalesce(min({ROW}), 0)"
    pairs = list(zip(categories, names, strict=True))

    def pivoted(rows: list[Cells]) -> list[Cells]:
        found = []
        for group in by_groups(rows, by):
            row = {name: group[0][name] for name in by}
            for category, name in pairs:
                cells = [r[value] if value else 0 for r in group if r[column] == category]
                cell = lists.aggregate(function, source, cells)
                row[name] = fill if cell is None else cell
            found.append(row)
        return found

    what = [function, source, FRAME_TYPES[kind], fill, pairs]
    return Whole(
        schema=schema,
        sql=lambda table: f"SELECT {first} AS {ROW}{keys}{''.join(parts)} FROM {table}{grouping}",
        frame=f"pivoted(df, {by!r}, {column!r}, {value!r}, {what!r})",
        rows=pivoted,
    )


def _category_names(step: Context, mark: Kind, categories: list[Any]) -> list[str]:
    names = []
    for category in categories:
        if mark == "text" and not isinstance(category, str):
            raise step.wrong(f"{category!r} is no value of {step['column']!r}.")
        names.append(f"{step['prefix']}{str(category).lower() if mark == 'boolean' else category}")
    return names


def _fill(step: Context, kind: Kind) -> float | int | None:
    fill = step["fill"]
    if fill is None:
        return None
    if isinstance(fill, bool) or not isinstance(fill, (int, float)):
        raise step.wrong("'fill' is a number.")
    if kind not in NUMERIC:
        raise step.wrong("'fill' is for numbers.")
    if kind == "integer" and not float(fill).is_integer():
        raise step.wrong("'fill' is a whole number here.")
    return int(fill) if kind == "integer" else float(fill)


def _learn_pivot(step: Context) -> Mapping[str, str]:
    if step["categories"]:
        return {}
    cell = identifier(step["column"])
    return {
        "categories": f"list_sort(list(DISTINCT {cell}) FILTER (WHERE {cell} IS NOT NULL))"
        f"[1:{_MOST_CATEGORIES + 1}]"
    }


def _unpivot(step: Context) -> Plan:
    columns = step["columns"]
    kinds = {step.schema[name] for name in columns}
    kind: Kind = next(iter(kinds)) if len(kinds) == 1 else "number"
    if len(kinds) > 1 and not kinds <= set(NUMERIC):
        raise step.wrong("the columns are not of one kind.", "Cast them to text before.")
    keep = [name for name in step.schema if name not in columns]
    names_to, values_to = step["names_to"], step["values_to"]
    _names(step, keep, [names_to, values_to])
    cases = " ".join(
        f"WHEN {place} THEN CAST({identifier(name)} AS {SQL_TYPES[kind]})"
        for place, name in enumerate(columns)
    )
    words = " ".join(f"WHEN {place} THEN {literal(name)}" for place, name in enumerate(columns))
    kept = "".join(f", {identifier(name)}" for name in keep)
    drop = step["drop_missing"]
    where = f" WHERE {identifier(values_to)} IS NOT NULL" if drop else ""

    def unpivoted(rows: list[Cells]) -> list[Cells]:
        found = []
        for row in rows:
            for name in columns:
                cell = float(row[name]) if kind == "number" and row[name] is not None else row[name]
                if cell is None and drop:
                    continue
                found.append({item: row[item] for item in keep} | {names_to: name, values_to: cell})
        return found

    return Whole(
        schema={name: step.schema[name] for name in keep} | {names_to: "text", values_to: kind},
        sql=lambda table: (
            f"SELECT * FROM (SELECT row_number() OVER (ORDER BY {ROW}, {_PLACE}) AS {ROW}"
            f"{kept}, CASE {_PLACE} {words} END AS {identifier(names_to)}, "
            f"CASE {_PLACE} {cases} END AS {identifier(values_to)} "
            f"FROM {table} CROSS JOIN range({len(columns)}) {_BESIDE}({_PLACE})){where}"
        ),
        frame=f"unpivoted(df, {keep!r}, {columns!r}, "
        f"{(names_to, values_to, FRAME_TYPES[kind], drop)!r})",
        rows=unpivoted,
    )


def _explode(step: Context) -> Plan:
    name, separator = step["column"], step["separator"]
    cell, cut = identifier(name), literal(separator)
    others = [item for item in step.schema if item != name]
    parts = f"string_split({cell}, {cut})"
    columns = ", ".join(
        f"{_PARTS}[{_PLACE}] AS {cell}" if item == name else identifier(item)
        for item in step.schema
    )
    kept = "".join(f", {identifier(item)}" for item in others)

    def exploded(rows: list[Cells]) -> list[Cells]:
        return [
            row | {name: part}
            for row in rows
            for part in ([None] if row[name] is None else row[name].split(separator))
        ]

    return Whole(
        schema=step.schema,
        sql=lambda table: (
            f"SELECT row_number() OVER (ORDER BY {ROW}, {_PLACE}) AS {ROW}, {columns} "
            f"FROM (SELECT {ROW}{kept}, {parts} AS {_PARTS}, "
            f"unnest(range(1, greatest(coalesce(len({parts}), 1), 1) + 1)) AS {_PLACE} "
            f"FROM {table})"
        ),
        frame=f"exploded(df, {name!r}, {separator!r})",
        rows=exploded,
    )


_BY = Parameter(name="by", kind="columns?", words="the columns that make the groups; without them "
                "all rows are one group", required=False, columns=PLAIN)  # fmt: skip
_FUNCTION = Parameter(name="function", kind="choice", words="of each group: rows, count, distinct, "
                      "sum, mean, median, sd, minimum, maximum, first, last, any, all",
                      choices=tuple(FUNCTIONS))  # fmt: skip

register(Operation(
    name="group", group="tables", words="Group by {by}: {aggregates}", plan=_group, serving="no",
    parameters=(
        _BY,
        Parameter(name="aggregates", kind="aggregates", words="[{column, function, name}]"),
    ),
    cases=(
        {"by": ["word"], "aggregates": [
            {"function": "rows"}, {"column": "number", "function": "sum", "name": "total"},
            {"column": "number", "function": "mean"}, {"column": "whole", "function": "sum"},
            {"column": "whole", "function": "mean"}, {"column": "number", "function": "sd"},
            {"column": "number", "function": "median"}, {"column": "key", "function": "median"},
            {"column": "text", "function": "first"}, {"column": "at", "function": "last"}]},
        {"by": ["flag", "day"], "aggregates": [
            {"column": "text", "function": "distinct"}, {"column": "number", "function": "minimum"},
            {"column": "text", "function": "maximum"}, {"column": "at", "function": "count"}]},
        {"aggregates": [{"column": "flag", "function": "any"}, {"column": "flag",
                                                                "function": "all"},
                        {"column": "whole", "function": "sd"}, {"function": "rows"}]},
    ),
))  # fmt: skip
register(Operation(
    name="group_value", group="tables", plan=_group_value, serving="no",
    words="Put the {function} of {column} by {by} beside each row as {name}",
    parameters=(
        _BY, _FUNCTION,
        Parameter(name="name", kind="name", words="what the new column is called"),
        Parameter(name="column", kind="column", words="of what", required=False, default=""),
    ),
    cases=({"by": ["word"], "column": "number", "function": "mean", "name": "usual"},
           {"by": ["key", "flag"], "function": "rows", "name": "key_rows"},
           {"column": "whole", "function": "maximum", "name": "whole"}),
))  # fmt: skip
register(Operation(
    name="pivot", group="tables", words="Make a column of each {column}: {function} of {value}",
    plan=_pivot, serving="no", learn=_learn_pivot,
    parameters=(
        _BY,
        Parameter(name="column", kind="column", words="whose values become columns",
                  columns=("text", "boolean", "integer")),
        _FUNCTION,
        Parameter(name="value", kind="column", words="whose cells are taken", required=False,
                  default=""),
        Parameter(name="categories", kind="values", words="the values; without them they are "
                  "learnt", required=False),
        Parameter(name="prefix", kind="text", words="of the new columns' names", required=False,
                  default=""),
        Parameter(name="fill", kind="value", words="a number where there is none", required=False),
    ),
    cases=({"by": ["key"], "column": "word", "value": "number", "function": "sum",
            "prefix": "w_", "fill": 0},
           {"by": ["flag"], "column": "word", "function": "rows", "categories": ["a", "zz"],
            "prefix": "n_"},
           {"column": "flag", "value": "number", "function": "mean", "prefix": "m_"}),
))  # fmt: skip
register(Operation(
    name="unpivot", group="tables", words="Make rows of {columns}", plan=_unpivot, serving="no",
    parameters=(
        Parameter(name="columns", kind="columns", words="the columns, of one kind", columns=PLAIN),
        Parameter(name="names_to", kind="name", words="the column of their names", required=False,
                  default="name"),
        Parameter(name="values_to", kind="name", words="the column of their cells", required=False,
                  default="value"),
        Parameter(name="drop_missing", kind="boolean", words="leave missing cells out",
                  required=False, default=False),
    ),
    cases=({"columns": ["number", "whole"]}, {"columns": ["day", "day2"], "names_to": "which",
                                              "values_to": "when", "drop_missing": True}),
))  # fmt: skip
register(Operation(
    name="explode", group="tables", words="Make a row of each part of {column}", plan=_explode,
    serving="no",
    parameters=(
        Parameter(name="column", kind="column", words="a column of texts", columns=("text",)),
        Parameter(name="separator", kind="text", words="what stands between the parts"),
    ),
    cases=({"column": "text", "separator": " "},),
))  # fmt: skip
