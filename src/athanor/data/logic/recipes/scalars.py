"""The expression language's functions on single known cells: the row-by-row form.

Whatever is missing is None; a function answers None where it has no answer. Times come without
zone. The pandas form of functions that no vectorised code matches bit by bit maps these very
functions, and its export carries their source: they use nothing but what is imported here.
"""

import hashlib
import math
import re
import unicodedata
import zoneinfo
from datetime import datetime, timedelta
from typing import Any

SPACES = " \t\n\r\v\f\u00a0"
_UPPER = {"\u00df": "\u1e9e", "\u1fb3": "\u1fbc", "\u1fc3": "\u1fcc", "\u1ff3": "\u1ffc"} | {
    chr(start + place): chr(start + 8 + place)
    for start in (0x1F80, 0x1F90, 0x1FA0)
    for place in range(8)
}
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_MOST = (1 << 63) - 1
_SHORT = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def finite(value: float) -> float | None:
    """The number, None where it is not finite; minus nought is nought."""
    return value + 0.0 if math.isfinite(value) else None


def whole(value: int) -> int | None:
    """The whole number, None beyond 64 bits."""
    return value if -_MOST - 1 <= value <= _MOST else None


def divide(a: float, b: float) -> float:
    """IEEE 754's quotient, which Python refuses for nought."""
    if b:
        return a / b
    if not a or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def modulo(a: int, b: int) -> int | None:
    """The remainder, with the sign of the divisor; None for nought."""
    return a % b if b else None


def power(a: float, b: float) -> float | None:
    """a to the b; None where it is no finite number."""
    try:
        return finite(math.pow(a, b))
    except (ValueError, OverflowError):
        return None


def exponential(a: float) -> float | None:
    """e to the a; None where it is beyond any number."""
    try:
        return math.exp(a)
    except OverflowError:
        return None


def logarithm(a: float) -> float | None:
    """The natural logarithm; None unless a > 0."""
    return finite(math.log(a)) if a > 0 else None


def logarithm10(a: float) -> float | None:
    """The logarithm to base 10; None unless a > 0."""
    return finite(math.log10(a)) if a > 0 else None


def square_root(a: float) -> float | None:
    """The square root; None below nought."""
    return finite(math.sqrt(a)) if a >= 0 else None


def sine(a: float) -> float | None:
    """The sine of an angle in radians."""
    return finite(math.sin(a))


def cosine(a: float) -> float | None:
    """The cosine of an angle in radians."""
    return finite(math.cos(a))


def round_to(a: float, decimals: int) -> float | None:
    """a to so many decimals (0 to 15), halves away from nought."""
    if abs(a) >= 4503599627370496.0:
        return a
    scale = 10.0**decimals
    rounded = math.floor(abs(a) * scale + 0.5) / scale if math.isfinite(abs(a) * scale) else abs(a)
    return finite(-rounded if a < 0 else rounded)


def floor_of(a: float) -> float | None:
    """The greatest whole number up to a, as a number."""
    return finite(float(math.floor(a)))


def ceiling_of(a: float) -> float | None:
    """The least whole number from a on, as a number."""
    return finite(float(math.ceil(a)))


def sign_of(a: float) -> float:
    """-1, 0 or 1."""
    return float((a > 0) - (a < 0))


def number_to_integer(a: float) -> int | None:
    """The nearest whole number, halves away from nought; None beyond 64 bits."""
    near = round_to(a, 0)
    return None if near is None else whole(int(near))


def number_to_text(a: float) -> str:
    """The shortest decimal that reads back as the same number."""
    return repr(a)


def integer_to_text(a: int) -> str:
    """Its digits."""
    return str(a)


def boolean_to_text(a: bool) -> str:  # noqa: FBT001 - a cell
    """'true' or 'false'."""
    return "true" if a else "false"


def date_to_text(a: datetime) -> str:
    """2026-01-31."""
    return a.isoformat()[:10]


def timestamp_to_text(a: datetime) -> str:
    """2026-01-31 13:45:00.000000."""
    return a.isoformat(sep=" ", timespec="microseconds")


def text_to_number(a: str) -> float | None:
    """A decimal number, perhaps with an exponent and with spaces around; else None."""
    bare = a.strip(SPACES)
    return finite(float(bare)) if _NUMBER.fullmatch(bare) else None


def text_to_integer(a: str) -> int | None:
    """Digits, perhaps with a sign and with spaces around; else None."""
    bare = a.strip(SPACES)
    return whole(int(bare)) if len(bare) <= 40 and _WHOLE.fullmatch(bare) else None


