"""Operations that look at the rows about each row: previous, rolling, running, rank.

They go by the order that the rows have: sort before.
"""

from athanor.data.logic.recipes import lists
from athanor.data.logic.recipes.kinds import FRAME_TYPES, NUMERIC, PLAIN, RESERVED, Kind
from athanor.data.logic.recipes.operations.aggregates import kind_of, of_list
from athanor.data.logic.recipes.operations.groups import by_groups
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
from athanor.kernel.sqltext import identifier

_LISTED = f"{RESERVED}listed"


def _window(step: Context, kind: Kind, sql: str, how: str, more: list[object]) -> Plan:
    """A column made of the window `w`, in which `sql` is written."""
    name, by, column = step["name"], step["by"] or [], step["column"]
    step.check_name(name)
    schema: dict[str, Kind] = {**step.schema, name: kind}
    columns = ", ".join(
        f"{sql} AS {identifier(item)}" if item == name else identifier(item) for item in schema
    )
    source = step.schema[column]
    what = [how, source, column, *more]

    def made(rows: list[Cells]) -> list[Cells]:
        values: dict[int, object] = {}
        for group in by_groups(rows, by):
            found = lists.window(how, source, [row[column] for row in group], list(more))
            values |= {id(row): cell for row, cell in zip(group, found, strict=True)}
        return [row | {name: values[id(row)]} for row in rows]

    return Whole(
        schema=schema,
        sql=lambda table: f"SELECT {ROW}, {columns} FROM {table}",
        frame=f"windowed(df, {by!r}, {name!r}, {FRAME_TYPES[kind]!r}, {what!r})",
        rows=made,
    )


def _part(step: Context) -> str:
    by = step["by"] or []
    return f"PARTITION BY {', '.join(map(identifier, by))} " if by else ""


def _previous(step: Context) -> Plan:
    cell, offset = identifier(step["column"]), step["offset"]
    sql = f"lag({cell}, {offset}) OVER ({_part(step)}ORDER BY {ROW})"
    return _window(step, step.schema[step["column"]], sql, "previous", [offset])


def _rolling(step: Context) -> Plan:
    column, function, width = step["column"], step["function"], step["rows"]
    kind = kind_of(step, function, column)
    cells = (
        f"list({identifier(column)}) OVER ({_part(step)}ORDER BY {ROW} "
        f"ROWS BETWEEN {width - 1} PRECEDING AND CURRENT ROW)"
    )
    # The list is named once, whatever the aggregate makes of it.
    sql = of_list(function, step.schema[column], _LISTED)
    sql = f"list_transform([{cells}], lambda {_LISTED}: {sql})[1]"
    return _window(step, kind, sql, "rolling", [function, width])


def _running(step: Context) -> Plan:
    column, function = step["column"], step["function"]
    kind, cell = step.schema[column], identifier(column)
    over = f"OVER ({_part(step)}ORDER BY {ROW} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    if function == "sum" and kind not in NUMERIC:
        raise step.wrong(f"sum takes numbers, {column!r} holds none.")
    if function == "sum" and kind == "number":
        scaled = f"CASE WHEN abs({cell}) < 1e15 THEN CAST(floor({cell} * 1e6 + 0.5) AS HUGEINT) "
        scaled += f"WHEN {cell} IS NOT NULL THEN 0 END"
        sql = f"(CAST(TRY_CAST(sum({scaled}) {over} AS BIGINT) AS DOUBLE) / 1e6 + 0.0)"
    elif function == "sum":
        sql = f"TRY_CAST(sum(CAST({cell} AS HUGEINT)) {over} AS BIGINT)"
    else:
        name = {"count": "count", "minimum": "min", "maximum": "max"}[function]
        sql = f"{name}({cell}) {over}"
    gives: Kind = "integer" if function == "count" else kind
    return _window(step, gives, sql, "running", [function])


def _rank(step: Context) -> Plan:
    cell, down = identifier(step["column"]), step["descending"]
    function = "dense_rank" if step["method"] == "dense" else "rank"
    order = f"{cell} {'DESC' if down else 'ASC'} NULLS LAST"
    over = f"OVER ({_part(step)}ORDER BY {order})"
    sql = f"CASE WHEN {cell} IS NOT NULL THEN {function}() {over} END"
    return _window(step, "integer", sql, "rank", [step["method"], down])


_COLUMN = Parameter(name="column", kind="column", words="the column", columns=PLAIN)
_NAME = Parameter(name="name", kind="name", words="what the new column is called")
_BY = Parameter(name="by", kind="columns?", words="only within rows of equal cells here",
                required=False, columns=PLAIN)  # fmt: skip

register(Operation(
    name="previous", group="tables", words="Take {column} of {offset} rows before as {name}",
    plan=_previous, serving="no",
    parameters=(
        _COLUMN, _NAME,
        Parameter(name="offset", kind="integer", words="how many rows before; below 0: after",
                  required=False, default=1, least=-1_000_000, most=1_000_000),
        _BY,
    ),
    cases=({"column": "number", "name": "before", "by": ["word"]},
           {"column": "text", "name": "after", "offset": -2}),
))  # fmt: skip
register(Operation(
    name="rolling", group="tables", words="Take the {function} of {column} over {rows} rows",
    plan=_rolling, serving="no",
    parameters=(
        _COLUMN, _NAME,
        Parameter(name="function", kind="choice", words="what of", choices=(
            "sum", "mean", "median", "sd", "minimum", "maximum", "count", "distinct", "first",
            "last")),
        Parameter(name="rows", kind="integer", words="this row and those before it", least=1,
                  most=10_000),
        _BY,
    ),
    cases=({"column": "number", "name": "smooth", "function": "mean", "rows": 3, "by": ["word"]},
           {"column": "number", "name": "added", "function": "sum", "rows": 4},
           {"column": "whole", "name": "added", "function": "sum", "rows": 2},
           {"column": "number", "name": "middle", "function": "median", "rows": 4},
           {"column": "number", "name": "spread", "function": "sd", "rows": 5},
           {"column": "text", "name": "kinds", "function": "distinct", "rows": 3, "by": ["flag"]}),
))  # fmt: skip
register(Operation(
    name="running", group="tables", words="Take the {function} of {column} so far as {name}",
    plan=_running, serving="no",
    parameters=(
        _COLUMN, _NAME,
        Parameter(name="function", kind="choice", words="sums of numbers are kept to 6 decimals",
                  choices=("sum", "count", "minimum", "maximum")),
        _BY,
    ),
    cases=({"column": "number", "name": "sum", "function": "sum"},
           {"column": "whole", "name": "sum", "function": "sum", "by": ["word"]},
           {"column": "at", "name": "first", "function": "minimum", "by": ["flag"]},
           {"column": "text", "name": "count", "function": "count"}),
))  # fmt: skip
register(Operation(
    name="rank", group="tables", words="Rank the rows by {column} as {name}", plan=_rank,
    serving="no",
    parameters=(
        _COLUMN, _NAME,
        Parameter(name="descending", kind="boolean", words="the greatest is first",
                  required=False, default=False),
        Parameter(name="method", kind="choice", words="dense: 1 1 2; min: 1 1 3",
                  choices=("min", "dense"), required=False, default="min"),
        _BY,
    ),
    cases=({"column": "number", "name": "place", "by": ["word"]},
           {"column": "text", "name": "place", "descending": True, "method": "dense"}),
))  # fmt: skip
