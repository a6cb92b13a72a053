"""How often live answers were right, for canaries: read from the log beside the judge's loop."""

import logging
import threading
import time
from dataclasses import dataclass

from athanor.kernel.errors import AthanorError
from athanor.serving.log import ServingLog
from athanor.serving.types import PredictionQuery

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 3.0
_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Grade:
    """The labelled live rows of one deployment."""

    labelled: int = 0
    right: int = 0


class Grades:
    """The latest grades of deployments; asking for them has them counted again, now and then."""

    def __init__(self, log: ServingLog) -> None:
        self._log = log
        self._found: dict[str, Grade] = {}
        self._mark: object = None
        self._at = 0.0
        self._work: threading.Thread | None = None

    def of(self, endpoint: str, deployments: tuple[str, ...]) -> list[Grade]:
        """The grades as they were last counted, in this order."""
        self._count_now_and_then(endpoint, deployments)
        return [self._found.get(name, Grade()) for name in deployments]

    def close(self) -> None:
        """Wait for a count under way."""
        if self._work is not None:
            self._work.join()

    def _count_now_and_then(self, endpoint: str, deployments: tuple[str, ...]) -> None:
        busy = self._work is not None and self._work.is_alive()
        if busy or time.monotonic() < self._at:
            return
        self._at = time.monotonic() + _PAUSE_SECONDS
        mark = (endpoint, deployments, self._log.labels_mark())
        if mark == self._mark or not mark[2]:
            return
        self._mark = mark
        self._work = threading.Thread(
            target=self._count, args=(endpoint, deployments), name="grading", daemon=True
        )
        self._work.start()

    def _count(self, endpoint: str, deployments: tuple[str, ...]) -> None:
        for name in deployments:
            query = PredictionQuery(deployment=name, labelled=True, limit=_ROWS)
            try:
                rows = [row for row in self._log.query(endpoint, query) if row.label is not None]
            except AthanorError:
                logger.exception("The labelled rows of endpoint %s can't be read", endpoint)
                return
            right = sum(row.label == row.truth for row in rows)
            self._found[name] = Grade(len(rows), right)
