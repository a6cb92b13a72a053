"""The functions of formulas, each with its kinds, its SQL, its pandas code and its scalar.

Functions are strict: where an argument is missing, so is the answer. The few that are not (if,
coalesce, and, or, is_missing) and arithmetic are written out in `forms`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from athanor.data.logic.recipes import patterns, scalars, zones
from athanor.data.logic.recipes.kinds import Kind
from athanor.kernel.sqltext import literal

Sql = str | Callable[[Sequence[str], Sequence[Any]], str]
_EARLIEST = "TIMESTAMP '0001-01-01 00:00:00'"
_LATEST = "TIMESTAMP '9999-12-31 23:59:59.999999'"
_BLANK = "(' ' || chr(9) || chr(10) || chr(13) || chr(11) || chr(12) || chr(160))"
_ACCENTED = "".join(
    chr(code)
    for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))
    if scalars.accented(chr(code))
)
_BARE = scalars.unaccented(_ACCENTED)


@dataclass(frozen=True, slots=True)
class Form:
    """A function for arguments of certain kinds."""

    takes: tuple[tuple[Kind, ...], ...]
    """The kinds that each argument may have; a number takes whole numbers too."""
    gives: Kind | None
    """None: the kind of the first argument."""
    sql: Sql
    """With {0}, {1} ... for the arguments; or made of their SQL and their literal values."""
    scalar: Callable[..., Any]
    frame: str = ""
    """Vectorised pandas code; "": the scalar, mapped."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function by its name."""

    name: str
    words: str
    """How it is written, and what it gives."""
    forms: tuple[Form, ...]
    literals: tuple[int, ...] = ()
    """Arguments that must be values, not columns."""
    least: int | None = None
    """For as many arguments as one likes: the fewest; the form's one kind holds for all."""


N: tuple[Kind, ...] = ("number",)
I: tuple[Kind, ...] = ("integer",)  # noqa: E741 - the kinds by their initials
B: tuple[Kind, ...] = ("boolean",)
T: tuple[Kind, ...] = ("text",)
D: tuple[Kind, ...] = ("date", "timestamp", "instant")
FUNCTIONS: dict[str, Function] = {}


def _offer(function: Function) -> None:
    FUNCTIONS[function.name] = function


def _simple(
    name: str, words: str, *forms: Form, literals: tuple[int, ...] = (), least: int | None = None
) -> None:
    _offer(Function(name, words, forms, literals, least))


def finite_sql(number: str) -> str:
    """SQL for a number, missing where it is not finite."""
    return f"CASE WHEN isfinite({number}) THEN {number} + 0.0 END"


def _round(sql: Sequence[str], values: Sequence[Any]) -> str:
    number, scale = sql[0], repr(10.0 ** values[1])
    near = f"floor(abs({number}) * {scale} + 0.5) / {scale}"
    return (
        f"CASE WHEN abs({number}) >= 4503599627370496.0 OR NOT isfinite(abs({number}) * {scale}) "
        f"THEN {number} WHEN {number} < 0 THEN -({near}) + 0.0 ELSE {near} END"
    )


def _as_integer(sql: Sequence[str], values: Sequence[Any]) -> str:
    del values
    return f"TRY_CAST({_round(sql, (None, 0))} AS BIGINT)"