def text_to_boolean(a: str) -> bool | None:
    """true, t, yes, y, 1 and false, f, no, n, 0, in any case; else None."""
    bare = lower(a.strip(SPACES))
    if bare in {"true", "t", "yes", "y", "1"}:
        return True
    return False if bare in {"false", "f", "no", "n", "0"} else None


def upper(a: str) -> str:
    """Upper case, character by character (so that the length stays)."""
    if a.isascii():
        return a.upper()
    found = []
    for character in a:
        raised = _UPPER.get(character) or character.upper()
        found.append(raised if len(raised) == 1 else character)
    return "".join(found)


def lower(a: str) -> str:
    """Lower case, character by character (so that the length stays)."""
    if a.isascii():
        return a.lower()
    found = []
    for character in a:
        lowered = "i" if character == "\u0130" else character.lower()
        found.append(lowered if len(lowered) == 1 else character)
    return "".join(found)


def capitalize(a: str) -> str:
    """The first character in upper case, the others in lower case."""
    return upper(a[:1]) + lower(a[1:])


def trim(a: str) -> str:
    """Without the spaces, tabs and line ends around."""
    return a.strip(SPACES)


def unaccented(a: str) -> str:
    """Latin letters without their accents: Å becomes A."""
    if a.isascii():
        return a
    found = []
    for character in a:
        base = unicodedata.normalize("NFD", character)[0] if accented(character) else character
        found.append(base)
    return "".join(found)


def accented(character: str) -> bool:
    """Whether it is a Latin letter with an accent."""
    code = ord(character)
    if not (0xC0 <= code <= 0x24F or 0x1E00 <= code <= 0x1EFF):
        return False
    return unicodedata.normalize("NFD", character)[0].isascii() and not character.isascii()


def length(a: str) -> int:
    """Characters (code points)."""
    return len(a)


def slice_of(a: str, start: int, count: int) -> str:
    """So many characters from the start-th on, which counts from 1."""
    begin = max(start, 1) - 1
    return a[begin : max(start - 1 + count, begin)]


def replace_in(a: str, find: str, by: str) -> str:
    """Every occurrence replaced; an empty text is found nowhere."""
    return a.replace(find, by) if find else a


def contains(a: str, part: str) -> bool:
    """Whether the part stands in it."""
    return part in a


def starts_with(a: str, part: str) -> bool:
    """Whether it begins with the part."""
    return a.startswith(part)


def ends_with(a: str, part: str) -> bool:
    """Whether it ends with the part."""
    return a.endswith(part)


def pad_start(a: str, width: int, fill: str) -> str:
    """At least so wide, filled in front with one character."""
    return fill * (width - len(a)) + a


def pad_end(a: str, width: int, fill: str) -> str:
    """At least so wide, filled behind with one character."""
    return a + fill * (width - len(a))


def part_of(a: str, separator: str, place: int) -> str | None:
    """The place-th part between separators, which counts from 1; None if there are fewer."""
    parts = a.split(separator)
    return parts[place - 1] if 1 <= place <= len(parts) else None


def rest_of(a: str, separator: str, place: int) -> str | None:
    """All from the place-th part on; None if there are fewer."""
    parts = a.split(separator)
    return separator.join(parts[place - 1 :]) if 1 <= place <= len(parts) else None


def matches(a: str, pattern: str) -> bool:
    """Whether the regular expression is found in it."""
    return re.compile(pattern, re.ASCII).search(a) is not None


def extract(a: str, pattern: str, group: int) -> str | None:
    """What a group of the expression's first match holds (0: all of it); None without a match."""
    found = re.compile(pattern, re.ASCII).search(a)
    return None if found is None else found[group] or ""


def substitute(a: str, pattern: str, by: str) -> str:
    """Every match of the expression replaced by a text."""
    return re.compile(pattern, re.ASCII).sub(lambda _: by, a)


def count_matches(a: str, pattern: str) -> int:
    """How many matches of the expression it holds."""
    return sum(1 for _ in re.compile(pattern, re.ASCII).finditer(a))


def hash_bucket(a: str, buckets: int) -> int:
    """0 to buckets - 1, by the MD5 of its UTF-8."""
    return int(hashlib.md5(a.encode(), usedforsecurity=False).hexdigest()[:8], 16) % buckets


def digest_of(a: str) -> str:
    """The SHA-256 of its UTF-8, in hexadecimal digits."""
    return hashlib.sha256(a.encode()).hexdigest()


def year(a: datetime) -> int:
    """1 to 9999."""
    return a.year


