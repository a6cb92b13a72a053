"""The shadows' log: written by the planes, read for reports.

`report` is called by name, in a worker: labels are joined by DuckDB there.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from athanor.kernel.workers import Workers
from athanor.serving import segments
from athanor.serving.log import ServingLog
from athanor.serving.logic.shadowing import Shadowed
from athanor.serving.types import Deployment
from athanor.serving.types.rollouts import ShadowReport

_REPORT = "athanor.serving.shadowing:report"
_SECONDS = 120.0
_MOST_BYTES = 512 << 20
"""Of all segments together; the oldest are removed beyond it."""


class ShadowLog:
    """What shadows answered, beside what was returned."""

    def __init__(self, folder: Path, log: ServingLog, workers: Workers) -> None:
        self._folder = folder
        self._log = log
        self._workers = workers

    @property
    def folder(self) -> Path:
        """Where the planes write."""
        return self._folder

    def report(self, shadow: Deployment) -> ShadowReport:
        """The shadow's answers compared with those that were returned."""
        about = Shadowed(
            endpoint=shadow.endpoint,
            shadow=shadow.number,
            model=shadow.model,
            version=shadow.version,
        )
        arguments: Mapping[str, Any] = {
            "about": msgspec.to_builtins(about),
            "deployment": shadow.id,
            "folder": str(self._folder),
            "sources": self._log.sources(),
        }
        found = self._workers.call(_REPORT, arguments, timeout=_SECONDS)
        return msgspec.convert(found, ShadowReport)

    def sweep(self) -> None:
        """Remove the oldest segments where there are too many bytes of them."""
        found = [(path, path.stat().st_size) for path in segments.all_in(self._folder)]
        total = sum(size for _, size in found)
        for path, size in found[:-1]:
            if total <= _MOST_BYTES:
                break
            path.unlink(missing_ok=True)
            total -= size
