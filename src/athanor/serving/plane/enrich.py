"""Features of a request's keys, looked up and computed before the model is asked.

Requests are read by the columns that callers send (keys, values of the request, the model's own);
what they leave out is found by the plan that was pinned when the version was deployed. Every
protocol has it so, as none of them knows.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from athanor.features import Enricher, Reader, open_reader
from athanor.kernel.errors import AthanorError
from athanor.serving.errors import WorkerUnavailable
from athanor.serving.errors.features import FeaturesElsewhere
from athanor.serving.errors.protocols import InvocationRefused
from athanor.serving.logic.routing import Route, Target
from athanor.serving.logic.rows import Recorder
from athanor.serving.logic.signature import Row, parse
from athanor.serving.plane.dialects.port import Asked, Dialect
from athanor.serving.plane.http import Limits, Request
from athanor.serving.types import InputColumn, Signature
from athanor.serving.types.features import FeatureUse

logger = logging.getLogger(__name__)

_TELL_SECONDS = 60.0


class Enrichment:
    """The features of one deployment."""

    def __init__(self, target: Target, use: FeatureUse, reader: Reader) -> None:
        self._signature: Signature = target.signature
        columns = tuple(
            InputColumn(name=item.name, type=item.type, required=item.required) for item in use.asks
        )
        bare = tuple(column for column in columns if column.required)
        self._target = replace(target, signature=replace(target.signature, columns=columns))
        """The deployment as callers see it."""
        self._bare = replace(target, signature=replace(target.signature, columns=bare))
        """The same, for protocols in which nothing that a model reads may be left out."""
        self._features = frozenset(use.plan.columns)
        self._beside = {item.name for item in columns} - set(target.signature.names)
        """What tells whom a row is about, and is no input of the model."""
        self._enricher = Enricher(use.plan, reader)
        self._missed: Counter[tuple[str, str]] = Counter()
        self._tell_at = 0.0

    def read(self, dialect: Dialect, route: Route, request: Request, limits: Limits) -> Asked:
        """The rows of a request, with their features.

        Raises: what the dialect raises, and `rows`.
        """
        target = self._target
        try:
            asked = dialect.read(route, target, request, limits)
        except InvocationRefused:
            target = self._bare
            asked = dialect.read(route, target, request, limits)
        recorder = Recorder(target.signature, route.log.redact)
        asked.beside = [
            {name: value for name, value in recorder.features(row).items() if name in self._beside}
            for row in asked.rows
        ]
        absent: dict[str, dict[str, int]] = {}
        asked.rows = self.rows(asked.rows, target.signature.names, absent)
        asked.absent = absent
        self._told(route.name, absent)
        return asked

    def _told(self, endpoint: str, absent: dict[str, dict[str, int]]) -> None:
        """Log features that were null for want of a fresh row, at most once in a while."""
        for name, reasons in absent.items():
            for reason, count in reasons.items():
                self._missed[name, reason] += count
        now = time.monotonic()
        if self._missed and now >= self._tell_at:
            self._tell_at = now + _TELL_SECONDS
            told = ", ".join(f"{name} {why} {n}" for (name, why), n in self._missed.items())
            logger.warning("Endpoint %s was answered with null features: %s", endpoint, told)
            self._missed.clear()

    def rows(
        self,
        rows: list[Row],
        names: Sequence[str],
        absent: dict[str, dict[str, int]] | None = None,
    ) -> list[Row]:
        """Rows of these columns, as rows in the order of the model's inputs.

        `absent` is told how many rows have no feature, by its name and why: `not_found`, `expired`.

        Raises: BadOnlineRow, FormulaFailed, ValueRefused; WorkerUnavailable where the online rows
        can't be read.
        """
        now = time.time_ns() // 1_000
        missing = {} if absent is None else absent
        records = []
        for number, row in enumerate(rows):
            record = {
                name: value
                for name, value in zip(names, row, strict=True)
                if value is not None or name not in self._features
            }
            try:
                missed = self._enricher.fill(record, number, now)
            except AthanorError:
                raise
            except Exception as error:
                logger.exception("Online features can't be read")
                reason = f"its online features can't be read ({type(error).__name__})"
                raise WorkerUnavailable(reason) from error
            for name, reason in missed.items():
                counts = missing.setdefault(name, {})
                counts[reason] = counts.get(reason, 0) + 1
            records.append(record)
        return parse(self._signature, {"records": records}, max_rows=len(records)).rows


class Enrichments:
    """The features of every deployment that has some."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._reader: Reader | None = None
        self._made: dict[str, tuple[Target, Enrichment]] = {}

    def of(self, target: Target) -> Enrichment | None:
        """A deployment's features; None where it has none.

        Raises: FeaturesElsewhere.
        """
        if target.features is None:
            return None
        kept = self._made.get(target.id)
        if kept is not None and kept[0] is target:
            return kept[1]
        if not self._url:
            raise FeaturesElsewhere(target.model)
        if self._reader is None:
            self._reader = open_reader(self._url)
        made = Enrichment(target, target.features, self._reader)
        self._made[target.id] = (target, made)
        return made
