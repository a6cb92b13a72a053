"""Blobs by their content, over any fsspec URL.

A blob's name is the sha256 of its bytes, so that writing twice is writing once. A folder is a
manifest: a JSON list of its files' paths, digests and sizes, itself a blob. Nothing half-written
is ever visible: bytes go to a temporary name, are synced, and are renamed.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import orjson

from athanor.kernel.directly import DirectFile, pieces_of
from athanor.kernel.durable import LocalWriter, RemoteWriter, sync_path
from athanor.kernel.errors import Internal, NotFound, StorageFull
from athanor.kernel.ids import new_id
from athanor.kernel.remote import filesystem_of

_CHUNK = 1 << 20
_SPACE_CHECK_SECONDS = 1.0
KEEP_SECONDS = 24 * 3600.0
"""A blob that was stored within this time is not cleaned away, whether a row names it or not."""
_CHECK_BYTES = 64 << 20
"""Of a blob that arrives in pieces, the free space is looked at again after so many."""
_HASHED_BESIDE = 2 << 20
"""Bytes: a larger piece is hashed by a thread while it is written."""


class BlobNotFound(NotFound):
    """No blob has this digest, or it was erased."""

    def __init__(self, digest: str, *, erased: bool = False) -> None:
        message = f"There is no blob {digest}."
        hint = "It was removed, or the storage URL is not the one that it was written to."
        if erased:
            message = f"The blob {digest} was erased with the rows of a person."
            hint = "What needs it can't be read or made again; its digest and lineage stay."
        super().__init__(message, hint=hint, details={"gone_for": "erased"} if erased else None)


class BlobDamaged(Internal):
    """A blob's bytes are not those that its name promises."""

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"The blob {digest} is damaged: its content has another digest.",
            hint="Restore it from a backup of the workspace.",
        )


class DiskNearlyFull(StorageFull):
    """Less free space than the reserve; reads and predictions go on."""

    def __init__(self, free: int, reserve: int, where: str) -> None:
        super().__init__(
            f"Only {free // 1_000_000} MB are free at {where}; writes stop below "
            f"{reserve // 1_000_000} MB, so that nothing is half-written.",
            hint="Free some space there and try again.",
        )


class DiskFull(StorageFull):
    """Not a byte is left."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"The disk is full ({where}); nothing of this was kept.",
            hint="Free some space there and try again.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What was stored."""

    digest: str
    """`sha256:<64 hex>` of the bytes; of a folder, of its manifest."""
    size: int
    """Bytes; of a folder, those of its files together."""
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderEntry:
    """One file of a stored folder."""

    path: str
    digest: str
    size: int


