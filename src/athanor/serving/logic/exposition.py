"""The plane's figures in Prometheus' text format (version 0.0.4)."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds."""
_QUICK = BUCKETS[0]

Labels: TypeAlias = tuple[str, str, str, str]
"""endpoint, deployment, model, version"""

_NAMES = ("endpoint", "deployment", "model", "version")


@dataclass(slots=True)
class Series:
    """The counts of one deployment since the plane process began."""

    codes: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """HTTP status to requests."""
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    """Requests by duration, each counted once."""
    seconds: float = 0.0
    rows: int = 0
    nonsense: int = 0
    """Answered requests with a score that is no finite number or no probability."""

    passed: list[float] = field(default_factory=list)
    """Seconds of answered requests of one row that are not counted yet."""

    def settle(self) -> None:
        """Count what passed."""
        passed, self.passed[:] = self.passed[:], []
        self.codes[200] += len(passed)
        self.rows += len(passed)
        self.seconds += sum(passed)
        for seconds in passed:
            self.buckets[0 if seconds <= _QUICK else bisect_left(BUCKETS, seconds)] += 1

    def took_back(self) -> None:
        """What was counted as answered could not be logged, and was refused."""
        self.settle()
        self.codes[200] -= 1
        self.codes[503] += 1
        self.rows -= 1


class Figures:
    """All counts of a plane process."""

    def __init__(self) -> None:
        self._series: dict[Labels, Series] = {}

    @property
    def series(self) -> Mapping[Labels, Series]:
        """By their labels; everything that passed is counted."""
        self.settle()
        return self._series

    def settle(self) -> None:
        """Count what passed."""
        for item in self._series.values():
            if item.passed:
                item.settle()

    def of(self, labels: Labels) -> Series:
        """The counts of one deployment."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = Series()
        return series

    def observe(self, labels: Labels, code: int, seconds: float) -> Series:
        """Count one answered request."""
        series = self.of(labels)
        series.codes[code] += 1
        series.buckets[bisect_left(BUCKETS, seconds)] += 1
        series.seconds += seconds
        return series


def render(figures: Figures, gauges: Mapping[str, tuple[str, float]]) -> str:
    """The page that a scraper reads; `gauges` are (help, value) by metric name."""
    return "".join(line + "\n" for line in _lines(figures, gauges))


def _lines(figures: Figures, gauges: Mapping[str, tuple[str, float]]) -> Iterator[str]:
    yield "# HELP athanor_predict_requests_total Requests for predictions, by status."
    yield "# TYPE athanor_predict_requests_total counter"
    for labels, series in figures.series.items():
        for code, count in sorted(series.codes.items()):
            yield f'athanor_predict_requests_total{{{label_text(labels)},code="{code}"}} {count}'
    yield "# HELP athanor_predict_rows_total Rows predicted."
    yield "# TYPE athanor_predict_rows_total counter"
    for labels, series in figures.series.items():
        yield f"athanor_predict_rows_total{{{label_text(labels)}}} {series.rows}"
    yield "# HELP athanor_predict_duration_seconds Time from a request's last byte to its answer."
    yield "# TYPE athanor_predict_duration_seconds histogram"
    for labels, series in figures.series.items():
        yield from _histogram(label_text(labels), series)
    for name, (help_, value) in gauges.items():
        yield f"# HELP {name} {help_}"
        yield f"# TYPE {name} gauge"
        yield f"{name} {value:g}"


def _histogram(labels: str, series: Series) -> Iterator[str]:
    total = 0
    for bound, count in zip(BUCKETS, series.buckets, strict=False):
        total += count
        yield f'athanor_predict_duration_seconds_bucket{{{labels},le="{bound:g}"}} {total}'
    total += series.buckets[-1]
    yield f'athanor_predict_duration_seconds_bucket{{{labels},le="+Inf"}} {total}'
    yield f"athanor_predict_duration_seconds_sum{{{labels}}} {series.seconds:.6f}"
    yield f"athanor_predict_duration_seconds_count{{{labels}}} {total}"


def label_text(labels: Labels) -> str:
    """Labels as they stand between the braces of a sample."""
    return ",".join(
        f'{name}="{_escaped(value)}"' for name, value in zip(_NAMES, labels, strict=True)
    )


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
