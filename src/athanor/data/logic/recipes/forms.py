"""One typed expression, three times: DuckDB's SQL, pandas code, and a function of a row."""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from athanor.data.errors.recipes import BadFormula
from athanor.data.logic.recipes import scalars
from athanor.data.logic.recipes.functions import finite_sql
from athanor.data.logic.recipes.kinds import FRAME_TYPES, SQL_TYPES, Kind
from athanor.data.logic.recipes.typed import ARITHMETIC, COMPARISONS, Typed
from athanor.kernel.sqltext import identifier, literal

Row = Mapping[str, Any]
Cell = Callable[[Row], Any]
_LONGEST = 400_000
_MOST = (1 << 63) - 1


# SQL


def sql_of(expression: Typed) -> str:
    """The expression in DuckDB's SQL.

    Raises: BadFormula if it grows beyond all measure.
    """
    found = _sql(expression)
    if len(found) > _LONGEST:
        raise BadFormula("", 0, "it is nested too deeply", "Make a column of its inner part first.")
    return found


def _sql(item: Typed) -> str:
    if item.what == "literal":
        return _sql_literal(item.value, item.kind)
    if item.what == "column":
        return identifier(item.value)
    if item.what in ARITHMETIC:
        return finite_sql(_raw_sql(item)) if item.kind == "number" else _whole_sql(item)
    parts = [_sql(argument) for argument in item.arguments]
    if max(map(len, parts), default=0) > _LONGEST:
        raise BadFormula("", 0, "it is nested too deeply", "Make a column of its inner part first.")
    if item.what in COMPARISONS or item.what in {"and", "or"}:
        sign = "<>" if item.what == "!=" else item.what.upper()
        return f"({parts[0]} {sign} {parts[1]})"
    form = item.form
    if form is None:
        return _plain_sql(item, parts)
    if callable(form.sql):
        return form.sql(parts, [argument.value for argument in item.arguments])
    return form.sql.format(*parts)


def _plain_sql(item: Typed, parts: Sequence[str]) -> str:
    """What is no function of the table."""
    if item.what == "not":
        return f"(NOT {parts[0]})"
    if item.what == "in":
        return f"({parts[0]} IN ({', '.join(parts[1:])}))" if parts[1:] else "false"
    if item.what == "if":
        kind = SQL_TYPES.get(item.kind)
        cell = f"CASE WHEN {parts[0]} THEN {parts[1]} ELSE {parts[2]} END"
        return f"CAST({cell} AS {kind})" if kind else cell
    if item.what == "map_to":
        pairs = zip(parts[2::2], parts[3::2], strict=True)
        cases = " ".join(f"WHEN {key} THEN {value}" for key, value in pairs)
        return f"CAST(CASE {parts[0]} {cases} ELSE {parts[1]} END AS {SQL_TYPES[item.kind]})"
    if item.what == "coalesce":
        return f"coalesce({', '.join(parts)})"
    if item.what == "is_missing":
        return f"({parts[0]} IS NULL)"
    raise KeyError(item.what)


def _raw_sql(item: Typed) -> str:
    """Arithmetic on numbers, of which infinities are told apart at the end alone."""
    if item.what not in ARITHMETIC or item.kind != "number":
        return _sql(item)
    parts = [_raw_sql(argument) for argument in item.arguments]
    return f"(-{parts[0]})" if item.what == "negative" else f"({parts[0]} {item.what} {parts[1]})"


def _whole_sql(item: Typed) -> str:
    parts = [_sql(argument) for argument in item.arguments]
    wide = [f"CAST({part} AS HUGEINT)" for part in parts]
    inner = f"-{wide[0]}" if item.what == "negative" else f"{wide[0]} {item.what} {wide[1]}"
    return f"TRY_CAST({inner} AS BIGINT)"


