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
        self._syncing: asyncio.Future[None] | None = None

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
                self.seal()
        for release in releases:
            release(failure)

    def tend(self) -> None:
        """Each second: sync what was written, and seal a segment that is old enough."""
        segment = self._segment
        if segment is None:
            return
        if time.monotonic() - segment.began >= self._seal_seconds:
            self.seal()
        elif segment.synced < segment.size and self._syncing is None:
            self._syncing = asyncio.get_running_loop().run_in_executor(None, segment.sync)
            self._syncing.add_done_callback(self._synced)

    def seal(self) -> str:
        """Seal the segment under way; the next row begins another. Returns its name, or ""."""
        segment = self._segment
        if segment is None or self._syncing is not None:
            # A sync under way holds the descriptor; the next second tries again.
            return ""
        self._segment = None
        self._unsynced_since = 0.0
        segment.seal()
        return segment.path.name

    async def close(self) -> None:
        """Write, sync and seal everything."""
        self.flush()
        if self._syncing is not None:
            await asyncio.wait([self._syncing])
        self.seal()

    @property
    def oldest_unsynced_seconds(self) -> float:
        """How long the oldest row has waited for its sync, in seconds."""
        return time.monotonic() - self._unsynced_since if self._unsynced_since else 0.0

    def _synced(self, done: asyncio.Future[None]) -> None:
        self._syncing = None
        if not done.cancelled() and done.exception() is not None:
            logger.error("The prediction log can't be synced: %s", done.exception())
            return
        segment = self._segment
        if segment is None or segment.synced >= segment.size:
            self._unsynced_since = 0.0
        else:
            self._unsynced_since = time.monotonic()
