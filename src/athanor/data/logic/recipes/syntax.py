"""Formulas: text becomes a tree of literals, columns and calls. Nothing is ever evaluated.

A formula knows numbers, 'texts', true, false, null, columns (by name, or in double quotes or
backquotes where the name is not a word), + - * / %, comparisons, and, or, not, `x in (1, 2)`,
`x is null`, `x between a and b`, and functions of a fixed table. There are no attributes, no
subscripts, no assignments and no calls of anything else.
"""

import re
from dataclasses import dataclass
from typing import Any

from athanor.data.errors.recipes import BadFormula

MOST_CHARACTERS = 10_000
DEEPEST = 40
MOST_OPERATORS = 100
"""In one formula: each makes its tree a level deeper."""
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | '(?P<text>(?:[^']|'')*)'
    | "(?P<quoted>(?:[^"]|"")+)"
    | `(?P<ticked>[^`]+)`
    | (?P<word>[^\W\d]\w*)
    | (?P<sign><=|>=|<>|!=|==|&&|\|\||[-+*/%(),<>=!])
    )""",
    re.VERBOSE,
)
_COMPARED = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">",
             ">=": ">="}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the formula: bool, int, float, str, or None."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """A column."""

    name: str
    at: int = 0
    """Where it stands, in characters from 0."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator with its arguments."""

    function: str
    arguments: "tuple[Expression, ...]"
    at: int = 0


Expression = Literal | Name | Call


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parsed(formula: str) -> Expression:
    """The tree of a formula.

    Raises: BadFormula with the place.
    """
    if len(formula) > MOST_CHARACTERS:
        raise BadFormula(formula[:80], 0, f"it has more than {MOST_CHARACTERS} characters")
    return _Parser(formula).whole()


def call(function: str, *arguments: "Expression | bool | float | str | None") -> Call:
    """A call, plain values being literals."""
    return Call(
        function,
        tuple(
            item if isinstance(item, (Literal, Name, Call)) else Literal(item) for item in arguments
        ),
    )


def names_in(expression: Expression) -> list[str]:
    """The columns that an expression reads, each once."""
    if isinstance(expression, Name):
        return [expression.name]
    if isinstance(expression, Literal):
        return []
    return list(dict.fromkeys(n for item in expression.arguments for n in names_in(item)))


class _Parser:
    def __init__(self, formula: str) -> None:
        self._formula = formula
        self._tokens = self._read()
        self._place = 0
        self._depth = 0
        self._operators = 0

    def whole(self) -> Expression:
        found = self._either()
        if self._now.kind != "end":
            raise self._wrong(f"{self._now.text!r} is not expected here")
        return found

    def _read(self) -> list[_Token]:
        tokens, at = [], 0
        while at < len(self._formula):
            found = _TOKEN.match(self._formula, at)
            if found is None or found.lastgroup is None:
                if not self._formula[at:].strip():
                    break
                at += len(self._formula[at:]) - len(self._formula[at:].lstrip())
                raise BadFormula(self._formula, at, f"{self._formula[at]!r} means nothing here")
            kind = found.lastgroup
            text = found[kind]
            if kind == "text":
                text = text.replace("''", "'")
            elif kind in {"quoted", "ticked"}:
                kind, text = "column", text.replace('""', '"') if kind == "quoted" else text
            tokens.append(_Token(kind, text, found.start(found.lastgroup)))
            at = found.end()
        return [*tokens, _Token("end", "the end", len(self._formula))]

    @property
    def _now(self) -> _Token:
        return self._tokens[self._place]

    def _wrong(self, what: str) -> BadFormula:
        return BadFormula(self._formula, self._now.at, what)

    def _take(self, *signs: str) -> _Token | None:
        """The next token, if it is one of these signs or words."""
        token = self._now
        text = token.text.lower() if token.kind == "word" else token.text
        if token.kind in {"sign", "word"} and text in signs:
            self._place += 1
            return _Token(token.kind, text, token.at)
        return None

    def _expect(self, sign: str) -> None:
        if self._take(sign) is None:
            raise self._wrong(f"{sign!r} is expected, not {self._now.text!r}")

    def _either(self) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(f"it is nested more than {DEEPEST} deep")
        found = self._chain(self._both, {"or": "or", "||": "or"})
        self._depth -= 1
        return found

    def _both(self) -> Expression:
        return self._chain(self._negated, {"and": "and", "&&": "and"})

    def _chain(self, inner: Any, signs: dict[str, str]) -> Expression:
        found: Expression = inner()
        while token := self._take(*signs):
            self._operators += 1
            if self._operators > MOST_OPERATORS:
                what = f"it has more than {MOST_OPERATORS} operators"
                raise BadFormula(
                    self._formula, token.at, what, "Compute a part of it in a step before."
                )
            found = Call(signs[token.text], (found, inner()), token.at)
        return found

    def _negated(self) -> Expression:
        if token := self._take("not", "!"):
            self._depth += 1
            if self._depth > DEEPEST:
                raise self._wrong(f"it is nested more than {DEEPEST} deep")
            found = Call("not", (self._negated(),), token.at)
            self._depth -= 1
            return found
        return self._compared()

    def _compared(self) -> Expression:
        left = self._sum()
        if token := self._take(*_COMPARED):
            return Call(_COMPARED[token.text], (left, self._sum()), token.at)
        if token := self._take("is"):
            negated = self._take("not") is not None
            if self._take("null", "missing") is None:
                raise self._wrong("'null' is expected after 'is'")
            found = Call("is_missing", (left,), token.at)
            return Call("not", (found,), token.at) if negated else found
        turned = self._take("not")
        if token := self._take("in"):
            self._expect("(")
            choices = self._listed()
            found = Call("in", (left, *choices), token.at)
        elif token := self._take("between"):
            low = self._sum()
            self._expect("and")
            high = self._sum()
            found = Call("and", (Call(">=", (left, low), token.at),
                                 Call("<=", (left, high), token.at)), token.at)  # fmt: skip
        elif turned:
            raise self._wrong("'in' or 'between' is expected after 'not'")
        else:
            return left
        return Call("not", (found,), token.at) if turned else found

    def _sum(self) -> Expression:
        return self._chain(self._product, {"+": "+", "-": "-"})

    def _product(self) -> Expression:
        return self._chain(self._signed, {"*": "*", "/": "/", "%": "mod"})

    def _signed(self) -> Expression:
        if token := self._take("-"):
            self._depth += 1
            if self._depth > DEEPEST:
                raise self._wrong(f"it is nested more than {DEEPEST} deep")
            inner = self._signed()
            self._depth -= 1
            if isinstance(inner, Literal) and isinstance(inner.value, (int, float)):
                return Literal(-inner.value)
            return Call("negative", (inner,), token.at)
        while self._take("+"):
            pass
        if self._now.text == "-" and self._now.kind == "sign":
            return self._signed()
        return self._single()

    def _single(self) -> Expression:
        token = self._now
        self._place += 1
        if token.kind == "number":
            return self._number(token)
        if token.kind == "text":
            return Literal(token.text)
        if token.kind == "column":
            return Name(token.text, token.at)
        if token.kind == "word":
            return self._word(token)
        if token.kind == "sign" and token.text == "(":
            found = self._either()
            self._expect(")")
            return found
        self._place -= 1
        raise self._wrong(f"a value is expected, not {token.text!r}")

    def _number(self, token: _Token) -> Expression:
        if token.text.isdigit():
            whole = int(token.text) if len(token.text) < 25 else 1 << 64
            if whole >= 1 << 63:
                raise BadFormula(self._formula, token.at, "the whole number is beyond 64 bits")
            return Literal(whole)
        number = float(token.text)
        if number in {float("inf"), float("-inf")}:
            raise BadFormula(self._formula, token.at, "the number is too large")
        return Literal(number)

    def _word(self, token: _Token) -> Expression:
        if self._take("("):
            return Call(token.text.lower(), tuple(self._listed()), token.at)
        constant = {"true": True, "false": False, "null": None}
        if token.text.lower() in constant:
            return Literal(constant[token.text.lower()])
        return Name(token.text, token.at)

    def _listed(self) -> list[Expression]:
        """Arguments up to the closing bracket."""
        if self._take(")"):
            return []
        found = [self._either()]
        while self._take(","):
            found.append(self._either())
        self._expect(")")
        return found
