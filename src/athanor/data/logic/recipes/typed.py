"""Kinds of formulas: every expression is checked against its columns before anything is written."""

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from athanor.data.errors.recipes import BadFormula
from athanor.data.logic.recipes import patterns, scalars
from athanor.data.logic.recipes.functions import FUNCTIONS, WRITTEN_OUT, Form
from athanor.data.logic.recipes.kinds import NUMERIC, TIMES, WORDS, Kind, Schema
from athanor.data.logic.recipes.syntax import Call, Expression, Literal, Name, parsed
from athanor.kernel.errors import nearest

ARITHMETIC = frozenset({"+", "-", "*", "/", "negative"})
COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
UNITS = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")
PARTS = ("year", "quarter", "month", "week", "day", "hour", "minute")
_ISO_DAY = "%Y-%m-%d"
_ISO_TIMES = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S",
              "%Y-%m-%dT%H:%M:%S.%f")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression whose kind is known."""

    kind: Kind
    what: str
    """"literal", "column" or the name of a function or operator."""
    value: Any = None
    """The literal's value, the column's name."""
    arguments: "tuple[Typed, ...]" = ()
    form: Form | None = None


def typed(source: str | Expression, schema: Schema, *, wanted: Sequence[Kind] = ()) -> Typed:
    """An expression with its kinds.

    Raises: BadFormula: unknown columns or functions, kinds that don't go together, or a result of
    another kind than the wanted ones.
    """
    formula = source if isinstance(source, str) else ""
    tree = parsed(source) if isinstance(source, str) else source
    found = _Typing(schema, formula).of(tree)
    if wanted and found.kind not in wanted:
        if found.kind == "integer" and "number" in wanted:
            return as_number(found)
        if found.what == "literal" and found.value is None:
            return Typed(wanted[0], "literal")
        words = " or ".join(WORDS[kind] for kind in wanted)
        raise BadFormula(formula, 0, f"it gives {WORDS[found.kind]}, but {words} is wanted")
    return found


def literal(value: Any, kind: Kind | None = None) -> Typed:
    """A value with its kind."""
    if kind is None:
        kind = _literal_kind(value)
    if kind == "number" and value is not None:
        value = float(value) + 0.0
    return Typed(kind, "literal", value)


def column(name: str, schema: Schema) -> Typed:
    """A column with its kind."""
    return Typed(schema[name], "column", name)


def as_number(expression: Typed) -> Typed:
    """A whole number as a number."""
    if expression.kind == "number":
        return expression
    if expression.what == "literal":
        return literal(expression.value, "number")
    return Typed("number", "number", None, (expression,), FUNCTIONS["number"].forms[0])


def _literal_kind(value: Any) -> Kind:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "timestamp" if isinstance(value, datetime) else "text"


class _Typing:
    def __init__(self, schema: Schema, formula: str) -> None:
        self._schema = schema
        self._formula = formula

    def of(self, tree: Expression) -> Typed:
        if isinstance(tree, Literal):
            return literal(tree.value)
        if isinstance(tree, Name):
            if tree.name not in self._schema:
                near = nearest(tree.name, self._schema)
                raise self._wrong(tree.at, f"there is no column {tree.name!r}", near)
            return column(tree.name, self._schema)
        return self._call(tree, tuple(self.of(item) for item in tree.arguments))

    def _wrong(self, at: int, what: str, hint: str = "") -> BadFormula:
        return BadFormula(self._formula, at, what, hint)

    def _call(self, call: Call, given: tuple[Typed, ...]) -> Typed:
        name = call.function
        if name in ARITHMETIC:
            return self._arithmetic(call, given)
        if name in COMPARISONS:
            left, right = self._alike(call, given)
            if left.kind == "boolean" and name not in {"=", "!="}:
                raise self._wrong(call.at, f"true and false know no {name!r}")
            return self._made("boolean", name, (left, right))
        if name in {"and", "or", "not"}:
            for item in given:
                if item.kind != "boolean" and not _is_null(item):
                    raise self._wrong(call.at, f"{name!r} joins conditions, not {WORDS[item.kind]}")
            nulls = tuple(literal(None, "boolean") if _is_null(item) else item for item in given)
            return self._made("boolean", name, nulls)
        if name == "in":
            return self._among(call, given)
        if name == "map_to":
            return self._mapped(call, given)
        if name in WRITTEN_OUT:
            return self._written_out(call, given)
        if name not in FUNCTIONS or name == "parsed_time":
            known = [*FUNCTIONS, *WRITTEN_OUT]
            raise self._wrong(call.at, f"there is no function {name!r}", nearest(name, known))
        return self._function(call, given)

    def _made(self, kind: Kind, what: str, arguments: tuple[Typed, ...],
              form: Form | None = None) -> Typed:  # fmt: skip
        return Typed(kind, what, None, arguments, form)

    def _arithmetic(self, call: Call, given: tuple[Typed, ...]) -> Typed:
        for item in given:
            if item.kind == "text" and not _is_null(item):
                hint = "Texts are joined by concat(a, b); numbers are read from texts by number(t)."
                raise self._wrong(call.at, f"{call.function!r} takes numbers, not text", hint)
            if item.kind not in NUMERIC and not _is_null(item):
                hint = "Times: difference(a, b, 'days'), shift(a, 1, 'days')." \
                    if item.kind in TIMES else ""  # fmt: skip
                words = WORDS[item.kind]
                raise self._wrong(call.at, f"{call.function!r} takes numbers, not {words}", hint)
        nulls = tuple(literal(None, "integer") if _is_null(item) else item for item in given)
        if call.function != "/" and all(item.kind == "integer" for item in nulls):
            return self._made("integer", call.function, nulls)
        return self._made("number", call.function, tuple(as_number(item) for item in nulls))

    def _alike(self, call: Call, given: Sequence[Typed]) -> list[Typed]:
        """The arguments as one kind: numbers and whole numbers, texts that stand for times."""
        known = [item for item in given if not _is_null(item)]
        kinds = {item.kind for item in known}
        if "other" in kinds:
            raise self._wrong(call.at, "nested values can't be compared")
        kind: Kind = known[0].kind if known else "text"
        times = [item.kind for item in known if item.kind in TIMES]
        if kinds <= set(NUMERIC) and len(kinds) > 1:
            kind = "number"
        elif times and (kinds - set(TIMES)) <= {"text"}:
            kind = "instant" if "instant" in times else times[0]
            if set(times) == {"date", "timestamp"}:
                kind = "timestamp"
            elif len(set(times)) > 1:
                hint = "Say what is meant: instant(d) or from_zone(d, 'Europe/Berlin')."
                raise self._wrong(call.at, "instants and times without zone are compared", hint)
        elif len(kinds) > 1:
            words = " and ".join(sorted(WORDS[item] for item in kinds))
            raise self._wrong(call.at, f"{words} don't go together")
        return [self._as(call, item, kind) for item in given]

    def _as(self, call: Call, item: Typed, kind: Kind) -> Typed:
        if _is_null(item):
            return literal(None, kind)
        if kind == "number":
            return as_number(item)
        if kind in TIMES and item.kind == "text":
            if item.what != "literal":
                hint = "Read the text first: parse_date(t, '%Y-%m-%d')."
                raise self._wrong(call.at, "a text is compared with a time", hint)
            return literal(self._time(call, item.value), kind)
        if kind != item.kind and item.what == "literal":
            return literal(item.value, kind)
        return item

    def _time(self, call: Call, text: str) -> datetime:
        for format_ in (_ISO_DAY, *_ISO_TIMES):
            found = scalars.parse_time(text, *patterns.date_pattern(format_))
            if found is not None:
                return found
        raise self._wrong(call.at, f"{text!r} is no time: write '2026-01-31 13:45:00'")

    def _among(self, call: Call, given: tuple[Typed, ...]) -> Typed:
        value, *choices = given
        if not choices or any(item.what != "literal" for item in choices):
            raise self._wrong(call.at, "'in' takes a list of values: x in ('a', 'b')")
        alike = self._alike(call, [value, *(item for item in choices if not _is_null(item))])
        return self._made("boolean", "in", tuple(alike))

    def _mapped(self, call: Call, given: tuple[Typed, ...]) -> Typed:
        """A cell, what others become, then keys and their values: no formula writes it."""
        cell, otherwise, *pairs = given
        keys = self._alike(call, [cell, *pairs[::2]])
        values = self._alike(call, [otherwise, *pairs[1::2]])
        mixed = [item for pair in zip(keys[1:], values[1:], strict=True) for item in pair]
        return self._made(values[0].kind, "map_to", (keys[0], values[0], *mixed))

    def _written_out(self, call: Call, given: tuple[Typed, ...]) -> Typed:
        name, count = call.function, len(given)
        wanted = {"if": 3, "is_missing": 1, "null_if": 2, "parse_date": 2, "parse_timestamp": 2,
                  "format_time": 2}.get(name, max(count, 1))  # fmt: skip
        if count != wanted:
            raise self._wrong(call.at, f"{name} takes {wanted} arguments; {count} were given",
                              f"Write {WRITTEN_OUT[name]}.")  # fmt: skip
        if name == "is_missing":
            return self._made("boolean", name, given)
        if name == "if":
            if given[0].kind != "boolean":
                raise self._wrong(call.at, "the first argument of 'if' is a condition")
            branches = self._alike(call, given[1:])
            return self._made(branches[0].kind, name, (given[0], *branches))
        if name == "coalesce":
            alike = tuple(self._alike(call, given))
            return self._made(alike[0].kind, name, alike)
        if name == "null_if":
            left, right = self._alike(call, given)
            equal = self._made("boolean", "=", (left, right))
            return self._made(left.kind, "if", (equal, literal(None, left.kind), left))
        form = given[1]
        if form.what != "literal" or not isinstance(form.value, str):
            raise self._wrong(call.at, f"the format of {name} is a text: {WRITTEN_OUT[name]}")
        if name == "format_time":
            return self._formatted(call, given[0], form.value)
        return self._parsed(call, given[0], form.value)

    def _parsed(self, call: Call, text: Typed, format_: str) -> Typed:
        try:
            pattern, order = patterns.date_pattern(format_)
        except patterns.Unfit as error:
            raise self._wrong(call.at, str(error)) from error
        if text.kind != "text":
            raise self._wrong(call.at, f"{call.function} reads text, not {WORDS[text.kind]}")
        form = FUNCTIONS["parsed_time"].forms[0]
        read = self._made("timestamp", "parsed_time", (text, literal(pattern), literal(order)),
                          form)  # fmt: skip
        if call.function == "parse_timestamp":
            return read
        return self._made("date", "date", (read,), FUNCTIONS["date"].forms[0])

    def _formatted(self, call: Call, time: Typed, format_: str) -> Typed:
        if time.kind not in TIMES:
            raise self._wrong(call.at, f"format_time takes times, not {WORDS[time.kind]}")
        parts: list[Expression | Typed] = []
        widths = {"Y": ("year", 4), "m": ("month", 2), "d": ("day", 2), "H": ("hour", 2),
                  "M": ("minute", 2), "S": ("second", 2)}  # fmt: skip
        place = 0
        while place < len(format_):
            letter = format_[place + 1] if place + 1 < len(format_) else ""
            if format_[place] == "%" and letter in widths:
                name, width = widths[letter]
                number = self._function(Call(name, (), call.at), (time,))
                text = self._function(Call("text", (), call.at), (number,))
                padded = (text, literal(width), literal("0"))
                parts.append(self._function(Call("pad_start", (), call.at), padded))
                place += 2
            elif format_[place] == "%":
                raise self._wrong(call.at, f"%{letter} is not known; there are %Y %m %d %H %M %S")
            else:
                parts.append(literal(format_[place]))
                place += 1
        pieces = tuple(item for item in parts if isinstance(item, Typed))
        if len(pieces) < 2:
            pieces = (*pieces, literal(""), literal(""))[:2]
        return self._function(Call("concat", (), call.at), pieces)

    def _function(self, call: Call, given: tuple[Typed, ...]) -> Typed:
        function = FUNCTIONS[call.function]
        wrote = f"Write {function.words}."
        if function.least is not None:
            if len(given) < function.least:
                raise self._wrong(
                    call.at, f"{call.function} takes at least {function.least}", wrote
                )
            given = tuple(self._alike(call, given))
        for place in function.literals:
            if place < len(given) and given[place].what != "literal":
                what = f"argument {place + 1} of {call.function} is a value, not a column"
                raise self._wrong(call.at, what, wrote)
        for form in function.forms:
            fitted = _fitted(form, given, variadic=function.least is not None)
            if fitted is not None:
                checked = self._checked(call, fitted)
                kind = form.gives or (checked[0].kind if checked else "text")
                if call.function == "shift" and kind == "date" and checked[2].value in UNITS[4:]:
                    kind = "timestamp"
                return self._made(kind, call.function, checked, form)
        words = ", ".join(WORDS[item.kind] for item in given) or "nothing"
        raise self._wrong(call.at, f"{call.function} does not take {words}", wrote)

    def _checked(self, call: Call, given: tuple[Typed, ...]) -> tuple[Typed, ...]:
        """The arguments, whose literal ones make sense for the function."""
        values = [item.value for item in given]
        rule = _RULES.get(call.function)
        if rule is not None:
            try:
                changed = rule(values)
            except patterns.Unfit as error:
                raise self._wrong(call.at, str(error)) from error
            return tuple(
                item if item.what != "literal" else Typed(item.kind, "literal", value)
                for item, value in zip(given, changed, strict=True)
            )
        return given


def _is_null(item: Typed) -> bool:
    return item.what == "literal" and item.value is None


def _fitted(form: Form, given: Sequence[Typed], *, variadic: bool) -> tuple[Typed, ...] | None:
    kinds = form.takes * len(given) if variadic else form.takes
    if len(kinds) != len(given):
        return None
    found = []
    for wanted, item in zip(kinds, given, strict=True):
        if item.kind in wanted and not _is_null(item):
            found.append(item)
        elif item.kind == "integer" and "number" in wanted:
            found.append(as_number(item))
        elif _is_null(item):
            found.append(literal(None, wanted[0]))
        else:
            return None
    return tuple(found)


def _need(holds: bool, words: str) -> None:  # noqa: FBT001 - a plain assertion
    if not holds:
        raise patterns.Unfit(words)


def _rule_round(values: list[Any]) -> list[Any]:
    _need(values[1] is not None and 0 <= values[1] <= 15, "decimals lie between 0 and 15")
    return values


def _rule_slice(values: list[Any]) -> list[Any]:
    _need(None not in values[1:] and 1 <= values[1] <= 1_000_000 and 0 <= values[2] <= 1_000_000,
          "a slice begins at 1 and has 0 or more characters")  # fmt: skip
    return values


def _rule_replace(values: list[Any]) -> list[Any]:
    _need(bool(values[1]) and values[2] is not None, "what is to be found is a text, not empty")
    return values


def _rule_pad(values: list[Any]) -> list[Any]:
    _need(values[1] is not None and 0 <= values[1] <= 1_000, "the width lies between 0 and 1,000")
    _need(values[2] is not None and len(values[2]) == 1, "the fill is one character")
    return values


def _rule_part(values: list[Any]) -> list[Any]:
    _need(bool(values[1]), "the separator is a text, not empty")
    _need(values[2] is not None and 1 <= values[2] <= 1_000_000, "parts are counted from 1")
    return values


def _rule_hash(values: list[Any]) -> list[Any]:
    _need(values[1] is not None and 1 <= values[1] <= 1 << 31, "there is at least 1 bucket")
    return values


def _rule_pattern(values: list[Any]) -> list[Any]:
    _need(values[1] is not None, "the pattern is a text")
    return [values[0], patterns.checked_pattern(values[1]), *values[2:]]


def _rule_substitute(values: list[Any]) -> list[Any]:
    _need(values[1] is not None and values[2] is not None, "the pattern is a text")
    return [values[0], patterns.checked_pattern(values[1], replaces=True), values[2]]


def _rule_count(values: list[Any]) -> list[Any]:
    _need(values[1] is not None, "the pattern is a text")
    return [values[0], patterns.checked_pattern(values[1], replaces=True)]


def _rule_extract(values: list[Any]) -> list[Any]:
    found = _rule_pattern(values)
    groups = patterns.groups_of(found[1])
    _need(values[2] is not None and 0 <= values[2] <= min(groups, 9),
          f"the pattern has {groups} groups: name one, or 0 for all of the match")  # fmt: skip
    return found


def _one_of(place: int, known: Sequence[str]) -> Any:
    def rule(values: list[Any]) -> list[Any]:
        _need(values[place] in known, f"the unit is one of {', '.join(known)}")
        return values

    return rule


def _rule_zone(values: list[Any]) -> list[Any]:
    try:
        zoneinfo.ZoneInfo(values[1] or "")
    except (ValueError, KeyError, OSError) as error:
        raise patterns.Unfit(f"there is no time zone {values[1]!r}") from error
    return values


_RULES: Mapping[str, Any] = {
    "round": _rule_round,
    "slice": _rule_slice,
    "replace": _rule_replace,
    "pad_start": _rule_pad,
    "pad_end": _rule_pad,
    "part": _rule_part,
    "rest": _rule_part,
    "hash_bucket": _rule_hash,
    "matches": _rule_pattern,
    "count_matches": _rule_count,
    "substitute": _rule_substitute,
    "extract": _rule_extract,
    "truncate": _one_of(1, PARTS),
    "shift": _one_of(2, UNITS),
    "difference": _one_of(2, ("days", "hours", "minutes", "seconds")),
    "in_zone": _rule_zone,
    "from_zone": _rule_zone,
}
