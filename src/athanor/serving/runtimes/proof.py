"""The proof that a compiled model answers as its own library does.

Rows: the model's sample; random valid ones; ones with nulls, column by column and together; ones
with categories that training never saw; extremes; and, for trees, each threshold with one ulp to
both sides. Labels must be equal, numbers within a stated tolerance, and what the model refuses must
be refused. Where the model's own two best probabilities are closer than the tolerance, the row is a
tie: either label is right, and the report counts it.
"""

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from athanor.kernel.errors import AthanorError
from athanor.serving.logic.frames import Reply
from athanor.serving.logic.signature import Row
from athanor.serving.runtimes.compiled import Answer, CompiledRuntime
from athanor.serving.runtimes.port import Runtime
from athanor.serving.types import InputColumn

UNSEEN = "\x00never seen"
_RANDOM_ROWS = 300
_THRESHOLD_ROWS = 12_000
_EXTREMES = (0.0, -0.0, 1e-300, -1e-36, 1e-9, -1.0, 1e6, -1e6, 1e12)
_TIMED_ROWS = 200
_TIMED_NATIVE_ROWS = 8

Rows: TypeAlias = list[Row]
Values: TypeAlias = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What is known of a model's columns, by column: where to look for differences."""

    values: Values = field(default_factory=dict)
    """Values that training knew: categories, means, bounds."""
    thresholds: Values = field(default_factory=dict)
    """Where trees decide."""
    words: Values = field(default_factory=dict)
    """Words of a text that are counted."""


@dataclass(slots=True, kw_only=True)
class Group:
    """What was found on one kind of rows."""

    rows: int = 0
    refused: int = 0
    ties: int = 0
    largest_difference: float = 0.0


@dataclass(slots=True, kw_only=True)
class Proof:
    """A report, kept with the deployment."""

    runtime: str
    passed: bool = True
    reason: str = ""
    """Where it failed: the first row that differs, and how."""
    tolerance: float = 0.0
    rows: int = 0
    groups: dict[str, Group] = field(default_factory=dict)
    seconds: float = 0.0
    row_microseconds: float = 0.0
    """What the compiled model takes for one row here."""
    native_row_microseconds: float = 0.0
    """What the model's own library takes for one."""


def prove(
    compiled: CompiledRuntime,
    native: Runtime,
    rows: Mapping[str, Rows],
    *,
    runtime: str,
    tolerance: float,
) -> Proof:
    """Compare both on all rows, until the first difference."""
    proof = Proof(runtime=runtime, tolerance=tolerance)
    began = time.monotonic()
    if compiled.hello.classes != native.hello.classes:
        proof.passed, proof.reason = False, "its classes are not the model's"
        return proof
    for name, group in rows.items():
        found = proof.groups[name] = Group(rows=len(group))
        proof.rows += len(group)
        expected = _expected(native, group)
        for row, right in zip(group, expected, strict=True):
            proof.reason = _difference(compiled, row, right, tolerance, found)
            if proof.reason:
                proof.reason = f"{name} row {_told(row)}: {proof.reason}"
                proof.passed = False
                break
        if proof.passed and expected:
            proof.reason = _together(compiled, group, expected)
            proof.passed = not proof.reason
        if not proof.passed:
            break
    proof.seconds = round(time.monotonic() - began, 3)
    if proof.passed:
        _timed(proof, compiled, native, rows)
    return proof


