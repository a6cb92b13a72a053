"""The prediction log of one plane process.

Rows gathered in one tick of the loop are written by one call, and that tick's answers leave after
it: what was answered is in the file, whatever kills the process.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from athanor.serving.segments import Segment

logger = logging.getLogger(__name__)

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
        self._unsynced_since = 0.0
        self._work: asyncio.Future[None] | None = None

    def append(self, lines: bytes, release: Release) -> None:
        """Write these lines with the others of this tick, then call `release`."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self._lines.append(lines)
        self._releases.append(release)

    def flush(self) -> None:
        """Write what was gathered and release its answers."""
        if not self._lines:
            return
        lines, releases = self._lines, self._releases
        self._lines, self._releases = [], []
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

    def tend(self) -> None:
        """Each second: sync what was written, and seal a segment that is old enough."""
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
            return
        segment = self._segment
        behind = segment is not None and segment.synced < segment.size
        self._unsynced_since = time.monotonic() if behind else 0.0
