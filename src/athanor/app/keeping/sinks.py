"""What a backup is written to: a folder or one tar file, visible when it is whole."""

import hashlib
import io
import os
import shutil
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Protocol

import orjson

from athanor.app.keeping.errors import BackupExists
from athanor.kernel import new_id

FORMAT_VERSION = 1
ABOUT = "about.json"
MANIFEST = "manifest.json"
TAR = (".tar", ".tar.gz", ".tgz")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a backup."""

    path: str
    size: int
    sha256: str


class Sink(Protocol):
    """Takes files, one after the other."""

    def add(self, path: str, source: IO[bytes], size: int) -> Entry:
        """Write exactly `size` bytes of a stream under a relative path.

        Raises: EOFError where the stream is shorter.
        """
        ...

    def finish(self) -> None:
        """Make it appear under its name, synced."""
        ...

    def discard(self) -> None:
        """Remove what was written."""
        ...


def sink_for(target: Path) -> Sink:
    """A tar file where the name says so, a folder otherwise.

    Raises: BackupExists.
    """
    if target.exists():
        raise BackupExists(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    return TarSink(target) if is_tar(target) else FolderSink(target)


def is_tar(path: Path) -> bool:
    """Whether a name is a tar file's."""
    return path.name.endswith(TAR)


def add_bytes(sink: Sink, path: str, data: bytes) -> Entry:
    """Write bytes under a relative path."""
    return sink.add(path, io.BytesIO(data), len(data))


def add_manifest(sink: Sink, entries: list[Entry]) -> None:
    """Write the list of all files: the last one."""
    body = {"format_version": FORMAT_VERSION, "files": [asdict(entry) for entry in entries]}
    add_bytes(sink, MANIFEST, orjson.dumps(body))


class _Hashed(io.RawIOBase):
    """The next `size` bytes of a stream, hashed as they are read."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self._source = source
        self._left = size
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._source.read(wanted)
        if wanted and not data:
            raise EOFError
        self._left -= len(data)
        self.digest.update(data)
        return data

    @property
    def left(self) -> int:
        return self._left


class FolderSink:
    """A backup as a folder."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._passing = target.with_name(f".{target.name}.{new_id()}.part")
        self._passing.mkdir(mode=0o700)

    def add(self, path: str, source: IO[bytes], size: int) -> Entry:
        """Write exactly `size` bytes of a stream under a relative path."""
        place = self._passing / path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        hashed = _Hashed(source, size)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            while hashed.left:
                stream.write(hashed.read(_CHUNK))
        return Entry(path=path, size=size, sha256=hashed.digest.hexdigest())

    def finish(self) -> None:
        """Make it appear under its name, synced."""
        os.sync()
        self._passing.rename(self._target)
        os.sync()

    def discard(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self._passing, ignore_errors=True)


class TarSink:
    """A backup as one tar file, compressed where the name says so."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._passing = target.with_name(f".{target.name}.{new_id()}.part")
        descriptor = os.open(self._passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._stream = os.fdopen(descriptor, "wb")
        if target.name.endswith(".tar"):
            self._tar = tarfile.open(fileobj=self._stream, mode="w")  # noqa: SIM115 - see finish
        else:
            self._tar = tarfile.open(  # noqa: SIM115 - see finish
                fileobj=self._stream, mode="w:gz", compresslevel=1
            )

    def add(self, path: str, source: IO[bytes], size: int) -> Entry:
        """Write exactly `size` bytes of a stream under a relative path."""
        member = tarfile.TarInfo(path)
        member.size, member.mode = size, 0o600
        hashed = _Hashed(source, size)
        self._tar.addfile(member, hashed)
        return Entry(path=path, size=size, sha256=hashed.digest.hexdigest())

    def finish(self) -> None:
        """Make it appear under its name, synced."""
        self._tar.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._passing.rename(self._target)

    def discard(self) -> None:
        """Remove what was written."""
        self._stream.close()
        self._passing.unlink(missing_ok=True)