def _numbers() -> None:
    _simple("abs", "abs(x): without its sign",
            Form((I,), "integer", "TRY_CAST(abs(CAST({0} AS HUGEINT)) AS BIGINT)",
                 lambda a: scalars.whole(abs(a))),
            Form((N,), "number", "abs({0})", abs, "{0}.abs()"))  # fmt: skip
    _simple("sign", "sign(x): -1, 0 or 1",
            Form((N,), "number", "CAST(sign({0}) AS DOUBLE)", scalars.sign_of))  # fmt: skip
    _simple("round", "round(x, 2): to so many decimals (0 to 15), halves away from nought",
            Form((N, I), "number", _round, scalars.round_to), literals=(1,))  # fmt: skip
    _simple("floor", "floor(x): the greatest whole number up to x",
            Form((N,), "number", "(floor({0}) + 0.0)", scalars.floor_of))  # fmt: skip
    _simple("ceil", "ceil(x): the least whole number from x on",
            Form((N,), "number", "(ceil({0}) + 0.0)", scalars.ceiling_of))  # fmt: skip
    _simple("sqrt", "sqrt(x): the square root; missing below 0",
            Form((N,), "number", "CASE WHEN {0} >= 0 THEN sqrt({0}) END",
                 scalars.square_root))  # fmt: skip
    _simple("exp", "exp(x): e to the x",
            Form((N,), "number", "nullif(exp({0}), CAST('Infinity' AS DOUBLE))",
                 scalars.exponential))  # fmt: skip
    _simple("ln", "ln(x): the natural logarithm; missing unless x > 0",
            Form((N,), "number", "CASE WHEN {0} > 0 THEN ln({0}) + 0.0 END",
                 scalars.logarithm))  # fmt: skip
    _simple("log10", "log10(x): the logarithm to base 10; missing unless x > 0",
            Form((N,), "number", "CASE WHEN {0} > 0 THEN log10({0}) + 0.0 END",
                 scalars.logarithm10))  # fmt: skip
    _simple("sin", "sin(x): of an angle in radians",
            Form((N,), "number", "(sin({0}) + 0.0)", scalars.sine))  # fmt: skip
    _simple("cos", "cos(x): of an angle in radians",
            Form((N,), "number", "(cos({0}) + 0.0)", scalars.cosine))  # fmt: skip
    _simple("power", "power(x, y): x to the y; missing where that is no finite number",
            Form((N, N), "number", lambda sql, _: finite_sql(f"TRY(pow({sql[0]}, {sql[1]}))"),
                 scalars.power))  # fmt: skip
    remainder = "TRY(CAST((CAST({0} AS HUGEINT) % {1} + {1}) % {1} AS BIGINT))"
    _simple("mod", "mod(a, b) or a % b: the remainder of whole numbers, with the sign of b",
            Form((I, I), "integer", remainder, scalars.modulo))  # fmt: skip
    for name, words, python in (("least", "smallest", min), ("greatest", "greatest", max)):
        forms = [
            Form((kinds,), kinds[0] if len(kinds) == 1 else None, _extreme(name), python)
            for kinds in (I, N, T, *((kind,) for kind in D))
        ]
        _simple(name, f"{name}(a, b, ...): the {words}; missing if any is", *forms, least=2)


def _extreme(name: str) -> Callable[[Sequence[str], Sequence[Any]], str]:
    def write(sql: Sequence[str], values: Sequence[Any]) -> str:
        del values
        known = " AND ".join(f"{item} IS NOT NULL" for item in sql)
        return f"CASE WHEN {known} THEN {name}({', '.join(sql)}) END"

    return write


def _texts() -> None:
    _simple("upper", "upper(t): in upper case", Form((T,), "text", "upper({0})", scalars.upper))
    _simple("lower", "lower(t): in lower case", Form((T,), "text", "lower({0})", scalars.lower))
    _simple("capitalize", "capitalize(t): its first letter in upper case, the rest in lower case",
            Form((T,), "text", "upper(substr({0}, 1, 1)) || lower(substr({0}, 2))",
                 scalars.capitalize))  # fmt: skip
    _simple("trim", "trim(t): without spaces around",
            Form((T,), "text", f"trim({{0}}, {_BLANK})", scalars.trim))  # fmt: skip
    bare = f"translate({{0}}, {literal(_ACCENTED)}, {literal(_BARE)})"
    _simple("unaccent", "unaccent(t): Latin letters without accents",
            Form((T,), "text", bare, scalars.unaccented))  # fmt: skip
    _simple("length", "length(t): characters",
            Form((T,), "integer", "length({0})", scalars.length, "{0}.str.len()"))  # fmt: skip
    _simple("concat", "concat(a, b, ...): texts one after the other; missing if any is",
            Form((T,), "text", lambda sql, _: _joined(sql),
                 lambda *parts: "".join(parts)), least=2)  # fmt: skip
    _simple("slice", "slice(t, 1, 3): so many characters from the first (1) on",
            Form((T, I, I), "text", "substr({0}, {1}, {2})", scalars.slice_of),
            literals=(1, 2))  # fmt: skip
    _simple("replace", "replace(t, 'find', 'by'): every occurrence replaced",
            Form((T, T, T), "text", "replace({0}, {1}, {2})", scalars.replace_in,
                 "{0}.str.replace({1}, {2}, regex=False)"), literals=(1, 2))  # fmt: skip
    _simple("contains", "contains(t, 'part'): whether the part stands in it",
            Form((T, T), "boolean", "contains({0}, {1})", scalars.contains))  # fmt: skip
    _simple("starts_with", "starts_with(t, 'part'): whether it begins so",
            Form((T, T), "boolean", "starts_with({0}, {1})", scalars.starts_with))  # fmt: skip
    _simple("ends_with", "ends_with(t, 'part'): whether it ends so",
            Form((T, T), "boolean", "suffix({0}, {1})", scalars.ends_with))  # fmt: skip
    for name, order, scalar in (
        ("pad_start", "repeat({2}, {1} - length({0})) || {0}", scalars.pad_start),
        ("pad_end", "{0} || repeat({2}, {1} - length({0}))", scalars.pad_end),
    ):
        sql = f"CASE WHEN length({{0}}) < {{1}} THEN {order} ELSE {{0}} END"
        _simple(name, f"{name}(t, 5, '0'): at least so wide, filled with a character",
                Form((T, I, T), "text", sql, scalar), literals=(1, 2))  # fmt: skip
    _simple("part", "part(t, '-', 1): the first part between separators; missing if there is none",
            Form((T, T, I), "text", "string_split({0}, {1})[{2}]", scalars.part_of),
            literals=(1, 2))  # fmt: skip
    rest = (
        "CASE WHEN len(string_split({0}, {1})) >= {2} "
        "THEN array_to_string(string_split({0}, {1})[{2}:], {1}) END"
    )
    _simple("rest", "rest(t, '-', 2): all from the second part on; missing if there is none",
            Form((T, T, I), "text", rest, scalars.rest_of), literals=(1, 2))  # fmt: skip
    _simple("hash_bucket", "hash_bucket(t, 100): 0 to 99, by the text's MD5",
            Form((T, I), "integer",
                 "CAST('0x' || substr(md5({0}), 1, 8) AS BIGINT) % {1}", scalars.hash_bucket),
            literals=(1,))  # fmt: skip
    _simple("sha256", "sha256(t): its SHA-256 in hexadecimal digits",
            Form((T,), "text", "sha256({0})", scalars.digest_of))  # fmt: skip


