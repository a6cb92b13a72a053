"""From a filter's text to its clauses: what stands left of an operator, and right of it.

The grammar is MLflow's, which reads filters as SQL conditions: comparisons and lists of values,
joined by AND. Reading takes time in proportion to the text, whatever the text is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from athanor.tracking.errors import BadSearch

Kind = Literal["name", "text", "number", "list", "null", "operator", "word", "mark"]
LONGEST_QUOTE = 500
"""Characters of a caller's text that an error repeats, at most."""
MOST_CLAUSES = 100

_LETTER = "_A-Za-zÀ-Üà-ü"
_TOKEN = re.compile(
    rf"""
      (?P<space>\s+)
    | (?P<text>'(?:''|\\'|[^'])*')
    | (?P<name>"(?:""|\\"|[^"])*"|`(?:``|[^`])*`|(?<![\w\])])\[[^\]\[]+\])
    | (?P<number>-?\d+(?:\.\d+)?[eE]-?\d+
        |-?(?:\d+\.\d*|\.\d+)(?![{_LETTER}])
        |-?\d+(?![{_LETTER}]))
    | (?P<operator>(?<!\.)(?:not\s+)?(?:like|ilike|rlike)\b|[<>=~!]+)
    | (?P<word>\w[$\#\w]*)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_KEYWORDS = frozenset(
    {"ALL", "AND", "ANY", "AS", "ASC", "BETWEEN", "CASE", "DESC", "EXISTS", "FALSE", "FROM"}
    | {"HAVING", "IN", "IS", "JOIN", "LIMIT", "NOT", "NULL", "OR", "SELECT", "THEN", "TRUE"}
    | {"UNION", "WHERE"}
)
_OPERANDS = frozenset({"name", "text", "number", "list", "null"})


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a filter: an operand, an operator or a word between them."""

    kind: Kind
    text: str

    @property
    def upper(self) -> str:
        """The word itself, with one space between its parts."""
        return " ".join(self.text.upper().split())


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison, not yet judged."""

    left: Unit
    operator: str
    """Upper case."""
    right: Unit | None
    """None for IS NULL and IS NOT NULL."""


def clauses(text: str, *, quoted: bool) -> list[Clause]:
    """The clauses of a filter; `quoted` says how errors name what does not belong there.

    Raises: BadSearch.
    """
    check_characters(text, "filter")
    found: list[Clause] = []
    odd: list[Unit] = []
    units = list(_units(text))
    at = 0
    while at < len(units):
        clause, taken = _clause(units, at)
        if clause is not None:
            found.append(clause)
        elif units[at].kind != "word" or units[at].upper != "AND":
            odd.append(units[at])
        at += taken
    if odd:
        named = ", ".join(f"'{unit.text}'" if quoted else unit.text for unit in odd[:20])
        raise BadSearch(f"Invalid clause(s) in filter string: {shortened(named)}")
    if len(found) > MOST_CLAUSES:
        raise BadSearch(f"A filter holds at most {MOST_CLAUSES} comparisons; this has {len(found)}")
    return found


def single_statement(text: str) -> bool:
    """Whether nothing follows a semicolon outside quotes."""
    ended = False
    for found in _TOKEN.finditer(text):
        if ended and found.lastgroup != "space":
            return False
        ended = ended or found.group() == ";"
    return True


def check_characters(text: str, what: str) -> None:
    """Refuse what no database keeps in a text.

    Raises: BadSearch.
    """
    if "\x00" in text:
        raise BadSearch(f"The {what} holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadSearch(f"The {what} is no valid Unicode") from error


def shortened(text: str) -> str:
    """A caller's text as an error repeats it."""
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def names(text: str) -> list[Unit]:
    """The units of an order's text, spaces at both ends refused as a unit of their own."""
    units = list(_units(text))
    return units if text == text.strip() else [*units, Unit("mark", " ")]


def _clause(units: list[Unit], at: int) -> tuple[Clause | None, int]:
    """The clause that starts at a unit, if one does, and how many units it takes."""
    left = units[at]
    if left.kind not in _OPERANDS:
        return None, 1
    ahead = [unit.upper if unit.kind in {"word", "null"} else "" for unit in units[at + 1 : at + 4]]
    kinds = [unit.kind for unit in units[at + 1 : at + 4]]
    if kinds[:1] == ["operator"] and len(kinds) > 1 and kinds[1] in _OPERANDS:
        return Clause(left, units[at + 1].upper, units[at + 2]), 3
    if left.kind != "name":
        return None, 1
    if ahead[:1] == ["IN"] and kinds[1:2] == ["list"]:
        return Clause(left, "IN", units[at + 2]), 3
    if ahead[:2] == ["NOT", "IN"] and kinds[2:3] == ["list"]:
        return Clause(left, "NOT IN", units[at + 3]), 4
    if ahead[:2] == ["IS", "NULL"]:
        return Clause(left, "IS NULL", None), 3
    if ahead[:3] == ["IS", "NOT", "NULL"]:
        return Clause(left, "IS NOT NULL", None), 4
    return None, 1


def _units(text: str) -> Iterator[Unit]:
    tokens = [found for found in _TOKEN.finditer(text) if found.lastgroup != "space"]
    closing = _closing(tokens)
    at = 0
    while at < len(tokens):
        token = tokens[at]
        begin, kind, word = token.start(), token.lastgroup, token.group()
        last = at
        if word == "(" and at in closing:
            last = closing[at]
            yield Unit("list", text[begin : tokens[last].end()])
        elif kind == "name" or (kind == "word" and word.upper() not in _KEYWORDS):
            last = _end_of_name(tokens, at)
            yield Unit("name", text[begin : tokens[last].end()])
        elif kind == "word":
            yield Unit("null" if word.upper() == "NULL" else "word", word)
        elif kind == "text":
            yield Unit("text", word)
        elif kind == "number":
            yield Unit("number", word)
        elif kind == "operator":
            yield Unit("operator", word)
        else:
            yield Unit("mark", word)
        at = last + 1


def _closing(tokens: list[re.Match[str]]) -> dict[int, int]:
    """Where each bracket that is closed is closed."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for at, token in enumerate(tokens):
        if token.group() == "(":
            opened.append(at)
        elif token.group() == ")" and opened:
            pairs[opened.pop()] = at
    return pairs


def _end_of_name(tokens: list[re.Match[str]], at: int) -> int:
    """The last token of a name such as `metrics."my loss".top 5`, which starts at one."""
    while at + 1 < len(tokens) and tokens[at + 1].group() == ".":
        at += 1
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        if after is None:
            break
        touches = after.start() == tokens[at].end()
        keyword = after.lastgroup == "word" and after.group().upper() in _KEYWORDS
        if after.lastgroup in {"name", "text", "word"} and (touches or not keyword):
            at += 1
    return at