def quarter(a: datetime) -> int:
    """1 to 4."""
    return (a.month + 2) // 3


def month(a: datetime) -> int:
    """1 to 12."""
    return a.month


def day(a: datetime) -> int:
    """The day of the month, 1 to 31."""
    return a.day


def weekday(a: datetime) -> int:
    """1 (Monday) to 7 (Sunday)."""
    return a.isoweekday()


def day_of_year(a: datetime) -> int:
    """1 to 366."""
    return a.timetuple().tm_yday


def week(a: datetime) -> int:
    """The week by ISO 8601, 1 to 53."""
    return a.isocalendar()[1]


def hour(a: datetime) -> int:
    """0 to 23."""
    return a.hour


def minute(a: datetime) -> int:
    """0 to 59."""
    return a.minute


def second(a: datetime) -> int:
    """0 to 59, without fractions."""
    return a.second


def truncate(a: datetime, unit: str) -> datetime | None:
    """The beginning of its year, quarter, month, week (Monday), day, hour or minute."""
    if unit == "hour":
        return a.replace(minute=0, second=0, microsecond=0)
    if unit == "minute":
        return a.replace(second=0, microsecond=0)
    begin = a.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "week":
        days = begin.toordinal() - begin.weekday()
        return begin - timedelta(days=begin.weekday()) if days >= 1 else None
    if unit == "month":
        return begin.replace(day=1)
    if unit == "quarter":
        return begin.replace(month=(a.month - 1) // 3 * 3 + 1, day=1)
    return begin.replace(month=1, day=1) if unit == "year" else begin


def shift(a: datetime, amount: int, unit: str) -> datetime | None:
    """So many units later; months and years keep the day, or the last one of a short month."""
    if abs(amount) > 1_000_000_000:
        return None
    if unit in {"months", "years"}:
        months = a.year * 12 + a.month - 1 + amount * (12 if unit == "years" else 1)
        if not 12 <= months < 120_000:
            return None
        begin = datetime(months // 12, months % 12 + 1, 1)
        after = months + 1
        last = 31 if after >= 120_000 else (datetime(after // 12, after % 12 + 1, 1) - begin).days
        return a.replace(year=begin.year, month=begin.month, day=min(a.day, last))
    try:
        return a + timedelta(**{unit: amount})
    except OverflowError:
        return None


def difference(a: datetime, b: datetime, unit: str) -> float:
    """From a to b in days, hours, minutes or seconds, with fractions."""
    sizes = {"days": 86_400_000_000, "hours": 3_600_000_000, "minutes": 60_000_000}
    microseconds = (b - a) // timedelta(microseconds=1)
    return float(microseconds) / float(sizes.get(unit, 1_000_000)) + 0.0


def in_zone(a: datetime, zone: str) -> datetime | None:
    """The wall clock of a zone at an instant in UTC."""
    try:
        utc = a.replace(tzinfo=zoneinfo.ZoneInfo("UTC"))
        return utc.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)
    except OverflowError:
        return None


def from_zone(a: datetime, zone: str) -> datetime | None:
    """The instant in UTC of a wall clock's time.

    Of two such instants it is the later one; a time that was skipped is as far after the gap's
    beginning as it says.
    """
    try:
        both = []
        for fold in (0, 1):
            there = a.replace(tzinfo=zoneinfo.ZoneInfo(zone), fold=fold)
            both.append(there.astimezone(zoneinfo.ZoneInfo("UTC")).replace(tzinfo=None))
        return max(both)
    except OverflowError:
        return None


def parse_time(a: str, pattern: str, order: str) -> datetime | None:
    """The time whose parts the groups of a pattern hold; `order` names them by letters."""
    found = re.compile(pattern, re.ASCII).fullmatch(a.strip(SPACES))
    if found is None:
        return None
    parts = dict(zip(order, found.groups(), strict=True))
    number = int(parts["y"]) + (2000 if int(parts["y"]) < 69 else 1900) if "y" in parts else 0
    named = lower(parts["b"])[:3] if "b" in parts else ""
    try:
        return datetime(
            number or int(parts.get("Y", 1970)),
            _SHORT.index(named) + 1 if named else int(parts.get("m", 1)),
            int(parts.get("d", 1)),
            int(parts.get("H", 0)),
            int(parts.get("M", 0)),
            int(parts.get("S", 0)),
            int((parts.get("f") or "0").ljust(6, "0")[:6]),
        )
    except ValueError:
        return None


def value_or_none(value: Any) -> Any:
    """The value: the identity."""
    return value
