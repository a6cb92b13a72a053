"""Operations on missing values: fill them, learn what to fill them with, make words missing."""

from collections.abc import Mapping
from typing import Any

from athanor.data.logic.recipes.kinds import PLAIN
from athanor.data.logic.recipes.syntax import Name, call
from athanor.data.logic.recipes.table import (
    ROW,
    Cells,
    Context,
    Operation,
    Parameter,
    Plan,
    Whole,
    choice_literal,
    column_of,
    register,
)
from athanor.data.logic.recipes.typed import Typed
from athanor.kernel.sqltext import identifier


def filled(step: Context, name: str, value: Any) -> Typed:
    """A column, a value standing where it is missing."""
    kind = step.schema[name]
    if kind == "integer" and isinstance(value, float):
        # A mean of whole numbers is none: the column becomes one of numbers.
        if not value.is_integer():
            return step.expression(call("coalesce", call("number", Name(name)), value))
        value = int(value)
    known = choice_literal(step, kind, value, f"for {name!r}")
    return Typed(kind, "coalesce", None, (column_of(step, name), known))


def _fill(step: Context) -> Plan:
    return step.with_columns({name: filled(step, name, step["value"]) for name in step["columns"]})


def _fill_learned(step: Context) -> Plan:
    changed = {}
    for name in step["columns"]:
        value = step.learned.get(name)
        if step["statistic"] in {"mean", "median"} and step.schema[name] == "integer":
            cell = call("number", Name(name))
            changed[name] = step.expression(cell if value is None else
                                            call("coalesce", cell, float(value)))  # fmt: skip
        elif value is not None:
            changed[name] = filled(step, name, value)
    return step.with_columns(changed)


def _learn_fill(step: Context) -> Mapping[str, str]:
    found = {}
    for name in step["columns"]:
        cell, kind, statistic = identifier(name), step.schema[name], step["statistic"]
        if statistic in {"mean", "median", "minimum", "maximum"} and kind not in {
            "integer", "number",
        }:  # fmt: skip
            raise step.wrong(f"{name!r} holds no numbers: only `mode` can be learnt of it.")
        found[name] = {
            "mean": f"avg(CAST({cell} AS DOUBLE) ORDER BY {ROW})",
            "median": f"quantile_cont(CAST({cell} AS DOUBLE), 0.5)",
            "minimum": f"min({cell})",
            "maximum": f"max({cell})",
            # The most frequent; of equally frequent ones the smallest.
            "mode": f"(SELECT {cell} FROM {{table}} WHERE {cell} IS NOT NULL GROUP BY {cell} "
            f"ORDER BY count(*) DESC, {cell} LIMIT 1)",
        }[statistic]
    return found


def _carry(step: Context, *, forward: bool) -> Plan:
    by, names = step["by"] or [], step["columns"]
    part = f"PARTITION BY {', '.join(map(identifier, by))} " if by else ""
    frame = "UNBOUNDED PRECEDING AND CURRENT ROW" if forward else (
        "CURRENT ROW AND UNBOUNDED FOLLOWING")  # fmt: skip
    function = "last_value" if forward else "first_value"

    def cell(name: str) -> str:
        here = identifier(name)
        if name not in names:
            return here
        over = f"OVER ({part}ORDER BY {ROW} ROWS BETWEEN {frame})"
        return f"{function}({here} IGNORE NULLS) {over} AS {here}"

    columns = ", ".join(map(cell, step.schema))
    return Whole(
        schema=step.schema,
        sql=lambda table: f"SELECT {ROW}, {columns} FROM {table}",
        frame=f"carried(df, {names!r}, {by!r}, forward={forward})",
        rows=lambda rows: _carried(rows, names, by, forward=forward),
    )


def _carry_forward(step: Context) -> Plan:
    return _carry(step, forward=True)


def _carry_backward(step: Context) -> Plan:
    return _carry(step, forward=False)


