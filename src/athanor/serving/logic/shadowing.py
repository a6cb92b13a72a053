"""A shadow's answers beside those that were returned."""

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappushpop

import msgspec

from athanor.serving.logic.sequential import share
from athanor.serving.types.rollouts import ShadowDifference, ShadowReport, Spread

_ALPHA = 0.05
_SAMPLE = 100_000
"""Values of which quantiles are taken; beyond it, of a fair sample."""
_EXAMPLES = 10
_REASONS = 20
_CLEAR_ROWS = 100
_ALIKE = 0.99


class ShadowRow(msgspec.Struct, omit_defaults=True):
    """One request that was answered and copied, as one line of the shadows' log."""

    at: datetime
    endpoint: str
    shadow: str
    """The shadow's deployment id."""
    answered_by: int
    """The number of the deployment whose answer was returned."""
    ids: list[str] = []
    """The predictions' ids, row by row."""
    labels: list[str] = []
    """What was returned, row by row; of a regressor none."""
    scores: list[float | None] = []
    shadow_labels: list[str] = []
    shadow_scores: list[float | None] = []
    seconds: float = 0.0
    shadow_seconds: float = 0.0
    failure: str = ""
    """Why the shadow did not answer."""
    skipped: bool = False
    """It was not asked, as it had too many under way."""


_decode = msgspec.json.Decoder(ShadowRow).decode