def _sql_literal(value: Any, kind: Kind) -> str:
    if value is None:
        return f"CAST(NULL AS {SQL_TYPES.get(kind, 'VARCHAR')})"
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "number":
        return f"CAST({float(value)!r} AS DOUBLE)"
    if kind == "integer":
        return str(value) if value >= 0 else f"({value})"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
    return literal(str(value))


# pandas

_FRAME_SIGNS = {"and": "&", "or": "|", "=": "=="}


def frame_of(expression: Typed, frame: str = "df") -> str:
    """The expression as pandas code: a Series, or a plain value where it is a literal."""
    return _frame(expression, frame)


def _frame(item: Typed, frame: str) -> str:
    if item.what == "literal":
        return frame_literal(item.value)
    if item.what == "column":
        return f"{frame}[{item.value!r}]"
    if item.what in ARITHMETIC:
        if item.kind == "number":
            return f"as_number({_raw_frame(item, frame)})"
        inner = [f"{_frame(argument, frame)}" for argument in item.arguments]
        sign = {"+": "add", "-": "subtract", "*": "multiply", "negative": "negative"}[item.what]
        return f"whole_numbers({sign!r}, {', '.join(inner)})"
    parts = [_frame(argument, frame) for argument in item.arguments]
    form = item.form
    if form is None:
        return _plain_frame(item, parts)
    if form.frame:
        return form.frame.format(*parts)
    name = getattr(form.scalar, "__name__", "")
    return f"each({FRAME_TYPES[item.kind]!r}, {_scalar_name(item, name)}, {', '.join(parts)})"


def _plain_frame(item: Typed, parts: Sequence[str]) -> str:
    """What is no function of the table."""
    if item.what in COMPARISONS:
        sign = _FRAME_SIGNS.get(item.what, item.what)
        if item.arguments[0].kind in {"integer", "number"}:
            return f"({parts[0]} {sign} {parts[1]})"
        return f"known({parts[0]} {sign} {parts[1]}, {', '.join(parts)})"
    if item.what in {"and", "or"}:
        return f"({parts[0]} {_FRAME_SIGNS[item.what]} {parts[1]})"
    if item.what == "not":
        return f"(~{parts[0]})"
    if item.what == "in":
        return f"known({parts[0]}.isin([{', '.join(parts[1:])}]), {parts[0]})"
    if item.what == "is_missing":
        return f"{parts[0]}.isna().astype('boolean')"
    if item.what == "map_to":
        pairs = ", ".join(f"{k}: {v}" for k, v in zip(parts[2::2], parts[3::2], strict=True))
        return f"mapped({FRAME_TYPES[item.kind]!r}, {parts[0]}, {{{pairs}}}, {parts[1]})"
    if item.what in {"if", "coalesce"}:
        helper = "choose" if item.what == "if" else "first_known"
        return f"{helper}({FRAME_TYPES.get(item.kind, 'object')!r}, {', '.join(parts)})"
    raise KeyError(item.what)


_LAMBDAS = {
    ("concat", "<lambda>"): "lambda *parts: ''.join(parts)",
    ("abs", "<lambda>"): "lambda a: whole(abs(a))",
    ("date", "<lambda>"): "lambda a: truncate(a, 'day')",
}


def _scalar_name(item: Typed, name: str) -> str:
    return _LAMBDAS.get((item.what, name), name)


def _raw_frame(item: Typed, frame: str) -> str:
    if item.what not in ARITHMETIC or item.kind != "number":
        return _frame(item, frame)
    parts = [_raw_frame(argument, frame) for argument in item.arguments]
    if item.what == "negative":
        return f"(-{parts[0]})"
    if item.what == "/":
        return f"quotient({parts[0]}, {parts[1]})"
    return f"({parts[0]} {item.what} {parts[1]})"


def frame_literal(value: Any) -> str:
    """A value in pandas code."""
    if value is None:
        return "pd.NA"
    if isinstance(value, datetime):
        return f"pd.Timestamp({value.isoformat(sep=' ')!r})"
    return repr(value)


# Rows


def cell_of(expression: Typed) -> Cell:
    """The expression as a function of a row."""
    return _cell(expression)


