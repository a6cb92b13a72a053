"""Operations that choose or order rows."""

from collections.abc import Sequence
from typing import Any

from athanor.data.logic.recipes import lists
from athanor.data.logic.recipes.kinds import PLAIN, RESERVED
from athanor.data.logic.recipes.syntax import Literal, Name, call
from athanor.data.logic.recipes.table import (
    ROW,
    Cells,
    Context,
    Operation,
    Parameter,
    Plan,
    Selection,
    Whole,
    choice_literal,
    register,
)
from athanor.data.logic.recipes.typed import Typed, as_number, literal
from athanor.kernel.sqltext import identifier

PLACE = f"{RESERVED}place"


def _filter(step: Context) -> Plan:
    return Selection(condition=step.expression(step["condition"], wanted=("boolean",)))


def _filter_values(step: Context) -> Plan:
    kind = step.schema[step["column"]]
    known = [choice_literal(step, kind, item, "the value")
             for item in step["values"] if item is not None]  # fmt: skip
    cell = Typed(kind, "column", step["column"])
    among: Typed = literal(value=False)
    if known:
        among = Typed("boolean", "in", None, (cell, *known))
        # A missing cell is in no set, and kept by what drops a set.
        among = Typed("boolean", "coalesce", None, (among, literal(value=False)))
    if None in step["values"]:
        missing = Typed("boolean", "is_missing", None, (cell,))
        among = Typed("boolean", "or", None, (among, missing)) if known else missing
    return Selection(condition=among if step["keep"] else Typed("boolean", "not", None, (among,)))


def _drop_missing(step: Context) -> Plan:
    names = step["columns"] or list(step.schema)
    known = [call("not", call("is_missing", Name(name))) for name in names]
    joint = "or" if step["all"] else "and"
    # Joined in pairs, so that a thousand columns make a tree of ten levels.
    while len(known) > 1:
        pairs = zip(known[::2], known[1::2], strict=False)
        known = [call(joint, *pair) for pair in pairs] + known[len(known) // 2 * 2 :]
    return Selection(condition=step.expression(known[0] if known else Literal(value=True)))


def _outliers(step: Context) -> Plan:
    found = None
    for name in step["columns"]:
        bounds = step.learned.get(name) or [None, None]
        if None in bounds:
            continue
        cell = as_number(Typed(step.schema[name], "column", name))
        low, high = literal(bounds[0], "number"), literal(bounds[1], "number")
        inside = Typed("boolean", "and", None, (
            Typed("boolean", ">=", None, (cell, low)), Typed("boolean", "<=", None, (cell, high)),
        ))  # fmt: skip
        kept = Typed("boolean", "or", None, (Typed("boolean", "is_missing", None, (cell,)), inside))
        found = kept if found is None else Typed("boolean", "and", None, (found, kept))
    return Selection(condition=found or literal(value=True))


def bounds_sql(step: Context) -> dict[str, str]:
    """SQL for the bounds of usual values, a list of two for each column."""
    found = {}
    for name in step["columns"]:
        cell = f"CAST({identifier(name)} AS DOUBLE)"
        factor = repr(float(step["factor"]))
        if step["method"] == "iqr":
            low, high = f"quantile_cont({cell}, 0.25)", f"quantile_cont({cell}, 0.75)"
            span = f"({high} - {low}) * {factor}"
            found[name] = f"[{low} - {span}, {high} + {span}]"
        else:
            mean, sd = f"avg({cell} ORDER BY {ROW})", f"stddev_samp({cell} ORDER BY {ROW})"
            found[name] = f"[{mean} - {sd} * {factor}, {mean} + {sd} * {factor}]"
    return found


def numbered(table: str, order: str = ROW) -> str:
    """SQL of a table with its rows counted from 1 in `PLACE`."""
    return f"(SELECT *, row_number() OVER (ORDER BY {order}) AS {PLACE} FROM {table})"


def _columns_sql(step: Context) -> str:
    return ", ".join(identifier(name) for name in step.schema)


def _limit(step: Context) -> Plan:
    first, last = step["offset"], step["offset"] + step["rows"]
    columns = _columns_sql(step)
    return Whole(
        schema=step.schema,
        sql=lambda table: (
            f"SELECT {ROW}, {columns} FROM {numbered(table)} "
            f"WHERE {PLACE} > {first} AND {PLACE} <= {last}"
        ),
        frame=f"df.iloc[{first}:{last}].reset_index(drop=True)",
        rows=lambda rows: rows[first:last],
    )


def _sort(step: Context) -> Plan:
    keys = [(item["column"], item["descending"]) for item in step["by"]]
    last = "LAST" if step["missing"] == "last" else "FIRST"
    order = ", ".join(
        f"{identifier(name)} {'DESC' if down else 'ASC'} NULLS {last}" for name, down in keys
    )
    columns = _columns_sql(step)
    return Whole(
        schema=step.schema,
        sql=lambda table: (
            f"SELECT row_number() OVER (ORDER BY {order}, {ROW}) AS {ROW}, {columns} FROM {table}"
        ),
        frame=f"ordered(df, {keys!r}, missing={step['missing']!r})",
        rows=lambda rows: _sorted(rows, keys, step["missing"]),
    )


def _sorted(rows: list[Cells], keys: Sequence[tuple[str, bool]], missing: str) -> list[Cells]:
    for name, down in reversed(keys):
        known = [row for row in rows if row[name] is not None]
        lost = [row for row in rows if row[name] is None]
        known.sort(key=lambda row, name=name: row[name], reverse=down)  # type: ignore[misc]
        rows = known + lost if missing == "last" else lost + known
    return rows


def _deduplicate(step: Context) -> Plan:
    names = step["columns"] or [name for name in step.schema if step.schema[name] in PLAIN]
    keys = ", ".join(identifier(name) for name in names)
    down = " DESC" if step["keep"] == "last" else ""
    columns = _columns_sql(step)

    def once(rows: list[Cells]) -> list[Cells]:
        walked = rows if step["keep"] == "first" else rows[::-1]
        kept: dict[tuple[Any, ...], Cells] = {}
        for row in walked:
            kept.setdefault(tuple(row[name] for name in names), row)
        found = list(kept.values())
        return found if step["keep"] == "first" else found[::-1]

    return Whole(
        schema=step.schema,
        sql=lambda table: (
            f"SELECT {ROW}, {columns} FROM {table} "
            f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {ROW}{down}) = 1"
        ),
        frame=f"df.drop_duplicates({names!r}, keep={step['keep']!r}).reset_index(drop=True)",
        rows=once,
    )