def shadow_rows_in(data: bytes, shadow: str) -> Iterator[ShadowRow]:
    """The rows of a segment about this shadow; a torn last line is left out."""
    mark = shadow.encode()
    for text in data[: data.rfind(b"\n") + 1].split(b"\n"):
        if mark in text:
            yield _decode(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadowed:
    """Which shadow a report is about."""

    endpoint: str
    shadow: int
    model: str
    version: int


class _Values:
    """Numbers, of which the quantiles are wanted."""

    def __init__(self) -> None:
        self.count = 0
        self._total = 0.0
        self._most = -math.inf
        self._kept: list[float] = []
        self._source = random.Random(0)

    def add(self, value: float) -> None:
        self.count += 1
        self._total += value
        self._most = max(self._most, value)
        if len(self._kept) < _SAMPLE:
            self._kept.append(value)
        elif (place := self._source.randrange(self.count)) < _SAMPLE:
            self._kept[place] = value

    def spread(self) -> Spread:
        if not self.count:
            return Spread()
        ordered = sorted(self._kept)

        def at(part: float) -> float:
            return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

        return Spread(
            count=self.count,
            mean=self._total / self.count,
            p50=at(0.5),
            p90=at(0.9),
            p99=at(0.99),
            max=self._most,
        )


@dataclass(slots=True)
class _Tally:
    """What was counted so far."""

    against: set[int] = field(default_factory=set)
    since: datetime | None = None
    until: datetime | None = None
    requests: int = 0
    skipped: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    agreed: int = 0
    confusion: dict[str, Counter[str]] = field(default_factory=dict)
    difference: _Values = field(default_factory=_Values)
    seconds: _Values = field(default_factory=_Values)
    shadow_seconds: _Values = field(default_factory=_Values)
    labelled: int = 0
    right: int = 0
    shadow_right: int = 0
    error: float = 0.0
    shadow_error: float = 0.0
    far: list[tuple[float, str, ShadowDifference]] = field(default_factory=list)

    def take(self, row: ShadowRow, truths: Mapping[str, str]) -> None:
        if row.skipped:
            self.skipped += 1
            return
        self.requests += 1
        if row.failure:
            self.failures[row.failure] += 1
            return
        self.against.add(row.answered_by)
        self.since = row.at if self.since is None else min(self.since, row.at)
        self.until = row.at if self.until is None else max(self.until, row.at)
        self.seconds.add(row.seconds)
        self.shadow_seconds.add(row.shadow_seconds)
        for place, prediction in enumerate(row.ids):
            self._compare(row, place, truths.get(prediction))

    def _compare(self, row: ShadowRow, place: int, truth: str | None) -> None:
        mine = row.scores[place] if place < len(row.scores) else None
        theirs = row.shadow_scores[place] if place < len(row.shadow_scores) else None
        label = row.labels[place] if row.labels else None
        other = row.shadow_labels[place] if row.shadow_labels else None
        self.rows += 1
        apart = abs(theirs - mine) if mine is not None and theirs is not None else math.inf
        if math.isfinite(apart):
            self.difference.add(apart)
        if label is not None and other is not None:
            self.confusion.setdefault(label, Counter())[other] += 1
        alike = label == other if label is not None else mine == theirs
        self.agreed += alike
        if truth is not None:
            self._judge(truth, (label, mine), (other, theirs))
        if not alike or apart:
            shown = ShadowDifference(
                prediction=row.ids[place],
                at=row.at,
                label=label,
                score=mine,
                shadow_label=other,
                shadow_score=theirs,
            )
            entry = (apart + (0 if alike else 1), row.ids[place], shown)
            if len(self.far) < _EXAMPLES:
                self.far.append(entry)
                self.far.sort(key=lambda item: item[:2])
            elif entry[0] > self.far[0][0]:
                heappushpop(self.far, entry)

    def _judge(
        self,
        truth: str,
        mine: tuple[str | None, float | None],
        theirs: tuple[str | None, float | None],
    ) -> None:
        if mine[0] is not None:
            self.labelled += 1
            self.right += mine[0] == truth
            self.shadow_right += theirs[0] == truth
            return
        try:
            value = float(truth)
        except ValueError:
            return
        if mine[1] is not None and theirs[1] is not None:
            self.labelled += 1
            self.error += abs(mine[1] - value)
            self.shadow_error += abs(theirs[1] - value)


def compared(
    shadowed: Shadowed, rows: Iterable[ShadowRow], truths: Mapping[str, str]
) -> ShadowReport:
    """The report on a shadow; `truths` are the labels that came, by prediction id."""
    tally = _Tally()
    for row in rows:
        tally.take(row, truths)
    bounds = share(tally.agreed, tally.rows, _ALPHA)
    classifies = bool(tally.confusion)
    errors = tally.labelled and not classifies
    return ShadowReport(
        endpoint=shadowed.endpoint,
        shadow=shadowed.shadow,
        model=shadowed.model,
        version=shadowed.version,
        against=tuple(sorted(tally.against)),
        since=tally.since,
        until=tally.until,
        requests=tally.requests,
        skipped=tally.skipped,
        failed=sum(tally.failures.values()),
        failures=dict(tally.failures.most_common(_REASONS)),
        rows=tally.rows,
        agreed=tally.agreed,
        agreement=bounds.rate if tally.rows else None,
        agreement_at_least=bounds.low,
        agreement_at_most=bounds.high,
        confusion={label: dict(counts) for label, counts in sorted(tally.confusion.items())},
        score_difference=tally.difference.spread(),
        seconds=tally.seconds.spread(),
        shadow_seconds=tally.shadow_seconds.spread(),
        labelled=tally.labelled,
        right=tally.right,
        shadow_right=tally.shadow_right,
        error=tally.error / tally.labelled if errors else None,
        shadow_error=tally.shadow_error / tally.labelled if errors else None,
        examples=tuple(entry[2] for entry in sorted(tally.far, key=lambda e: e[:2], reverse=True)),
        verdict=_verdict(tally, classifies=classifies),
    )


def _verdict(tally: _Tally, *, classifies: bool) -> str:
    if not tally.requests:
        return "Nothing was compared yet: no request came since the shadow was ready."
    failed = sum(tally.failures.values())
    bounds = share(tally.agreed, tally.rows, _ALPHA)
    said = [f"{tally.rows:,} rows of {tally.requests:,} requests were compared"]
    if failed:
        said.append(f"the shadow failed on {failed:,} of them ({failed / tally.requests:.1%})")
    if tally.rows and classifies:
        said.append(
            f"it gave the same label on {bounds.rate:.1%} "
            f"(at least {bounds.low:.1%}, at most {bounds.high:.1%})"
        )
    elif tally.rows:
        spread = tally.difference.spread()
        if spread.p50 is not None:
            said.append(f"its values are off by {spread.p50:.3g} in the middle")
    if tally.labelled and classifies:
        said.append(
            f"of {tally.labelled:,} labelled rows it got {tally.shadow_right:,} right, "
            f"the returned answers {tally.right:,}"
        )
    elif tally.labelled:
        said.append(
            f"its mean absolute error on {tally.labelled:,} labelled rows is "
            f"{tally.shadow_error / tally.labelled:.4g}, the returned answers' "
            f"{tally.error / tally.labelled:.4g}"
        )
    if tally.rows < _CLEAR_ROWS:
        said.append("that is few rows: wait for more before it is promoted")
    elif classifies and bounds.high < _ALIKE:
        said.append("they differ: look at the confusion and the labels before it is promoted")
    return "; ".join(said) + "."
