"""What a workspace consists of, and who may sweep it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from athanor.app.keeping.errors import KeepingBusy
from athanor.kernel.remote import filesystem_of
from athanor.kernel.settings import Settings

DATABASE = "athanor.db"
TASK_LOG = "log.txt"
LOCK = "keeping.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the parts of one workspace lie."""

    workspace: Path
    database_url: str
    """A SQLAlchemy URL."""
    storage_url: str
    """A folder, or a URL of an object store."""

    @classmethod
    def of(cls, settings: Settings) -> "Places":
        """The places that these settings name."""
        home = settings.workspace
        return cls(
            workspace=home,
            database_url=settings.database_url or f"sqlite:///{home / DATABASE}",
            storage_url=(settings.storage_url or str(home / "storage")).rstrip("/"),
        )

    @property
    def sqlite(self) -> Path | None:
        """The database's file, where it is one."""
        kind, _, path = self.database_url.partition(":///")
        return Path(path) if kind == "sqlite" else None


class Tree:
    """Files below a folder or a URL, by relative path."""

    def __init__(self, url: str) -> None:
        self.url = url.removeprefix("file://").rstrip("/")
        self.local = Path(self.url) if "://" not in self.url else None

    def files(self, below: str = "") -> list[str]:
        """The paths of all files below a folder of it, sorted; none where there is no folder.

        Names with a dot or a `#` in the right place are of files under way: left out.
        """
        if self.local is not None:
            root = self.local / below
            found = [
                str(Path(folder, name).relative_to(self.local))
                for folder, _, names in os.walk(root)
                for name in names
            ]
        else:
            filesystem, root_name = self._remote()
            start = f"{root_name}/{below}".rstrip("/")
            found = [
                str(name)[len(root_name) :].lstrip("/")
                for name in (filesystem.find(start) if filesystem.exists(start) else [])
            ]
        return sorted(name for name in found if not _under_way(name.rsplit("/", 1)[-1]))

    def folders(self, below: str) -> list[str]:
        """The names right below a folder of it."""
        names = {name[len(below) :].lstrip("/").split("/")[0] for name in self.files(below)}
        return sorted(names)

    def open(self, name: str) -> IO[bytes]:
        """A file's bytes. Raises: FileNotFoundError."""
        if self.local is not None:
            return (self.local / name).open("rb")
        filesystem, root = self._remote()
        return cast("IO[bytes]", filesystem.open(f"{root}/{name}", "rb"))

    def about(self, name: str) -> tuple[int, float]:
        """A file's size in bytes, and when it was last changed (seconds since 1970)."""
        if self.local is not None:
            found = (self.local / name).stat()
            return found.st_size, found.st_mtime
        filesystem, root = self._remote()
        said = filesystem.info(f"{root}/{name}")
        times = (said.get(name) for name in ("LastModified", "mtime", "updated", "created"))
        changed: Any = next((at for at in times if at is not None), None)
        known = hasattr(changed, "timestamp")
        return int(said["size"]), changed.timestamp() if known else time.time()

    def remove(self, name: str) -> None:
        """Remove a file."""
        if self.local is not None:
            (self.local / name).unlink(missing_ok=True)
            return
        filesystem, root = self._remote()
        filesystem.rm_file(f"{root}/{name}")

    def put(self, name: str, source: Path) -> None:
        """Move or upload a file to a path of it."""
        if self.local is not None:
            target = self.local / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            source.replace(target)
            return
        filesystem, root = self._remote()
        filesystem.put_file(str(source), f"{root}/{name}")

    def _remote(self) -> tuple[Any, str]:
        return filesystem_of(self.url)


def _under_way(name: str) -> bool:
    return name.startswith(".") or name.endswith(".part") or "#" in name


@contextmanager
def keeping(workspace: Path, *, alone: bool) -> Iterator[None]:
    """Hold the workspace's contents together: many backups at once, or one clean-up alone.

    Raises: KeepingBusy.
    """
    descriptor = os.open(workspace / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KeepingBusy(workspace) from None
        yield
    finally:
        os.close(descriptor)