def _patterns() -> None:
    def found(sql: Sequence[str], values: Sequence[Any]) -> str:
        return f"regexp_matches({sql[0]}, {_re2(values[1])})"

    def taken(sql: Sequence[str], values: Sequence[Any]) -> str:
        pattern = _re2(values[1])
        return (
            f"CASE WHEN regexp_matches({sql[0]}, {pattern}) "
            f"THEN regexp_extract({sql[0]}, {pattern}, {values[2]}) END"
        )

    def replaced(sql: Sequence[str], values: Sequence[Any]) -> str:
        by = literal(str(values[2]).replace("\\", "\\\\"))
        return f"regexp_replace({sql[0]}, {_re2(values[1])}, {by}, 'g')"

    def counted(sql: Sequence[str], values: Sequence[Any]) -> str:
        return f"len(regexp_extract_all({sql[0]}, {_re2(values[1])}))"

    _simple("matches", "matches(t, '^[A-Z]'): whether the regular expression is found in it",
            Form((T, T), "boolean", found, scalars.matches), literals=(1,))  # fmt: skip
    _simple("extract", "extract(t, '([0-9]+)', 1): what the first group of the first match holds",
            Form((T, T, I), "text", taken, scalars.extract), literals=(1, 2))  # fmt: skip
    _simple("substitute", "substitute(t, '[0-9]+', '#'): every match replaced",
            Form((T, T, T), "text", replaced, scalars.substitute), literals=(1, 2))  # fmt: skip
    _simple("count_matches", "count_matches(t, '[a-z]+'): how many matches it holds",
            Form((T, T), "integer", counted, scalars.count_matches), literals=(1,))  # fmt: skip


def _re2(pattern: str) -> str:
    return literal(patterns.for_sql(pattern))


def _joined(texts: Sequence[str]) -> str:
    """Texts one after the other; by halves, as DuckDB reads no expression of a thousand levels."""
    if len(texts) <= 8:
        return "(" + " || ".join(texts) + ")"
    middle = len(texts) // 2
    return f"({_joined(texts[:middle])} || {_joined(texts[middle:])})"


