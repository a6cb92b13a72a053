"""The prediction log of one plane process.

Rows gathered in one tick of the loop are written by one call, and that tick's answers leave after
it: what was answered is in the file, whatever kills the process. Answers of an endpoint whose
durability is `fsync` wait for a sync, too: one for all that came while the one before ran. Rows of
one whose durability is `off` are written with the next that are, or within a second.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from athanor.serving.segments import Segment
from athanor.serving.types.recording import Durability

logger = logging.getLogger(__name__)

_IDLE_BYTES = 1 << 20
"""Bytes of rows of durability `off` that are kept in memory at most."""

Release: TypeAlias = Callable[[OSError | None], None]
"""Called once the rows are written, or with the reason why they could not be."""


class PredictionLog:
    """Gathers a tick's rows, writes them, then lets their answers go."""

    def __init__(
        self, folder: Path, *, seal_bytes: int = 64 << 20, seal_seconds: float = 300.0
    ) -> None:
        self._folder = folder
        self._seal_bytes = seal_bytes
        self._seal_seconds = seal_seconds
        self._segment: Segment | None = None
        self._lines: list[bytes] = []
        self._releases: list[Release] = []
        self._durable: list[Release] = []
        self._idle: list[bytes] = []
        self._idle_bytes = 0
        self.scheduled = False
        """Whether rows of this tick wait to be written."""
        self.flushed = 0
        """How many ticks' rows were written so far."""
        self._unsynced_since = 0.0
        self._work: asyncio.Future[None] | None = None

    def appender(self, durability: Durability) -> Callable[[bytes, Release], None]:
        """What appends rows of an endpoint with this durability."""
        return {"os": self.append, "fsync": self.append_durably, "off": self._keep}[durability]

    def append(self, lines: bytes, release: Release) -> None:
        """Write these lines with the others of this tick, then call `release`."""
        if not self.scheduled:
            self.scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)
        self._lines.append(lines)
        self._releases.append(release)

    def append_durably(self, lines: bytes, release: Release) -> None:
        """The same, but `release` waits until the lines survive a power cut."""

        def written(failure: OSError | None) -> None:
            if failure is not None:
                release(failure)
            else:
                self._durable.append(release)

        self.append(lines, written)

    def _keep(self, lines: bytes, release: Release) -> None:
        """Write these lines some time; they are lost with the process."""
        release(None)
        self._idle.append(lines)
        self._idle_bytes += len(lines)
        if self._idle_bytes > _IDLE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered and release its answers."""
        self.scheduled = False
        self.flushed += 1
        lines, releases = self._lines, self._releases
        self._lines, self._releases = [], []
        if self._idle:
            lines += self._idle
            self._idle, self._idle_bytes = [], 0
        if not lines:
            for release in releases:
                release(None)
            return
        failure: OSError | None = None
        try:
            if self._segment is None:
                self._segment = Segment(self._folder)
            self._segment.append(b"".join(lines))
        except OSError as error:
            failure = error
            logger.exception("The prediction log can't be written")
        else:
            self._unsynced_since = self._unsynced_since or time.monotonic()
            if self._segment.size >= self._seal_bytes:
                self._begin_seal()
        for release in releases:
            release(failure)
        if self._durable:
            self._sync_for_answers()

    def _sync_for_answers(self) -> None:
        """Sync what was written, then release the answers that wait for it.

        While another sync runs, whose beginning these rows may have missed, they wait for the next.
        """
        if self._work is not None or not self._durable:
            return
        waiting, self._durable = self._durable, []
        segment = self._segment
        if segment is None:  # sealed, and so synced, in between
            for release in waiting:
                release(None)
            return
        self._begin(segment.sync).add_done_callback(lambda done: _release(waiting, done))

    def tend(self) -> None:
        """Each second: sync what was written, and seal a segment that is old enough."""
        if self._idle:
            self.flush()
        segment = self._segment
        if segment is None or self._work is not None:
            return
        if time.monotonic() - segment.began >= self._seal_seconds:
            self._begin_seal()
        elif segment.synced < segment.size:
            self._begin(segment.sync)

    async def seal(self) -> str:
        """Seal the segment under way; the next row begins another. Returns its name, or ""."""
        self.flush()
        while self._work is not None:
            await asyncio.wait([self._work])
        if self._segment is None:
            return ""
        name = self._segment.path.name
        sealed = self._begin_seal()
        if sealed is not None:
            await asyncio.wait([sealed])
        return name

    @property
    def oldest_unsynced_seconds(self) -> float:
        """How long the oldest row has waited for its sync, in seconds."""
        return time.monotonic() - self._unsynced_since if self._unsynced_since else 0.0

    def _begin_seal(self) -> "asyncio.Future[None] | None":
        """Have the segment closed beside the loop; while another sync runs, later."""
        segment = self._segment
        if segment is None or self._work is not None:
            return None
        self._segment = None
        return self._begin(segment.seal)

    def _begin(self, act: Callable[[], None]) -> "asyncio.Future[None]":
        """Run what waits for the disk on a thread: one at a time, as it holds the descriptor."""
        self._work = asyncio.get_running_loop().run_in_executor(None, act)
        self._work.add_done_callback(self._synced)
        return self._work

    def _synced(self, done: "asyncio.Future[None]") -> None:
        self._work = None
        if not done.cancelled() and done.exception() is not None:
            logger.error("The prediction log can't be synced: %s", done.exception())
            waiting, self._durable = self._durable, []
            _release(waiting, done)
            return
        if self._durable:
            asyncio.get_running_loop().call_soon(self._sync_for_answers)
        segment = self._segment
        behind = segment is not None and segment.synced < segment.size
        self._unsynced_since = time.monotonic() if behind else 0.0


def _release(waiting: list[Release], done: "asyncio.Future[None]") -> None:
    failure = done.exception()
    told = failure if failure is None or isinstance(failure, OSError) else OSError(str(failure))
    for release in waiting:
        release(told)