def _sample(step: Context) -> Plan:
    seed, share = step["seed"], step["share"]
    # The first eight hexadecimal digits of an MD5 compare as texts do.
    bound = format(min(int(share * (1 << 32)), (1 << 32) - 1), "08x")
    columns = _columns_sql(step)
    by = step["by"]
    if by and step.schema[by] not in {"text", "integer"}:
        raise step.wrong("`by` is a column of texts or whole numbers.")
    name = f"CAST({identifier(by)} AS VARCHAR)" if by else f"CAST({PLACE} AS VARCHAR)"
    lucky = f"substr(md5({seed}::VARCHAR || ':' || coalesce({name}, '')), 1, 8)"
    compare = "<=" if share >= 1 else "<"

    def drawn(rows: list[Cells]) -> list[Cells]:
        return [
            row for place, row in enumerate(rows, 1)
            if lists.is_drawn(seed, (row[by] if by else place), bound, compare)
        ]  # fmt: skip

    return Whole(
        schema=step.schema,
        sql=lambda table: (
            f"SELECT {ROW}, {columns} FROM {numbered(table)} WHERE {lucky} {compare} '{bound}'"
        ),
        frame=f"sampled(df, {seed}, {by!r}, {bound!r}, {compare!r})",
        rows=drawn,
    )


def _sample_rows(step: Context) -> Plan:
    seed, count = step["seed"], step["rows"]
    columns = _columns_sql(step)
    lucky = f"md5({seed}::VARCHAR || ':' || CAST({PLACE} AS VARCHAR))"
    return Whole(
        schema=step.schema,
        sql=lambda table: (
            f"SELECT {ROW}, {columns} FROM {numbered(table)} "
            f"QUALIFY row_number() OVER (ORDER BY {lucky}, {PLACE}) <= {count}"
        ),
        frame=f"df.iloc[drawn_places(len(df), {seed}, {count})].reset_index(drop=True)",
        rows=lambda rows: [rows[place] for place in lists.drawn_places(len(rows), seed, count)],
    )


def _row_number(step: Context) -> Plan:
    name = step["name"]
    step.check_name(name)
    kept = [item for item in step.schema if item != name]
    columns = "".join(f", {identifier(item)}" for item in kept)
    start = step["start"]
    return Whole(
        schema={**{item: step.schema[item] for item in kept}, name: "integer"},
        sql=lambda table: (
            f"SELECT {ROW}{columns}, row_number() OVER (ORDER BY {ROW}) + "
            f"({start - 1}) AS {identifier(name)} FROM {table}"
        ),
        frame=f"df.drop(columns=[{name!r}], errors='ignore').assign(**{{{name!r}: "
        f"pd.array(range({start}, {start} + len(df)), dtype='Int64')}})",
        rows=lambda rows: [
            {item: row[item] for item in kept} | {name: place}
            for place, row in enumerate(rows, start)
        ],
    )


_OPTIONAL = Parameter(name="columns", kind="columns?", words="the columns; all if not given",
                      required=False)  # fmt: skip
_SEED = Parameter(name="seed", kind="integer", words="another seed draws other rows",
                  required=False, default=1, least=0, most=1 << 62)  # fmt: skip
_NUMBERS = Parameter(name="columns", kind="columns", words="columns of numbers",
                     columns=("integer", "number"))  # fmt: skip