def _times() -> None:
    for name, sql, scalar in (
        ("year", "year", scalars.year),
        ("quarter", "quarter", scalars.quarter),
        ("month", "month", scalars.month),
        ("day", "day", scalars.day),
        ("weekday", "isodow", scalars.weekday),
        ("day_of_year", "dayofyear", scalars.day_of_year),
        ("week", "weekofyear", scalars.week),
        ("hour", "hour", scalars.hour),
        ("minute", "minute", scalars.minute),
        ("second", "second", scalars.second),
    ):
        frame = f"{{0}}.dt.{name}.astype('Int64')" if name in {"year", "month", "day"} else ""
        _simple(name, f"{name}(d): {(scalar.__doc__ or '').rstrip('.')}",
                Form((D,), "integer", f"{sql}({{0}})", scalar, frame))  # fmt: skip
    _simple("truncate", "truncate(d, 'month'): the beginning of its year, quarter, month, week, "
            "day, hour or minute",
            Form((D, T), None, "date_trunc({1}, {0})", scalars.truncate),
            literals=(1,))  # fmt: skip
    _simple("shift", "shift(d, 30, 'days'): years, months, weeks, days, hours, minutes or "
            "seconds later",
            Form((D, I, T), None, _shifted, scalars.shift), literals=(2,))  # fmt: skip
    _simple("difference", "difference(a, b, 'days'): from a to b, in days, hours, minutes or "
            "seconds",
            Form((D, D, T), "number", _difference, scalars.difference), literals=(2,))  # fmt: skip
    _simple("in_zone", "in_zone(i, 'Europe/Berlin'): the wall clock of a zone at an instant",
            Form((("instant",), T), "timestamp",
                 lambda sql, values: zones.in_zone_sql(sql[0], values[1]),
                 scalars.in_zone), literals=(1,))  # fmt: skip
    _simple("from_zone", "from_zone(d, 'Europe/Berlin'): the instant of a wall clock's time",
            Form((("timestamp", "date"), T), "instant",
                 lambda sql, values: zones.from_zone_sql(sql[0], values[1]),
                 scalars.from_zone), literals=(1,))  # fmt: skip
    _simple("parsed_time", "written by parse_date and parse_timestamp",
            Form((T, T, T), "timestamp", _parsed, scalars.parse_time), literals=(1, 2))  # fmt: skip


def _shifted(sql: Sequence[str], values: Sequence[Any]) -> str:
    unit = values[2]
    amount = f"CAST({sql[1]} AS {'DOUBLE' if unit == 'seconds' else 'BIGINT'})"
    if unit in {"years", "months", "weeks", "days"}:
        amount = f"CAST({sql[1]} AS INTEGER)"
    later = f"TRY({sql[0]} + to_{unit}({amount}))"
    # Not abs(), which fails for the least whole number.
    most = 20_000 if unit == "years" else 1_000_000_000
    near = f"{sql[1]} BETWEEN -{most} AND {most}"
    return f"CASE WHEN {near} AND {later} BETWEEN {_EARLIEST} AND {_LATEST} THEN {later} END"


_SIZES = {"days": 86_400_000_000, "hours": 3_600_000_000, "minutes": 60_000_000, "seconds": 1e6}


def _difference(sql: Sequence[str], values: Sequence[Any]) -> str:
    size = float(_SIZES[values[2]])
    return f"(CAST(epoch_us({sql[1]}) - epoch_us({sql[0]}) AS DOUBLE) / {size!r} + 0.0)"


def _parsed(sql: Sequence[str], values: Sequence[Any]) -> str:
    pattern, order = literal(r"\A" + patterns.for_sql(values[1]) + r"\z"), values[2]
    bare = f"trim({sql[0]}, {_BLANK})"

    def piece(letter: str) -> str:
        return f"regexp_extract({bare}, {pattern}, {order.index(letter) + 1})"

    def number(letter: str, otherwise: str) -> str:
        return f"CAST({piece(letter)} AS BIGINT)" if letter in order else otherwise

    year = number("Y", "1970")
    if "y" in order:
        short = number("y", "")
        year = f"({short} + CASE WHEN {short} < 69 THEN 2000 ELSE 1900 END)"
    month = number("m", "1")
    if "b" in order:
        months = "'" + "', '".join(scalars._SHORT) + "'"  # noqa: SLF001 - one table of them
        month = f"nullif(list_position([{months}], lower({piece('b')})[1:3]), 0)"
    made = f"make_timestamp({year}, {month}, {number('d', '1')}, {number('H', '0')}, "
    made += f"{number('M', '0')}, CAST({number('S', '0')} AS DOUBLE))"
    if "f" in order:
        made += f" + to_microseconds(CAST(rpad({piece('f')}, 6, '0')[1:6] AS BIGINT))"
    ranges = [f"regexp_matches({bare}, {pattern})"]
    for letter, least, most in (("Y", 1, 9999), ("H", 0, 23), ("M", 0, 59), ("S", 0, 59)):
        if letter in order:
            ranges.append(f"TRY({number(letter, '')}) BETWEEN {least} AND {most}")
    return f"CASE WHEN {' AND '.join(ranges)} THEN TRY({made}) END"


