"""Trigger conditions: the part of the Common Expression Language that compiled pipelines use.

Texts are parsed, never evaluated as Python. Grammar (https://github.com/google/cel-spec):

    or    := and ("||" and)*            and   := not ("&&" not)*
    not   := "!" not | compare          compare := value (("==" | "!=" | "<" | ...) value)?
    value := literal | inputs.parameter_values['name'] | cast "(" or ")" | "(" or ")"
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from athanor.pipelines.errors import BadCondition

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
  | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<name>[A-Za-z_][\w.]*)
  | (?P<mark>\|\||&&|==|!=|<=|>=|[<>!()\[\]])
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_PARAMETERS = {"inputs.parameter_values", "inputs.parameters"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
_CASTS: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "double": float,
    "string": lambda value: str(value).lower() if isinstance(value, bool) else str(value),
    "bool": lambda value: value if isinstance(value, bool) else str(value).lower() == "true",
}
_MAX_DEPTH = 100
_CHANNEL = "pipelinechannel--"
_PARAMETER = re.compile(r"""inputs\.parameter(?:_value)?s\[(['"])(?P<name>(?:(?!\1).)*)\1\]""")
_LONGEST = 60
"""Characters of a value that are told."""


def holds(condition: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a condition is true for these input parameters.

    Raises: BadCondition.
    """
    return _Reader(condition, parameters).read()


def check_words(condition: str) -> None:
    """See that a condition is made of what conditions may have, whatever its parameters will be.

    Raises: BadCondition.
    """
    _Reader(condition, {})


def in_words(condition: str, parameters: Mapping[str, Any]) -> str:
    """A condition as people read it, and what its parameters are: `gate.passed == true (false)`."""
    values = []

    def named(match: re.Match[str]) -> str:
        values.append(_short(parameters.get(match["name"])))
        task, _, output = match["name"].removeprefix(_CHANNEL).partition("--")
        return f"{task}.{output}" if output else task

    told = _PARAMETER.sub(named, condition)
    return f"{told} ({', '.join(values)})" if values else told


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class _Reader:
    def __init__(self, text: str, parameters: Mapping[str, Any]) -> None:
        self._text = text
        self._parameters = parameters
        self._tokens = self._split()
        self._at = 0
        self._depth = 0

    def read(self) -> bool:
        value = self._either()
        if self._at < len(self._tokens):
            raise self._bad(f"{self._tokens[self._at][1]!r} is not expected there.")
        return self._truth(value)

    def _split(self) -> list[tuple[str, str]]:
        tokens, position = [], 0
        text = self._text.strip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self._bad(f"{text[position : position + 12]!r} can't be read.")
            tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        if not tokens:
            raise self._bad("it is empty.")
        return tokens

    def _either(self) -> Any:
        value = self._both()
        while self._take("||"):
            other = self._both()
            value = self._truth(value) or self._truth(other)
        return value

    def _both(self) -> Any:
        value = self._negated()
        while self._take("&&"):
            other = self._negated()
            value = self._truth(value) and self._truth(other)
        return value

    def _negated(self) -> Any:
        if not self._take("!"):
            return self._compared()
        self._deeper()
        value = not self._truth(self._negated())
        self._depth -= 1
        return value

    def _compared(self) -> Any:
        left = self._value()
        for mark in ("==", "!=", "<=", ">=", "<", ">"):
            if self._take(mark):
                return self._compare(mark, left, self._value())
        return left

    def _compare(self, mark: str, left: Any, right: Any) -> bool:
        if isinstance(left, bool) != isinstance(right, bool):
            left, right = _CASTS["string"](left), _CASTS["string"](right)
        if mark in {"==", "!="}:
            return bool(left == right) is (mark == "==")
        try:
            return _COMPARE[mark](left, right)
        except TypeError:
            kinds = f"{type(left).__name__} and {type(right).__name__}"
            raise self._bad(f"{kinds} have no order ({mark}).") from None

    def _value(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1])
        if kind == "number":
            return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
        if kind == "name":
            return self._named(text)
        if text == "(":
            return self._inside()
        raise self._bad(f"{text!r} is not expected there.")

    def _named(self, name: str) -> Any:
        if name in {"true", "false"}:
            return name == "true"
        if name == "null":
            return None
        if name in _PARAMETERS:
            return self._parameter()
        if name in _CASTS and self._take("("):
            return self._cast(name, self._inside())
        raise self._bad(f"{name!r} is unknown.")

    def _parameter(self) -> Any:
        self._need("[")
        kind, text = self._next()
        if kind != "text":
            raise self._bad("a parameter's name in quotes must follow.")
        self._need("]")
        name = text[1:-1]
        if name not in self._parameters:
            raise self._bad(f"the parameter {name!r} has no value.")
        return self._parameters[name]

    def _cast(self, name: str, value: Any) -> Any:
        try:
            return _CASTS[name](value)
        except (TypeError, ValueError):
            raise self._bad(f"{value!r} is no {name}.") from None

    def _inside(self) -> Any:
        self._deeper()
        value = self._either()
        self._need(")")
        self._depth -= 1
        return value

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._bad("it is nested too deeply.")

    def _truth(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        raise self._bad(f"{value!r} is neither true nor false.")

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise self._bad("it ends too early.")
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _take(self, mark: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == ("mark", mark)
        self._at += found
        return found

    def _need(self, mark: str) -> None:
        if not self._take(mark):
            raise self._bad(f"{mark!r} is missing.")

    def _bad(self, reason: str) -> BadCondition:
        return BadCondition(self._text, reason)
