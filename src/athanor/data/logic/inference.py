"""What type a column of text has, found over all its values.

The words of a column come in batches. A `Guess` keeps, for each type that the column may have,
how many values speak against it and where the first of them stand, so that one bad cell in a
million can be named instead of turning numbers into text.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from athanor.data.logic.orders import DateOrder
from athanor.data.logic.plans import MARKERS, ZONE, Against, Kind, Plan, days
from athanor.kernel.wording import counted

_KEPT_CELLS = 20
_EXACT, _EXACT_DIGITS = 2.0**53, 16
"""Whole numbers of fewer digits are doubles without loss."""
_PROBE = 1_000
_INTEGER = r"^[+-]?[0-9]{1,19}$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?(?i:inf|infinity)$"
_COMMA = r"^[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]*)?([eE][+-]?[0-9]+)?$"
_GROUPED = {".": r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$", ",": r"^[+-]?[1-9][0-9]{0,2},[0-9]{3}$"}
"""By the sign for decimals: numbers that have three digits behind it."""
_LONG_INTEGER = r"^[+-]?[0-9]{19,}$"
_MANY_DIGITS = r"^[+-]?[0-9]{16,19}$"
_LEADING_ZERO = r"^[+-]?0[0-9]"
_BOOLEAN = r"^(?i:true|false)$"
_TIME = r"[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
_ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_ISO_TIMESTAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}" + _TIME + r"(Z|[+-][0-9]{2}:?[0-9]{2})?$"
_OTHER_DATE = r"^[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{4}$"
_OTHER_TIMESTAMP = r"^[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{4}" + _TIME + "$"
_WORDY_DATE = (
    r"^[0-9]{1,2}[ -][A-Za-z]{3,9}[., -]+[0-9]{4}$|^[A-Za-z]{3,9}[. ]+[0-9]{1,2}[, ]+[0-9]{4}$"
)
_FORMS = (f"{_ISO_DATE}|{_ISO_TIMESTAMP}", f"{_OTHER_DATE}|{_OTHER_TIMESTAMP}", _WORDY_DATE)
"""How dates are written; a column is read as dates where it keeps to one of the first two."""
_DAY_ABOVE_12 = r"^(1[3-9]|2[0-9]|3[01])[/.-]"
_SECOND_ABOVE_12 = r"^[0-9]{1,2}[/.-](1[3-9]|2[0-9]|3[01])[/.-]"


class Guess:
    """What is known of one column after the batches so far."""

    def __init__(
        self,
        name: str,
        *,
        decimal: str,
        guessed: bool = False,
        missing: Sequence[str],
        wanted: Kind | None = None,
        dates: DateOrder | None = None,
    ) -> None:
        self.name = name
        self.dates = dates
        """The order of its dates, where it is stated or that of earlier rows."""
        self._other_way = Against()
        """The dates that can only be read in the other order."""
        self._decimal = decimal
        self._grouped = guessed
        """The sign for decimals is a guess, and every number could have thousands there instead."""
        self._example = ""
        self._empty = pa.array(["", *missing])
        self._gone = pa.array(["", *missing, *MARKERS])
        self._wanted = wanted
        self._alive: dict[str, Against] = (
            {} if wanted == "text" else {kind: Against() for kind in ("number", "boolean", "date")}
        )
        self._values = 0
        self._probed = False
        self._whole = True
        self._zero_led = False
        self._too_long = False
        self._inexact = Against()
        """The whole numbers that no double holds."""
        self._times = False
        self._zoned = 0
        self._first_above_12 = self._second_above_12 = False
        self._other_order = 0
        self._markers = 0
        self._forms: list[str] = []
        """Where nearly all values are dates: one of each form that there is."""

    def feed(self, words: pa.Array, offset: int) -> None:
        """Look at the next batch, whose first row has the number `offset` + 1."""
        if not self._alive:
            return
        trimmed = pc.utf8_trim_whitespace(words)
        kept = pc.invert(pc.is_in(trimmed, value_set=self._gone))
        values = trimmed.filter(kept)
        if not len(values):
            return
        if not self._probed:
            self._probe(values.slice(0, _PROBE))
        if not self._alive:
            return
        if len(values) < len(words):
            empty = pc.sum(pc.is_in(trimmed, value_set=self._empty)).as_py() or 0
            self._markers += len(words) - len(values) - empty
        rows = _Rows(kept, offset)
        for kind, against in self._alive.items():
            self._tests()[kind](values, rows, against)
        self._values += len(values)

    def decide(self) -> tuple[Plan, bool]:
        """The plan, and whether the cells against it must be a mistake (not mere text)."""
        if self._wanted is not None and self._wanted != "text":
            return self._as_wanted(self._wanted), False
        if not self._values or not self._alive:
            return self._text(self._mixed_dates()), False
        for kind in ("number", "boolean", "date"):
            against = self._alive.get(kind)
            if against is not None and against.count == 0:
                return self._fitting(kind), False
        kind, against = min(self._alive.items(), key=lambda item: item[1].count)
        if is_mistake(self._values, against):
            plan = self._fitting(kind)
            return Plan(name=self.name, kind=plan.kind, against=against), True
        share = 1 - against.count / self._values
        if share >= 0.5:
            word = {"number": "numbers", "date": "dates"}.get(kind, kind)
            where = f" because of row {against.cells[0][0]}" if against.cells else ""
            told = f"{share:.0%} of its values are {word}; it is kept as text{where}."
            return self._text(told), False
        return self._text(self._mixed_dates()), False

    def other_way(self) -> tuple[int, str] | None:
        """A (row, value) that shows that its dates are not of the order of the rows before.

        None where others are of that order: then it is a wrong cell.
        """
        if self.dates is None or self.dates.stated or not self._other_way.cells:
            return None
        own = self._second_above_12 if self.dates.way == "mdy" else self._first_above_12
        return None if own else self._other_way.cells[0]

    def _mixed_dates(self) -> str:
        if len(self._forms) < 2:
            return ""
        told = ", ".join(self._forms)
        return f"has dates in several forms ({told}), which are kept as text; write them in one."

    def _text(self, note: str) -> Plan:
        return Plan(name=self.name, kind="text", note=note)

    def _as_wanted(self, wanted: Kind) -> Plan:
        key = {"integer": "number", "timestamp": "date"}.get(wanted, wanted)
        against = self._alive.get(key, Against())
        if against.count:
            return Plan(name=self.name, kind="text", wanted=wanted, against=against)
        if not self._values:
            return Plan(name=self.name, kind=wanted, decimal=self._decimal)
        plan = self._fitting(key, wanted=wanted)
        if wanted == "date" and plan.kind == "timestamp":
            return Plan(name=self.name, kind="timestamp", order=plan.order, zoned=plan.zoned,
                        note="holds times, not only days.")  # fmt: skip
        return plan

    def _fitting(self, key: str, wanted: Kind | None = None) -> Plan:
        notes = []
        if self._markers:
            cells = counted(self._markers, "cell")
            notes.append(f"has {cells} such as '?' or 'NA', read as missing.")
        if key == "number":
            if self._zero_led and wanted is None:
                return self._text("has values with leading zeros, which are kept as text.")
            if self._too_long and wanted is None:
                return self._text("has whole numbers beyond 64 bits, which are kept as text.")
            kind: Kind = "integer" if self._whole and wanted != "number" else "number"
            if kind == "number" and self._grouped and self._example:
                notes.append(self._doubt())
            if kind == "number" and self._inexact.cells:
                notes.append(rounded(*self._inexact.cells[0]))
            return Plan(name=self.name, kind=kind, decimal=self._decimal,
                        note=" ".join(notes))  # fmt: skip
        if key == "boolean":
            return Plan(name=self.name, kind="boolean", note=" ".join(notes))
        order, zoned = self._order(), self._zoned > 0
        if order != "ymd":
            sure = self._first_above_12 or self._second_above_12
            sure = sure or (self.dates is not None and self.dates.sure)
            notes.append(DateOrder(way=order, sure=sure).note())
        if zoned:
            notes.append("times are kept in UTC.")
        kind = "timestamp" if self._times or wanted == "timestamp" else "date"
        return Plan(name=self.name, kind=kind, order=order, zoned=zoned,
                    note=" ".join(notes))  # fmt: skip

    def _doubt(self) -> str:
        """Which of two readings was taken."""
        thousands, read = re.sub(r"\D", "", self._example), self._example.replace(",", ".")
        # Thousands with commas are read in no file.
        end = "--decimal ','" if self._decimal == "." else "take the commas out"
        return (f"has numbers such as {self._example!r} alone, read as {read} by guess; "
                f"if {thousands} is meant: {end}.")  # fmt: skip

    def _order(self) -> Literal["ymd", "dmy", "mdy"]:
        if not self._other_order:
            return "ymd"
        if self.dates is not None:
            return self.dates.way
        if self._second_above_12:
            return "mdy"
        # Neither part is above 12: a decimal comma and a dot come from lands of day first.
        return "dmy" if self._first_above_12 or self._decimal == "," else "mdy"

    def _probe(self, values: pa.Array) -> None:
        """Give up types that more than half of the first values speak against."""
        self._probed = True
        if self._wanted is not None:
            return
        patterns = {
            "number": _COMMA if self._decimal == "," else _NUMBER,
            "boolean": _BOOLEAN,
            "date": f"{_ISO_DATE}|{_ISO_TIMESTAMP}|{_OTHER_DATE}|{_OTHER_TIMESTAMP}",
        }
        for kind, pattern in patterns.items():
            fits = pc.sum(pc.match_substring_regex(values, pattern)).as_py() or 0
            if fits * 2 < len(values):
                del self._alive[kind]
        found = [values.filter(pc.match_substring_regex(values, form)) for form in _FORMS]
        if sum(map(len, found)) >= 0.9 * len(values):
            self._forms = [str(dates[0]) for dates in found if len(dates)]

    def _tests(self) -> dict[str, Callable[[pa.Array, "_Rows", Against], None]]:
        return {"number": self._numbers, "boolean": self._booleans, "date": self._dates}

    def _numbers(self, values: pa.Array, rows: "_Rows", against: Against) -> None:
        self._note_inexact(values, rows)
        if self._grouped:
            fits = pc.match_substring_regex(values, _GROUPED[self._decimal])
            self._grouped = bool(pc.all(fits).as_py())
            self._example = self._example or str(values[0])
        if self._decimal != ",":
            if self._whole and _casts(values, pa.int64()):
                self._note_zeros(values)
                return
            if _casts(values, pa.float64()):
                self._whole = False
                long = pc.match_substring_regex(values, _LONG_INTEGER)
                self._too_long |= _any(long)
                if self._wanted == "integer":
                    rows.note(values, pc.invert(long), against)
                self._note_zeros(values)
                return
        pattern = _COMMA if self._decimal == "," else _NUMBER
        fits = pc.match_substring_regex(values, pattern)
        rows.note(values, fits, against)
        good = values.filter(fits)
        self._note_zeros(good)
        whole = pc.all(pc.match_substring_regex(good, _INTEGER)).as_py()
        if self._whole and not (whole and _casts(good, pa.int64())):
            self._whole = False

    def _note_inexact(self, values: pa.Array, rows: "_Rows") -> None:
        if self._inexact.cells or pc.max(pc.binary_length(values)).as_py() < _EXACT_DIGITS:
            return
        if _are_small(values):
            return
        many = pc.match_substring_regex(values, _MANY_DIGITS)
        if not _any(many):
            return
        digits = pc.replace_substring_regex(values.filter(many), r"^\+", "")
        try:
            lost = inexact(pc.cast(digits, pa.int64()))
        except pa.ArrowInvalid:
            return  # beyond 64 bits, which is told in another way
        rows.note(values, pc.invert(pc.replace_with_mask(many, many, lost)), self._inexact)

    def _note_zeros(self, values: pa.Array) -> None:
        if not self._zero_led:
            self._zero_led = bool(pc.any(pc.match_substring_regex(values, _LEADING_ZERO)).as_py())
            # "007.5" is a number with a leading zero: only whole numbers are codes.
            if self._zero_led and not self._whole:
                self._zero_led = False

    @staticmethod
    def _booleans(values: pa.Array, rows: "_Rows", against: Against) -> None:
        rows.note(values, pc.match_substring_regex(values, _BOOLEAN), against)

    def _dates(self, values: pa.Array, rows: "_Rows", against: Against) -> None:
        iso_day = pc.match_substring_regex(values, _ISO_DATE)
        iso_time = pc.match_substring_regex(values, _ISO_TIMESTAMP)
        day = pc.match_substring_regex(values, _OTHER_DATE)
        time = pc.match_substring_regex(values, _OTHER_TIMESTAMP)
        isos, others = pc.or_(iso_day, iso_time), pc.or_(day, time)
        if _any(others):
            if _any(isos) or (self._other_order == 0 and self._values):
                rows.note(values, isos, against)
                return
            self._other_order += 1
            picked = values.filter(others)
            self._first_above_12 |= _any(pc.match_substring_regex(picked, _DAY_ABOVE_12))
            self._second_above_12 |= _any(pc.match_substring_regex(picked, _SECOND_ABOVE_12))
            if self.dates is not None:
                wrong = _DAY_ABOVE_12 if self.dates.way == "mdy" else _SECOND_ABOVE_12
                unfit = pc.and_(others, pc.match_substring_regex(values, wrong))
                rows.note(values, pc.invert(unfit), self._other_way)
            elif self._first_above_12 and self._second_above_12:
                against.good_before = against.good_before or 0
                rows.note(values, pc.invert(others), against)
                return
        fits = pc.or_(isos, others)
        zoned = pc.match_substring_regex(values.filter(iso_time), ZONE)
        with_zone = pc.sum(zoned).as_py() or 0
        self._zoned += with_zone
        self._times |= _any(iso_time) or _any(time)
        fits = _real_days(values, fits, self._order())
        rows.note(values, fits, against)


def inexact(whole: pa.Array) -> pa.Array:
    """Which of 64-bit whole numbers no double holds: those beyond 2^53 whose last bits are set."""
    doubles = pc.cast(whole, pa.float64(), safe=False)
    # The largest are rounded to 2^63, which no whole number of 64 bits is.
    beyond = pc.greater_equal(doubles, 2.0**63)
    kept = pc.if_else(beyond, 0.0, doubles)
    return pc.or_(beyond, pc.not_equal(pc.cast(kept, pa.int64()), whole))


def rounded(row: int, value: str) -> str:
    """The note on a column of numbers that holds such a whole number, beside others."""
    return (
        f"has whole numbers whose last digits no double holds: row {row} has {value}, which is "
        f"kept as {int(float(value))}; texts keep all digits."
    )


def is_mistake(values: int, against: Against) -> bool:
    """Whether cells that do not fit are wrong cells of a typed column, not text among numbers.

    They are when they are few (one in at least four values, or at most 5 %), or when a long run
    of fitting values, a quarter of the column and fifty at least, stands before the first.
    """
    if against.count == 0:
        return False
    if against.count == 1 and values >= 4:
        return True
    if values >= 20 and against.count / values <= 0.05:
        return True
    before = against.good_before or 0
    return before >= max(50, values / 4)


def _real_days(values: pa.Array, fits: pa.Array, order: str) -> pa.Array:
    """Take from `fits` the days that no calendar has (30 February)."""
    places = pc.indices_nonzero(fits).to_pylist()
    target = pa.timestamp("us", tz="UTC")
    bad: list[int] = []
    pending = [places]
    while pending and len(bad) < 1_000:
        part = pending.pop()
        if not part:
            continue
        try:
            days(values.take(pa.array(part)), order, target)
        except pa.ArrowInvalid:
            if len(part) == 1:
                bad.append(part[0])
            else:
                pending += [part[: len(part) // 2], part[len(part) // 2 :]]
    if not bad:
        return fits
    wrong = pc.is_in(pa.array(range(len(values))), value_set=pa.array(bad))
    return pc.and_(fits, pc.invert(wrong))


def _are_small(numbers: pa.Array) -> bool:
    """Whether all numbers, as words, are of a size at which doubles hold every whole one."""
    try:
        return bool(pc.max(pc.abs(pc.cast(numbers, pa.float64()))).as_py() < _EXACT)
    except pa.ArrowInvalid:
        return False


def _casts(values: pa.Array, target: pa.DataType) -> bool:
    try:
        pc.cast(values, target)
    except pa.ArrowInvalid:
        return False
    return True


def _any(mask: pa.Array) -> bool:
    return bool(pc.any(mask).as_py())


class _Rows:
    """The row numbers of a batch's values that are not missing."""

    def __init__(self, kept: pa.Array, offset: int) -> None:
        self._kept = kept
        self._offset = offset
        self._places: Any = None

    def note(self, values: pa.Array, fits: pa.Array, against: Against) -> None:
        """Count the values that do not fit, and keep the first with their rows."""
        bad = pc.indices_nonzero(pc.invert(fits))
        if not len(bad):
            if against.count == 0:
                against.good_before = (against.good_before or 0) + len(values)
            return
        if against.count == 0:
            against.good_before = (against.good_before or 0) + bad[0].as_py()
        against.count += len(bad)
        if self._places is None:
            self._places = pc.indices_nonzero(self._kept)
        for place in bad.slice(0, _KEPT_CELLS - len(against.cells)).to_pylist():
            row = self._offset + self._places[place].as_py() + 1
            against.cells.append((row, values[place].as_py()))