class Storage:
    """The blobs and the table folders of one workspace."""

    def __init__(self, url: str, *, reserve_bytes: int = 500_000_000) -> None:
        self.url = url.rstrip("/")
        self._reserve = reserve_bytes
        self._checked = 0.0
        self._local = _local_root(self.url)
        if self._local is not None:
            self._local.mkdir(parents=True, exist_ok=True)

    @property
    def root(self) -> Path | None:
        """The folder that holds everything, where the storage is local."""
        return self._local

    @property
    def reserve_bytes(self) -> int:
        """Below this much free space, writes are refused."""
        return self._reserve

    def table_uri(self, name: str) -> str:
        """Where the Delta table of this name lies: a path, or a URL of an object store."""
        if self._local is not None:
            return str(self._local / "tables" / name)
        return f"{self.url}/tables/{name}"

    def check_space(self) -> None:
        """Return if there is room to write.

        Raises: DiskNearlyFull.
        """
        now = time.monotonic()
        if self._local is None or now - self._checked < _SPACE_CHECK_SECONDS:
            return
        free = shutil.disk_usage(self._local).free
        if free < self._reserve:
            raise DiskNearlyFull(free, self._reserve, str(self._local))
        self._checked = now

    def put_bytes(self, data: bytes) -> Blob:
        """Store bytes.

        Raises: DiskNearlyFull.
        """
        digest = hashlib.sha256(data).hexdigest()
        if not self._renewed(digest):
            self.check_space()
            with self._new(digest) as stream:
                stream.write(data)
        return self._blob(digest, len(data))

    def put_file(self, path: Path) -> Blob:
        """Store a file's bytes; memory stays constant.

        Raises: DiskNearlyFull.
        """
        digest, size = _digest_of(path)
        if not self._renewed(digest):
            self.check_space()
            with path.open("rb") as source, self._new(digest) as stream:
                shutil.copyfileobj(source, stream, _CHUNK)
        return self._blob(digest, size)

    def put_folder(self, path: Path) -> Blob:
        """Store all files below a folder; links are not followed.

        Raises: DiskNearlyFull.
        """
        entries: list[FolderEntry] = []
        for file in sorted(path.rglob("*")):
            if file.is_symlink() or not file.is_file():
                continue
            blob = self.put_file(file)
            name = file.relative_to(path).as_posix()
            entries.append(FolderEntry(path=name, digest=blob.digest, size=blob.size))
        return self.put_entries(entries)

    def put_entries(self, entries: Sequence[FolderEntry]) -> Blob:
        """Store a folder whose files are blobs already; `entries` in the order of their paths.

        Raises: DiskNearlyFull.
        """
        listed = [asdict(entry) for entry in entries]
        manifest = self.put_bytes(orjson.dumps(listed, option=orjson.OPT_SORT_KEYS))
        size = sum(entry.size for entry in entries)
        return Blob(digest=manifest.digest, size=size, uri=manifest.uri)

    @contextmanager
    def incoming(self) -> Iterator["Incoming"]:
        """A blob that arrives in pieces; what is not kept by the end leaves nothing behind.

        Raises: DiskNearlyFull, also while pieces arrive.
        """
        folder = Path(tempfile.gettempdir()) if self._local is None else self._local / "blobs"
        folder.mkdir(parents=True, exist_ok=True)
        passing = folder / f".{new_id()}.incoming"
        incoming = Incoming(self, passing)
        try:
            yield incoming
        finally:
            incoming.close()
            passing.unlink(missing_ok=True)

    def entries(self, digest: str) -> list[FolderEntry]:
        """The files of a stored folder, but for those that were erased.

        Raises: BlobNotFound.
        """
        found = [FolderEntry(**entry) for entry in orjson.loads(self.read(digest))]
        erased = self._erased()
        return [
            entry
            for entry in found
            if _hex(entry.digest) not in erased or self.exists(entry.digest)
        ]

    def fetch_folder(self, digest: str, into: Path) -> Path:
        """Write a stored folder's files below `into`; files already there and equal stay.

        Raises: BlobNotFound, BlobDamaged.
        """
        for entry in self.entries(digest):
            target = into / PurePosixPath(entry.path)
            if not target.resolve().is_relative_to(into.resolve()):
                raise BlobDamaged(digest)
            target.parent.mkdir(parents=True, exist_ok=True)
            self.fetch_file(entry.digest, target)
        return into

    def fetch_file(self, digest: str, target: Path) -> Path:
        """Write a blob to a path, whole or not at all.

        Raises: BlobNotFound, BlobDamaged.
        """
        passing = target.with_name(f".{target.name}.{new_id()}")
        with self.open(digest) as source, passing.open("wb") as stream:
            shutil.copyfileobj(source, stream, _CHUNK)
        found, _ = _digest_of(passing)
        if found != _hex(digest):
            passing.unlink()
            raise BlobDamaged(digest)
        passing.replace(target)
        return target

    def open(self, digest: str) -> IO[bytes]:
        """A blob's bytes as a stream.

        Raises: BlobNotFound.
        """
        try:
            if self._local is not None:
                return self._path(_hex(digest)).open("rb")
            return cast("IO[bytes]", self._remote().open(self._remote_name(_hex(digest)), "rb"))
        except FileNotFoundError:
            erased = _hex(digest) in self._erased()
            raise BlobNotFound(digest, erased=erased) from None

    def read(self, digest: str) -> bytes:
        """A blob's bytes.

        Raises: BlobNotFound.
        """
        with self.open(digest) as stream:
            return stream.read()

    def exists(self, digest: str) -> bool:
        """Whether a blob is there."""
        return self._has(_hex(digest))

    def path_of(self, digest: str) -> Path | None:
        """The file that holds a blob, where the storage is local and has it."""
        if self._local is None:
            return None
        path = self._path(_hex(digest))
        return path if path.exists() else None

    def digests(self) -> Iterator[str]:
        """All blobs that there are."""
        if self._local is not None:
            names: Iterator[str] = (path.name for path in (self._local / "blobs").glob("??/*"))
        else:
            found = self._remote().glob(f"{self._remote_root()}/blobs/??/*")
            names = (str(name).rsplit("/", 1)[1] for name in found)
        return (f"sha256:{name}" for name in names if not name.startswith("."))

    def adopt(self, path: Path, digest: str, size: int) -> Blob:
        """Store a file whose digest is known, by moving it where the storage is local.

        Raises: DiskNearlyFull.
        """
        self.check_space()
        name = _hex(digest)
        if self._local is None:
            with path.open("rb") as source, self._new(name) as stream:
                shutil.copyfileobj(source, stream, _CHUNK)
        elif not self._renewed(name):
            os.utime(path)
            sync_path(path)
            target = self._path(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            sync_path(target.parent)
        return self._blob(name, size)

    def remove(self, digest: str) -> None:
        """Remove a blob for good, whoever names it; one that is not there is none."""
        name = _hex(digest)
        if self._local is not None:
            self._path(name).unlink(missing_ok=True)
        elif self._has(name):
            self._remote().rm_file(self._remote_name(name))

    def erase(self, digest: str) -> None:
        """Remove a blob for good; folders that held it are read on without it.

        A tombstone says that it is gone on purpose. Their digests stay what they were.
        """
        name = _hex(digest)
        if self._local is not None:
            stone = self._local / "erased" / name
            stone.parent.mkdir(exist_ok=True)
            stone.touch()
        else:
            self._remote().pipe_file(f"{self._remote_root()}/erased/{name}", b"")
        self.remove(digest)

    def _erased(self) -> frozenset[str]:
        """The names of all blobs that were erased."""
        if self._local is not None:
            try:
                return frozenset(stone.name for stone in (self._local / "erased").iterdir())
            except FileNotFoundError:
                return frozenset()
        found = self._remote().glob(f"{self._remote_root()}/erased/*")
        return frozenset(str(name).rsplit("/", 1)[1] for name in found)

    def _blob(self, digest: str, size: int) -> Blob:
        where = str(self._path(digest)) if self._local else f"{self.url}/{_name(digest)}"
        return Blob(digest=f"sha256:{digest}", size=size, uri=where)

    def _renewed(self, digest: str) -> bool:
        """Whether a blob is there already; it counts as new from now on.

        Whoever stores a blob names it in a row a moment later; until then its age alone keeps it
        from being cleaned away.
        """
        if self._local is not None:
            try:
                os.utime(self._path(digest))
            except FileNotFoundError:
                return False
            return True
        try:
            found = self._remote().info(self._remote_name(digest))
        except FileNotFoundError:
            return False
        # An object can't be touched: an old one is written anew.
        times = (found.get(name) for name in ("LastModified", "mtime", "updated", "created"))
        changed: Any = next((moment for moment in times if moment is not None), None)
        written = changed.timestamp() if hasattr(changed, "timestamp") else 0.0
        return time.time() - written < KEEP_SECONDS / 2

    def _has(self, digest: str) -> bool:
        if self._local is not None:
            return self._path(digest).exists()
        return bool(self._remote().exists(self._remote_name(digest)))

    def _path(self, digest: str) -> Path:
        if self._local is None:
            raise BlobNotFound(digest)
        return self._local / _name(digest)

    def _remote_name(self, digest: str) -> str:
        return f"{self._remote_root()}/{_name(digest)}"

    def _remote_root(self) -> str:
        return filesystem_of(self.url)[1].rstrip("/")

    def _remote(self) -> Any:
        filesystem, _ = filesystem_of(self.url)
        return filesystem

    def _new(self, digest: str) -> LocalWriter | RemoteWriter:
        if self._local is not None:
            return LocalWriter(self._path(digest))
        return RemoteWriter(self._remote(), self._remote_name(digest))


class Incoming:
    """Bytes on their way in: hashed while they come, kept as a whole or not at all."""

    def __init__(self, storage: Storage, passing: Path) -> None:
        self._storage = storage
        self._passing = passing
        self._hash = hashlib.sha256()
        self._hashing: Future[None] | None = None
        """Of the piece before, on a thread: a large file is hashed while it is written."""
        self._thread: ThreadPoolExecutor | None = None
        self._stream: IO[bytes] | None = None
        self._since_check = 0
        self.size = 0
        """Bytes so far."""

    def write(self, piece: bytes | memoryview) -> None:
        """Take the next piece.

        Raises: DiskNearlyFull.
        """
        if self._stream is None or self._since_check > _CHECK_BYTES:
            self._storage.check_space()
            self._since_check = 0
        if self._stream is None:
            self._stream = self._passing.open("xb")
        self._digest(piece)
        self._stream.write(piece)
        self.size += len(piece)
        self._since_check += len(piece)

    def write_all(self, stream: IO[bytes]) -> None:
        """Take all that a file still has, as the first thing that arrives.

        Past the system's cache, which holds it under its other name.
        Raises: DiskNearlyFull.
        """
        with DirectFile(self._passing) as target:
            for piece in pieces_of(stream):
                if self._since_check > _CHECK_BYTES or not self.size:
                    self._storage.check_space()
                    self._since_check = 0
                self._digest(piece)
                target.write(piece)
                self.size += len(piece)
                self._since_check += len(piece)
        self._stream = self._passing.open("ab")

    def keep(self) -> Blob:
        """Store what has arrived.

        Raises: DiskNearlyFull.
        """
        if self._stream is None:
            return self._storage.put_bytes(b"")
        return self._storage.adopt(self._passing, f"sha256:{self.finish()}", self.size)

    def finish(self) -> str:
        """Close the file where it is; the sha256 of what has arrived, in hex."""
        if self._stream is None:
            self._stream = self._passing.open("xb")
        self._stream.close()
        self._digest(b"")
        return self._hash.hexdigest()

    def _digest(self, piece: bytes | memoryview) -> None:
        if self._hashing is not None:
            self._hashing.result()
            self._hashing = None
        if len(piece) < _HASHED_BESIDE:
            self._hash.update(piece)
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "hashing")
        self._hashing = self._thread.submit(self._hash.update, piece)

    def close(self) -> None:
        """Let go of the file."""
        if self._thread is not None:
            self._thread.shutdown()
        if self._stream is not None:
            self._stream.close()


def _local_root(url: str) -> Path | None:
    if "://" not in url:
        return Path(url).absolute()
    if url.startswith("file://"):
        return Path(url.removeprefix("file://"))
    return None


def _name(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"


def _hex(digest: str) -> str:
    text = digest.removeprefix("sha256:")
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise BlobNotFound(digest)
    return text


def _digest_of(path: Path) -> tuple[str, int]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return digest.hexdigest(), stream.tell()
