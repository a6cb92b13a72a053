"""Operations with another dataset: join, look up, union. The dataset is named by its reference."""

from typing import Any

from athanor.data.logic.recipes.kinds import FRAME_TYPES, NUMERIC, RESERVED, SQL_TYPES, Kind
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
from athanor.data.types.recipes import Serving
from athanor.kernel.sqltext import identifier

_HERE, _THERE, _SIDE = f"{RESERVED}here", f"{RESERVED}there", f"{RESERVED}side"


def _other(step: Context) -> tuple[str, dict[str, Kind]]:
    reference = step["dataset"]
    if reference not in step.tables:
        raise step.wrong(f"the dataset {reference!r} is not at hand.")
    return reference, dict(step.tables[reference])


def _keys(step: Context, there: dict[str, Kind]) -> list[tuple[str, str]]:
    keys = []
    for left, right in step["on"].items():
        if left not in step.schema:
            raise step.wrong(f"there is no column {left!r}.")
        if not isinstance(right, str) or right not in there:
            raise step.wrong(f"{step['dataset']!r} has no column {right!r}.")
        if step.schema[left] != there[right]:
            raise step.wrong(
                f"{left!r} ({step.schema[left]}) and {right!r} ({there[right]}) are of two kinds.",
                "Cast one of them before.",
            )
        if there[right] == "other":
            raise step.wrong(f"{left!r} holds nested values, which can't be keys.")
        keys.append((left, right))
    return keys


def table_name(reference: str) -> str:
    """What another dataset is called inside of a recipe's query."""
    return identifier(f"other {reference}")


def _join(step: Context, how: str) -> Plan:
    reference, there = _other(step)
    keys = _keys(step, there)
    matched = {right for _, right in keys}
    wanted = step["columns"] or [name for name in there if name not in matched]
    if how in {"semi", "anti"}:
        wanted = []
    taken: dict[str, str] = {}
    for name in wanted:
        if name not in there:
            raise step.wrong(f"{reference!r} has no column {name!r}.")
        known = {item.casefold() for item in (*step.schema, *taken.values())}
        new = name if name.casefold() not in known else f"{name}{step['suffix']}"
        if new.casefold() in known:
            raise step.wrong(f"two columns would be called {new!r}.", "Choose another `suffix`.")
        taken[name] = new
    schema = {**step.schema, **{new: there[name] for name, new in taken.items()}}
    here = "".join(f", {_HERE}.{identifier(name)}" for name in step.schema)
    beside = "".join(
        f", {_THERE}.{identifier(name)} AS {identifier(new)}" for name, new in taken.items()
    )
    on = " AND ".join(f"{_HERE}.{identifier(a)} = {_THERE}.{identifier(b)}" for a, b in keys)
    right = table_name(reference)
    if how == "first":
        cells = ", ".join(identifier(name) for _, name in keys)
        first = f"row_number() OVER (PARTITION BY {cells} ORDER BY {ROW}) = 1"
        right = f"(SELECT * FROM {right} QUALIFY {first})"
    word = {"left": "LEFT", "first": "LEFT", "inner": "INNER"}.get(how, how.upper())

    def sql(table: str) -> str:
        joined = f"{table} {_HERE} {word} JOIN {right} {_THERE} ON {on}"
        if how in {"semi", "anti"}:
            return f"SELECT {_HERE}.{ROW}{here} FROM {joined}"
        order = f"{_HERE}.{ROW}, {_THERE}.{ROW}"
        return f"SELECT row_number() OVER (ORDER BY {order}) AS {ROW}{here}{beside} FROM {joined}"

    return Whole(
        schema=schema,
        sql=sql,
        frame=f"joined(df, tables[{reference!r}], {keys!r}, {how!r}, {taken!r})",
        rows=lambda rows: _joined(rows, step.others[reference], keys, (how, taken)),
    )


def _joined(
    rows: list[Cells],
    others: list[Cells],
    keys: list[tuple[str, str]],
    what: tuple[str, dict[str, str]],
) -> list[Cells]:
    how, taken = what
    there: dict[tuple[Any, ...], list[Cells]] = {}
    for other in others:
        there.setdefault(tuple(other[right] for _, right in keys), []).append(other)
    nothing: Cells = dict.fromkeys(taken)
    found = []
    for row in rows:
        key = tuple(row[left] for left, _ in keys)
        matches = [] if None in key else there.get(key, [])
        if how in {"semi", "anti"}:
            if bool(matches) == (how == "semi"):
                found.append(row)
            continue
        if how == "first":
            matches = matches[:1]
        if not matches and how in {"left", "first"}:
            matches = [nothing]
        found += [row | {new: match[name] for name, new in taken.items()} for match in matches]
    return found


