"""Regular expressions and date formats in the part that RE2 and Python read alike.

Patterns are read by Python's own parser and written anew from its tree, so that what is not known
to mean the same in both is refused: look-around, back-references, flags, repetitions of
repetitions (which make Python's engine run for ever on some texts).
"""

import importlib
import re
from typing import Any

# Python's own reading of patterns; it has no public name.
_PARSER: Any = importlib.import_module("re._parser")
_LONGEST = 1_000
_CLASSES = {
    "CATEGORY_DIGIT": "0-9",
    "CATEGORY_WORD": "0-9A-Za-z_",
    "CATEGORY_SPACE": r"\t\n\f\r ",
}
_NOT_CLASSES = {"CATEGORY_NOT_" + name.removeprefix("CATEGORY_"): text
                for name, text in _CLASSES.items()}  # fmt: skip
_PLACES = {
    "AT_BEGINNING": r"\A", "AT_BEGINNING_STRING": r"\A", "AT_END": r"\z", "AT_END_STRING": r"\z",
    "AT_BOUNDARY": r"\b", "AT_NON_BOUNDARY": r"\B",
}  # fmt: skip
_DIRECTIVES = {
    "Y": r"([0-9]{4})",
    "y": r"([0-9]{2})",
    "m": r"([0-9]{1,2})",
    "d": r"([0-9]{1,2})",
    "H": r"([0-9]{1,2})",
    "M": r"([0-9]{1,2})",
    "S": r"([0-9]{1,2})",
    "f": r"([0-9]{1,9})",
    "b": r"([A-Za-z]{3,9})",
}
FORMATS = ("%Y", "%y", "%m", "%d", "%H", "%M", "%S", "%f", "%b", "%B")


class Unfit(ValueError):
    """What is wrong with a pattern or format, in words."""


def checked_pattern(pattern: str, *, replaces: bool = False) -> str:
    r"""The pattern as both engines read it alike, for Python (`\Z` is RE2's `\z`).

    Raises: Unfit.
    """
    if len(pattern) > _LONGEST:
        raise Unfit(f"the pattern has more than {_LONGEST} characters")
    try:
        compiled = re.compile(pattern, re.ASCII)
        tree = _PARSER.parse(pattern, re.ASCII)
    except (re.error, RecursionError, OverflowError) as error:
        raise Unfit(f"the pattern can't be read: {error}") from error
    if compiled.flags & ~(re.ASCII | re.UNICODE):
        raise Unfit("flags such as (?i) are not known here; write [Aa] or lower() the text")
    if replaces and tree.getwidth()[0] == 0:
        raise Unfit("the pattern matches the empty text, which can't be replaced")
    return _written(tree, inside=False).replace(r"\z", r"\Z")


def for_sql(pattern: str) -> str:
    """A checked pattern as RE2 reads it."""
    return pattern.replace(r"\Z", r"\z")


def groups_of(pattern: str) -> int:
    """How many groups a checked pattern has."""
    return re.compile(pattern, re.ASCII).groups


def date_pattern(format_: str) -> tuple[str, str]:
    """The pattern of a date format, and the letters of its groups.

    Raises: Unfit.
    """
    pattern, order, place = "", "", 0
    while place < len(format_):
        character = format_[place]
        if character == "%" and place + 1 < len(format_):
            place += 1
            letter = "b" if format_[place] == "B" else format_[place]
            if letter == "%":
                pattern += "%"
            elif letter not in _DIRECTIVES or letter in order:
                why = "stands twice" if letter in order else "is not known"
                raise Unfit(f"%{format_[place]} {why}; there are {', '.join(FORMATS)}")
            else:
                pattern += _DIRECTIVES[letter]
                order += letter
        elif character.isspace():
            pattern += r"[\t\n\f\r ]+"
        else:
            pattern += re.escape(character)
        place += 1
    if not order:
        raise Unfit(f"the format names no part of a date; there are {', '.join(FORMATS)}")
    return pattern, order


def _written(tree: Any, *, inside: bool) -> str:
    return "".join(_item(str(name), value, repeated=inside) for name, value in tree)


def _item(name: str, value: Any, *, repeated: bool) -> str:
    if name == "LITERAL":
        return _character(value)
    if name == "NOT_LITERAL":
        return f"[^{_character(value)}]"
    if name == "ANY":
        return r"[^\n]"
    if name == "AT" and str(value) in _PLACES:
        return _PLACES[str(value)]
    if name == "IN":
        return _set(value)
    if name == "BRANCH":
        return "(?:" + "|".join(_written(branch, inside=repeated) for branch in value[1]) + ")"
    if name == "SUBPATTERN" and not value[1] and not value[2]:
        opening = "(?:" if value[0] is None else "("
        return f"{opening}{_written(value[3], inside=repeated)})"
    if name in {"MAX_REPEAT", "MIN_REPEAT"}:
        return _repeat(value, lazy=name == "MIN_REPEAT", repeated=repeated)
    raise Unfit("look-around, back-references and conditions are not known here")


def _repeat(value: Any, *, lazy: bool, repeated: bool) -> str:
    least, most, inner = int(value[0]), int(value[1]), value[2]
    endless = most == int(_PARSER.MAXREPEAT)
    many = endless or most > 1
    if many and repeated:
        raise Unfit("a repetition inside of a repetition is not known here")
    if least > 1_000 or (not endless and most > 1_000):
        raise Unfit("more than 1,000 repetitions are not known here")
    times = f"{{{least},{'' if endless else most}}}"
    text = _written(inner, inside=repeated or many)
    return f"(?:{text}){times}{'?' if lazy else ''}"


def _set(items: Any) -> str:
    parts, negated, outside = "", False, []
    for name, value in ((str(item[0]), item[1]) for item in items):
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            parts += _character(value)
        elif name == "RANGE":
            parts += f"{_character(value[0])}-{_character(value[1])}"
        elif name == "CATEGORY" and str(value) in _CLASSES:
            parts += _CLASSES[str(value)]
        elif name == "CATEGORY":
            outside.append(_NOT_CLASSES[str(value)])
        else:
            raise Unfit("the set of characters can't be read")
    if outside and (len(items) > 1 or negated):
        raise Unfit(r"\D, \W and \S stand by themselves, not in a set with others")
    return f"[^{outside[0]}]" if outside else f"[{'^' if negated else ''}{parts}]"


def _character(code: int) -> str:
    character = chr(code)
    if character.isascii() and not character.isalnum():
        return f"\\x{code:02x}"
    return character