def _casts() -> None:
    _simple("text", "text(x): as text",
            Form((T,), "text", "{0}", scalars.value_or_none, "{0}"),
            Form((I,), "text", "CAST({0} AS VARCHAR)", scalars.integer_to_text),
            Form((N,), "text", "CAST({0} AS VARCHAR)", scalars.number_to_text),
            Form((B,), "text", "CAST({0} AS VARCHAR)", scalars.boolean_to_text),
            Form((("date",),), "text", "strftime({0}, '%Y-%m-%d')", scalars.date_to_text),
            Form((("timestamp", "instant"),), "text", "strftime({0}, '%Y-%m-%d %H:%M:%S.%f')",
                 scalars.timestamp_to_text))  # fmt: skip
    number = (
        f"CASE WHEN regexp_matches(trim({{0}}, {_BLANK}), "
        r"'\A[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\z') THEN "
        f"nullif(nullif(TRY_CAST(trim({{0}}, {_BLANK}) AS DOUBLE), CAST('Infinity' AS DOUBLE)), "
        "CAST('-Infinity' AS DOUBLE)) + 0.0 END"
    ).replace("{", "{{").replace("}", "}}").replace("{{0}}", "{0}")  # fmt: skip
    _simple("number", "number(x): as a number; missing where it is none",
            Form((I,), "number", "CAST({0} AS DOUBLE)", float, "{0}.astype('Float64')"),
            Form((N,), "number", "{0}", scalars.value_or_none, "{0}"),
            Form((B,), "number", "CAST({0} AS DOUBLE)", float, "{0}.astype('Float64')"),
            Form((T,), "number", number, scalars.text_to_number))  # fmt: skip
    integer = (
        f"CASE WHEN regexp_matches(trim({{0}}, {_BLANK}), '\\A[+-]?[0-9]+\\z') "
        f"AND length(trim({{0}}, {_BLANK})) <= 40 "
        f"THEN TRY_CAST(trim({{0}}, {_BLANK}) AS BIGINT) END"
    )
    _simple("integer", "integer(x): the nearest whole number; missing where there is none",
            Form((I,), "integer", "{0}", scalars.value_or_none, "{0}"),
            Form((N,), "integer", _as_integer, scalars.number_to_integer),
            Form((B,), "integer", "CAST({0} AS BIGINT)", int, "{0}.astype('Int64')"),
            Form((T,), "integer", integer, scalars.text_to_integer))  # fmt: skip
    words = f"lower(trim({{0}}, {_BLANK}))"
    _simple("boolean", "boolean(x): true, yes, t, y, 1 or false, no, f, n, 0; missing for others",
            Form((B,), "boolean", "{0}", scalars.value_or_none, "{0}"),
            Form((I,), "boolean", "({0} <> 0)", bool), Form((N,), "boolean", "({0} <> 0)", bool),
            Form((T,), "boolean",
                 f"CASE WHEN {words} IN ('true', 't', 'yes', 'y', '1') THEN true "
                 f"WHEN {words} IN ('false', 'f', 'no', 'n', '0') THEN false END",
                 scalars.text_to_boolean))  # fmt: skip
    _simple("date", "date(x): its day; a text is read as 2026-01-31 (others: parse_date)",
            Form((D,), "date", "date_trunc('day', {0})",
                 lambda a: scalars.truncate(a, "day"), "{0}.dt.normalize()"))  # fmt: skip
    _simple("timestamp", "timestamp(x): as a time without zone (an instant: in UTC)",
            Form((D,), "timestamp", "{0}", scalars.value_or_none, "{0}"))  # fmt: skip
    _simple("instant", "instant(x): a time that is meant in UTC (others: from_zone)",
            Form((D,), "instant", "{0}", scalars.value_or_none, "{0}"))  # fmt: skip


for _fill in (_numbers, _texts, _patterns, _times, _casts):
    _fill()

WRITTEN_OUT: Mapping[str, str] = {
    "if": "if(condition, a, b): a where the condition holds, else b",
    "coalesce": "coalesce(a, b, ...): the first that is not missing",
    "is_missing": "is_missing(x) or x is null: whether it is missing",
    "null_if": "null_if(x, y): missing where x equals y, else x",
    "parse_date": "parse_date(t, '%d.%m.%Y'): a day; with %Y %y %m %d %b",
    "parse_timestamp": "parse_timestamp(t, '%Y-%m-%d %H:%M'): a time; also %H %M %S %f",
    "format_time": "format_time(d, '%Y-%m'): with %Y %m %d %H %M %S",
}
"""Functions that `forms` writes out, and how they are written."""
