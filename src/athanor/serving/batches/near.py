"""Files that lie where callers named them, for as long as they stay what they were.

Their bytes are kept as blobs, too. But what was just read lies in the system's cache under the
caller's name, so that batches read it there; a file that was written to since is read as the blob.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from athanor.kernel import nearby

_MOST = 256


@dataclass(frozen=True, slots=True)
class NearFiles:
    """Where the files of blobs lie, as far as this process was told."""

    _known: dict[str, dict[str, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, digest: str, path: str, stamp: list[int]) -> None:
        """Remember where a blob's file lies, and its stamp when it was read."""
        with self._lock:
            self._known.pop(digest, None)
            self._known[digest] = {"path": path, "stamp": stamp}
            while len(self._known) > _MOST:
                del self._known[next(iter(self._known))]

    def find(self, digest: str) -> dict[str, Any] | None:
        """`path` and `stamp` of a blob's file, as plain data; None where it is not known."""
        return self._known.get(digest)


def is_same(near: dict[str, Any] | None) -> bool:
    """Whether what `NearFiles.find` told is still the file that it was."""
    return near is not None and nearby.stamp_of(near["path"]) == near["stamp"]