def _union(step: Context) -> Plan:
    reference, there = _other(step)
    kinds: dict[str, Kind] = dict(step.schema)
    for name, kind in there.items():
        before = kinds.get(name, kind)
        if before != kind and {before, kind} <= set(NUMERIC):
            kinds[name] = "number"
        elif before != kind:
            raise step.wrong(f"{name!r} holds {before} here and {kind} in {reference!r}.",
                             "Cast one of them before.")  # fmt: skip
        else:
            kinds[name] = kind
    if "other" in kinds.values():
        raise step.wrong("columns of nested values can't be stacked.", "Drop them before.")

    def side(table: str, known: Any, place: int) -> str:
        cells = ", ".join(
            f"CAST({identifier(name) if name in known else 'NULL'} AS {SQL_TYPES[kind]}) "
            f"AS {identifier(name)}"
            for name, kind in kinds.items()
        )
        return f"SELECT {place} AS {_SIDE}, {ROW}, {cells} FROM {table}"

    def stacked(rows: list[Cells]) -> list[Cells]:
        found = []
        for row in (*rows, *step.others[reference]):
            cells: Cells = {name: row.get(name) for name in kinds}
            for name, kind in kinds.items():
                if kind == "number" and cells[name] is not None:
                    cells[name] = float(cells[name])
            found.append(cells)
        return found

    columns = ", ".join(map(identifier, kinds))
    dtypes = {name: FRAME_TYPES[kind] for name, kind in kinds.items()}
    return Whole(
        schema=kinds,
        sql=lambda table: (
            f"SELECT row_number() OVER (ORDER BY {_SIDE}, {ROW}) AS {ROW}, {columns} "
            f"FROM ({side(table, step.schema, 0)} UNION ALL "
            f"{side(table_name(reference), there, 1)})"
        ),
        frame=f"stacked(df, tables[{reference!r}], {dtypes!r})",
        rows=stacked,
    )


_DATASET = Parameter(name="dataset", kind="dataset", words="the other dataset: NAME or NAME@3")
_ON = Parameter(name="on", kind="mapping", words="{column here: column there}")
_TAKEN = Parameter(name="columns", kind="names", words="what is taken over; all if not given",
                   required=False)  # fmt: skip
_SUFFIX = Parameter(name="suffix", kind="text", words="behind names that are here already",
                    required=False, default="_other")  # fmt: skip
_NO: Serving = "no"

register(Operation(
    name="join", group="tables", words="Join {dataset} on {on} ({how})",
    plan=lambda step: _join(step, step["how"]), serving=_NO,
    parameters=(
        _DATASET, _ON,
        Parameter(name="how", kind="choice", words="left keeps all rows; inner those with a match; "
                  "semi and anti those with and without one, without its columns",
                  choices=("left", "inner", "semi", "anti"), required=False, default="left"),
        _TAKEN, _SUFFIX,
    ),
    cases=({"dataset": "second", "on": {"word": "word"}},
           {"dataset": "second", "on": {"word": "word", "key": "key"}, "how": "inner",
            "columns": ["points", "number"]},
           {"dataset": "second", "on": {"word": "word"}, "how": "semi"},
           {"dataset": "second", "on": {"word": "word", "key": "key"}, "how": "anti"}),
))  # fmt: skip
register(Operation(
    name="lookup", group="tables", words="Look {columns} up in {dataset} by {on}",
    plan=lambda step: _join(step, "first"), serving=_NO,
    parameters=(_DATASET, _ON, _TAKEN, _SUFFIX),
    cases=({"dataset": "second", "on": {"word": "word"}, "columns": ["points"]},),
))  # fmt: skip
register(Operation(
    name="union", group="tables", words="Put the rows of {dataset} below", plan=_union,
    parameters=(_DATASET,), serving=_NO, cases=({"dataset": "second"},),
))  # fmt: skip