def proof_rows(
    columns: Sequence[InputColumn], sample: Rows, hints: Hints, *, seed: int = 0
) -> dict[str, Rows]:
    """The rows to compare on, by the kind that they are."""
    source = random.Random(seed)
    maker = _Maker(columns, sample, hints, source)
    drawn = [maker.row() for _ in range(_RANDOM_ROWS)]
    groups = {"sample": sample, "random": drawn, "nulls": [], "unseen": [], "extremes": []}
    for place, column in enumerate(columns):
        groups["nulls"] += [_with(maker.row(), {place: None}) for _ in range(2)]
        if column.type == "string":
            groups["unseen"] += [_with(maker.row(), {place: text}) for text in (UNSEEN, "", "A a")]
            if column.name in hints.values:
                groups["known"] = groups.get("known", []) + [
                    _with(maker.row(), {place: value}) for value in hints.values[column.name]
                ]
        elif column.type in {"double", "float", "long", "integer"}:
            extremes = [value for value in _EXTREMES if _fits(column, value)]
            groups["extremes"] += [_with(maker.row(), {place: value}) for value in extremes]
            unseen = [7, -3] if column.type in {"long", "integer"} else [0.123456, -7.5]
            groups["unseen"] += [_with(maker.row(), {place: value}) for value in unseen]
    for _ in range(20):
        chosen = {place: None for place in range(len(columns)) if source.random() < 0.3}
        groups["nulls"].append(_with(maker.row(), chosen))
    groups["nulls"].append([None] * len(columns))
    if hints.thresholds:
        groups["thresholds"] = maker.at_thresholds()
    return groups


class _Maker:
    """Draws rows."""

    def __init__(
        self, columns: Sequence[InputColumn], sample: Rows, hints: Hints, source: random.Random
    ) -> None:
        self._columns = columns
        self._hints = hints
        self._source = source
        self._sampled = [
            [row[place] for row in sample if row[place] is not None]
            for place in range(len(columns))
        ]
        self._known = [[*hints.values.get(item.name, ())] for item in columns]
        self._thresholds = [[*hints.thresholds.get(item.name, ())] for item in columns]

    def row(self) -> Row:
        """One row of values that training may have had."""
        return [self._value(place) for place in range(len(self._columns))]

    def at_thresholds(self) -> Rows:
        """Rows whose columns stand at thresholds, or one ulp to either side of them.

        Each threshold of each column comes at least once with each side; columns move together,
        so that a row decides at many thresholds at once.
        """
        lists = []
        for place, column in enumerate(self._columns):
            values = [
                near
                for value in self._thresholds[place]
                for near in (
                    value,
                    math.nextafter(value, math.inf),
                    math.nextafter(value, -math.inf),
                )
                if _fits(column, near)
            ]
            self._source.shuffle(values)
            lists.append(values)
        count = min(max(map(len, lists), default=0), _THRESHOLD_ROWS)
        made = []
        for number in range(count):
            at = {
                place: values[number % len(values)] for place, values in enumerate(lists) if values
            }
            made.append(_with(self.row(), at))
        return made

    def _value(self, place: int) -> Any:
        source, column = self._source, self._columns[place]
        seen, known = self._sampled[place], self._known[place]
        match column.type:
            case "string":
                return self._text(place)
            case "boolean":
                return source.random() < 0.5
            case "datetime":
                return f"20{source.randrange(10, 40)}-0{source.randrange(1, 10)}-15T00:00:00"
        pool = [*seen, *known, *self._thresholds[place]]
        kind = source.random()
        if pool and kind < 0.4:
            value = float(source.choice(pool))
        elif pool and kind < 0.8:
            one, other = float(source.choice(pool)), float(source.choice(pool))
            value = one + (other - one) * source.uniform(-0.5, 1.5)
        else:
            value = source.gauss(0.0, 10.0)
        if column.type in {"long", "integer"}:
            return int(max(-1e9, min(1e9, value)))
        return value if math.isfinite(value) else 0.0

    def _text(self, place: int) -> str:
        source, name = self._source, self._columns[place].name
        words = self._hints.words.get(name, ())
        if words:
            return " ".join(source.choice(words) for _ in range(source.randrange(12)))
        pool = [*self._known[place], *self._sampled[place]] or [*"abcdefgh"]
        return str(source.choice(pool))


def _with(row: Row, changes: Mapping[int, Any]) -> Row:
    return [changes.get(place, value) for place, value in enumerate(row)]