def _cell(item: Typed) -> Cell:
    if item.what == "literal":
        value = item.value
        return lambda _: value
    if item.what == "column":
        name = item.value
        return lambda row: row[name]
    if item.what in ARITHMETIC:
        return _finite(_raw_cell(item)) if item.kind == "number" else _whole_cell(item)
    parts = [_cell(argument) for argument in item.arguments]
    if item.what in COMPARISONS:
        # A whole number beside a number has become one already.
        return _strict(_COMPARE[item.what], parts)
    if item.what == "in":
        choices = {argument.value for argument in item.arguments[1:]}
        return _strict(lambda value: value in choices, parts[:1])
    if item.what == "map_to":
        return _mapped_cell(item, parts)
    if item.what in _LOGIC:
        return _LOGIC[item.what](parts)
    form = item.form
    if form is None:
        raise KeyError(item.what)
    return _strict(form.scalar, parts)


def _mapped_cell(item: Typed, parts: Sequence[Cell]) -> Cell:
    keys, values = item.arguments[2::2], item.arguments[3::2]
    known = {key.value: value.value for key, value in zip(keys, values, strict=True)}
    cell, otherwise = parts[:2]

    def found(row: Row) -> Any:
        value = cell(row)
        return known[value] if value is not None and value in known else otherwise(row)

    return found


_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _strict(function: Callable[..., Any], parts: Sequence[Cell]) -> Cell:
    if len(parts) == 1:
        [only] = parts

        def one(row: Row) -> Any:
            value = only(row)
            return None if value is None else function(value)

        return one

    def many(row: Row) -> Any:
        values = [part(row) for part in parts]
        return None if None in values else function(*values)

    return many


def _both(parts: Sequence[Cell]) -> Cell:
    left, right = parts

    def found(row: Row) -> Any:
        first, second = left(row), right(row)
        if first is False or second is False:
            return False
        return None if first is None or second is None else True

    return found


def _either(parts: Sequence[Cell]) -> Cell:
    left, right = parts

    def found(row: Row) -> Any:
        first, second = left(row), right(row)
        if first or second:
            return True
        return None if first is None or second is None else False

    return found


def _chosen(parts: Sequence[Cell]) -> Cell:
    condition, yes, no = parts
    return lambda row: yes(row) if condition(row) else no(row)


def _first(parts: Sequence[Cell]) -> Cell:
    def found(row: Row) -> Any:
        return next((value for part in parts if (value := part(row)) is not None), None)

    return found


_LOGIC: Mapping[str, Callable[[Sequence[Cell]], Cell]] = {
    "and": _both,
    "or": _either,
    "not": lambda parts: _strict(operator.not_, parts),
    "if": _chosen,
    "coalesce": _first,
    "is_missing": lambda parts: lambda row: parts[0](row) is None,
}


def _finite(raw: Cell) -> Cell:
    def found(row: Row) -> Any:
        value = raw(row)
        return None if value is None else scalars.finite(value)

    return found


_SIGNS: Mapping[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": scalars.divide,
    "negative": operator.neg,
}


def _raw_cell(item: Typed) -> Cell:
    if item.what not in ARITHMETIC or item.kind != "number":
        return _cell(item)
    return _strict(_SIGNS[item.what], [_raw_cell(argument) for argument in item.arguments])


def _whole_cell(item: Typed) -> Cell:
    function = _SIGNS[item.what]
    return _strict(
        lambda *values: scalars.whole(function(*values)),
        [_cell(argument) for argument in item.arguments],
    )


def constant(expression: Typed) -> Typed:
    """The expression with its constant parts worked out."""
    if expression.what in {"literal", "column"}:
        return expression
    arguments = tuple(constant(item) for item in expression.arguments)
    folded = Typed(expression.kind, expression.what, None, arguments, expression.form)
    if all(item.what == "literal" for item in arguments):
        return Typed(expression.kind, "literal", _cell(folded)({}))
    return folded