register(Operation(
    name="filter", group="rows", words="Keep rows where {condition}", plan=_filter, serving="skip",
    parameters=(Parameter(name="condition", kind="formula", words="a formula: age >= 18"),),
    cases=({"condition": "number > 0 and word <> 'a'"}, {"condition": "flag"},
           {"condition": "text is not null or at < '2000-01-01'"}),
))  # fmt: skip
register(Operation(
    name="filter_values", group="rows", words="Keep or drop rows whose {column} is of {values}",
    plan=_filter_values, serving="skip",
    parameters=(
        Parameter(name="column", kind="column", words="the column", columns=PLAIN),
        Parameter(name="values", kind="values", words="the values; null is the missing one"),
        Parameter(name="keep", kind="boolean", words="true keeps them, false drops them",
                  required=False, default=True),
    ),
    cases=({"column": "word", "values": ["a", "b"], "keep": True},
           {"column": "word", "values": ["a", None], "keep": False},
           {"column": "whole", "values": [1, 2], "keep": False},
           {"column": "number", "values": [None]}),
))  # fmt: skip
register(Operation(
    name="drop_missing", group="rows", words="Drop rows where {columns} are missing",
    plan=_drop_missing, serving="skip",
    parameters=(
        _OPTIONAL,
        Parameter(name="all", kind="boolean", words="only where all of them are missing",
                  required=False, default=False),
    ),
    cases=({"columns": ["number", "word"]}, {"columns": ["number", "other"], "all": True}, {}),
))  # fmt: skip
register(Operation(
    name="drop_outliers", group="rows", words="Drop rows whose {columns} lie far out ({method})",
    plan=_outliers, serving="skip", learn=bounds_sql,
    parameters=(
        _NUMBERS,
        Parameter(name="method", kind="choice", words="iqr: beyond the quartiles by a factor of "
                  "their distance; sd: beyond the mean by so many standard deviations",
                  choices=("iqr", "sd"), required=False, default="iqr"),
        Parameter(name="factor", kind="number", words="how far", required=False, default=1.5,
                  least=0.0, most=1000.0),
    ),
    cases=({"columns": ["number"], "method": "iqr", "factor": 1.5},
           {"columns": ["whole", "other"], "method": "sd", "factor": 1}),
))  # fmt: skip
register(Operation(
    name="limit", group="rows", words="Keep {rows} rows from row {offset} on", plan=_limit,
    serving="skip",
    parameters=(
        Parameter(name="rows", kind="integer", words="how many", least=0, most=1 << 40),
        Parameter(name="offset", kind="integer", words="how many are left out before",
                  required=False, default=0, least=0, most=1 << 40),
    ),
    cases=({"rows": 5}, {"rows": 7, "offset": 3}),
))  # fmt: skip
register(Operation(
    name="sort", group="rows", words="Sort by {by}", plan=_sort, serving="skip",
    parameters=(
        Parameter(name="by", kind="keys", words='columns, or {"column": c, "descending": true}'),
        Parameter(name="missing", kind="choice", words="where missing ones go",
                  choices=("last", "first"), required=False, default="last"),
    ),
    cases=({"by": [{"column": "number", "descending": True}, {"column": "text"}]},
           {"by": ["word", "key"], "missing": "first"},
           {"by": [{"column": "flag"}, {"column": "at", "descending": True}, {"column": "day"}]}),
))  # fmt: skip
register(Operation(
    name="deduplicate", group="rows", words="Keep the {keep} of rows with equal {columns}",
    plan=_deduplicate, serving="skip",
    parameters=(
        _OPTIONAL,
        Parameter(name="keep", kind="choice", words="which one stays", choices=("first", "last"),
                  required=False, default="first"),
    ),
    cases=({"columns": ["word", "key"]}, {"columns": ["number"], "keep": "last"}, {}),
))  # fmt: skip
register(Operation(
    name="sample", group="rows", words="Keep a share of {share} of the rows by chance",
    plan=_sample, serving="skip",
    parameters=(
        Parameter(name="share", kind="number", words="0 to 1", least=0.0, most=1.0),
        _SEED,
        Parameter(name="by", kind="column", words="rows with an equal cell are kept together",
                  required=False),
    ),
    cases=({"share": 0.5, "seed": 3}, {"share": 0.4, "by": "word"}, {"share": 1.0}),
))  # fmt: skip
register(Operation(
    name="sample_rows", group="rows", words="Keep {rows} rows by chance", plan=_sample_rows,
    serving="skip",
    parameters=(
        Parameter(name="rows", kind="integer", words="how many", least=0, most=1 << 40), _SEED,
    ),
    cases=({"rows": 6}, {"rows": 1000, "seed": 5}),
))  # fmt: skip
register(Operation(
    name="row_number", group="rows", words="Number the rows as {name}", plan=_row_number,
    serving="no",
    parameters=(
        Parameter(name="name", kind="name", words="what the new column is called"),
        Parameter(name="start", kind="integer", words="the first number", required=False,
                  default=1, least=-(1 << 60), most=1 << 60),
    ),
    cases=({"name": "place"}, {"name": "key", "start": 0}),
))  # fmt: skip