def _fits(column: InputColumn, value: float) -> bool:
    whole = column.type in {"long", "integer"}
    return column.type in {"double", "float"} or (whole and value == int(value) and value < 2**31)


def _expected(native: Runtime, rows: Rows) -> list[Answer | None]:
    """The model's own answers; None where it refuses a row."""
    if not rows:
        return []
    try:
        return [*answers_of(native.predict(rows), len(rows))]
    except Exception:  # noqa: BLE001 - whatever a model raises is a refusal of these rows
        if len(rows) == 1:
            return [None]
    half = len(rows) // 2
    return [*_expected(native, rows[:half]), *_expected(native, rows[half:])]


def answers_of(reply: Reply, count: int) -> list[Answer]:
    """A reply's answers, row by row."""
    numbers = memoryview(reply.numbers).cast("d").tolist() if reply.numbers else []
    width = len(numbers) // count
    labels = reply.labels or [-1] * count
    return [
        (label, numbers[place * width : (place + 1) * width]) for place, label in enumerate(labels)
    ]


def _difference(
    compiled: CompiledRuntime, row: Row, right: Answer | None, tolerance: float, group: Group
) -> str:
    try:
        found: Answer | None = compiled.one(row)
    except AthanorError as error:
        found, why = None, error.message
    if right is None or found is None:
        if right is None and found is None:
            group.refused += 1
            return ""
        return f"it refuses ({why})" if found is None else "the model refuses, it answers"
    if len(found[1]) != len(right[1]):
        return f"{len(found[1])} numbers for {len(right[1])}"
    for mine, its in zip(found[1], right[1], strict=True):
        apart = _apart(mine, its)
        if apart > tolerance:
            return f"{mine!r}, the model {its!r}"
        group.largest_difference = max(group.largest_difference, apart)
    if found[0] != right[0]:
        best = sorted(right[1])[-2:]
        if len(best) < 2 or best[1] - best[0] > tolerance:
            return f"class {found[0]}, the model {right[0]}"
        group.ties += 1
    return ""


def _apart(mine: float, its: float) -> float:
    """How far two numbers are apart: absolutely below 1, relatively above."""
    if mine == its or (math.isnan(mine) and math.isnan(its)):
        return 0.0
    found = abs(mine - its) / max(1.0, abs(its))
    return found if math.isfinite(found) else math.inf


def _together(compiled: CompiledRuntime, rows: Rows, expected: Sequence[Answer | None]) -> str:
    """Whether many rows at once give the bits that each gives alone."""
    sound = [row for row, right in zip(rows, expected, strict=True) if right is not None]
    if not sound:
        return ""
    many = answers_of(compiled.predict(sound), len(sound))
    alone = [compiled.one(row) for row in sound]
    for row, (label, numbers), (other, others) in zip(sound, many, alone, strict=True):
        if label != other or not all(map(_same, numbers, others)):
            return f"row {_told(row)}: alone it answers otherwise than among others"
    return ""


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def _timed(
    proof: Proof, compiled: CompiledRuntime, native: Runtime, rows: Mapping[str, Rows]
) -> None:
    sound = [row for row in rows["random"] if _answers(compiled, row)][:_TIMED_ROWS]
    if sound:
        proof.row_microseconds = _microseconds(compiled.one, sound)
        few = sound[:_TIMED_NATIVE_ROWS]
        proof.native_row_microseconds = _microseconds(lambda row: native.predict([row]), few)


def _answers(compiled: CompiledRuntime, row: Row) -> bool:
    try:
        compiled.one(row)
    except AthanorError:
        return False
    return True


def _microseconds(call: Callable[[Row], object], rows: Rows) -> float:
    taken = []
    for row in rows:
        began = time.perf_counter()
        call(row)
        taken.append(time.perf_counter() - began)
    return round(sorted(taken)[len(taken) // 2] * 1e6, 2)


def _told(row: Row) -> str:
    text = repr(row)
    return text if len(text) <= 200 else f"{text[:197]}..."