def _carried(rows: list[Cells], names: list[str], by: list[str], *, forward: bool) -> list[Cells]:
    found = [dict(row) for row in rows]
    seen: dict[tuple[Any, ...], Any] = {}
    for row in found if forward else reversed(found):
        group = tuple(row[name] for name in by)
        for name in names:
            if row[name] is None:
                row[name] = seen.get((name, *group))
            else:
                seen[name, *group] = row[name]
    return found


def _to_missing(step: Context) -> Plan:
    changed = {}
    for name in step["columns"]:
        kind, cell = step.schema[name], column_of(step, name)
        # One list serves columns of several kinds: each takes what it can hold.
        worded = kind in {"text", "date", "timestamp", "instant"}
        values = [
            choice_literal(step, kind, value, "the value")
            for value in step["values"]
            if isinstance(value, str) == worded
        ]
        if not values:
            continue
        tested = cell
        if kind == "text" and step["ignore_case"]:
            tested = step.expression(call("lower", call("trim", Name(name))))
            values = [step.expression(call("lower", call("trim", item.value))) for item in values]
        among = Typed("boolean", "in", None, (tested, *values))
        changed[name] = Typed(kind, "if", None, (among, Typed(kind, "literal"), cell))
    return step.with_columns(changed)


_COLUMNS = Parameter(name="columns", kind="columns", words="the columns", columns=PLAIN)
_BY = Parameter(name="by", kind="columns?", words="only within rows of equal cells here",
                required=False, columns=PLAIN)  # fmt: skip

register(Operation(
    name="fill", group="missing", words="Fill missing {columns} with {value}", plan=_fill,
    serving="row",
    parameters=(_COLUMNS, Parameter(name="value", kind="value", words="the value")),
    cases=({"columns": ["number", "other"], "value": 0.5}, {"columns": ["word"], "value": "none"},
           {"columns": ["day", "at"], "value": "2020-02-29"}, {"columns": ["flag"], "value": False},
           {"columns": ["whole"], "value": 2.5}),
))  # fmt: skip
register(Operation(
    name="fill_learned", group="missing", words="Fill missing {columns} with their {statistic}",
    plan=_fill_learned, serving="row", learn=_learn_fill,
    parameters=(
        _COLUMNS,
        Parameter(name="statistic", kind="choice", words="what is learnt of each column",
                  choices=("mean", "median", "mode", "minimum", "maximum")),
    ),
    cases=({"columns": ["number", "whole"], "statistic": "mean"},
           {"columns": ["number", "whole"], "statistic": "median"},
           {"columns": ["word", "flag", "day"], "statistic": "mode"},
           {"columns": ["other", "whole"], "statistic": "maximum"}),
))  # fmt: skip
for _name, _forward in (("fill_forward", True), ("fill_backward", False)):
    register(Operation(
        name=_name, group="missing",
        words=f"Fill missing {{columns}} with the {'last' if _forward else 'next'} known value",
        plan=_carry_forward if _forward else _carry_backward, serving="no",
        parameters=(Parameter(name="columns", kind="columns", words="the columns"), _BY),
        cases=({"columns": ["number", "text"]},
               {"columns": ["other", "at", "flag"], "by": ["word"]}),
    ))  # fmt: skip
register(Operation(
    name="make_missing", group="missing", words="Make {values} in {columns} missing",
    plan=_to_missing, serving="row",
    parameters=(
        _COLUMNS,
        Parameter(name="values", kind="values", words='words or numbers such as "n/a" and -999'),
        Parameter(name="ignore_case", kind="boolean", words="texts in any case, spaces around",
                  required=False, default=False),
    ),
    cases=({"columns": ["word", "text"], "values": ["a", ""]},
           {"columns": ["number", "whole", "word"], "values": [1, 2]},
           {"columns": ["word", "text"], "values": [" B ", "N/A"], "ignore_case": True}),
))  # fmt: skip
