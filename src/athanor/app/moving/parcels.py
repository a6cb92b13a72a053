"""The files of runs and logged models, brought over: only content that is not there is sent."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from athanor.app.moving.receiver import Receiver
from athanor.app.moving.source import Files, Found, Owner, Source
from athanor.kernel import new_id
from athanor.registry.records import VersionRecord
from athanor.tracking.records import FileRecord

_CHUNK = 1 << 20
_PARCEL_FILES = 500
_PARCEL_BYTES = 64 << 20
_FAR_BYTES = 1 << 30
_THREADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A file, or all files of an owner, that the source tells of and does not have."""

    owner: str
    path: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What became of an owner's files."""

    files: int = 0
    bytes: int = 0
    """Of content that had to be sent."""
    missing: tuple[Missing, ...] = ()

    def plus(self, other: "Brought") -> "Brought":
        """Both together."""
        return Brought(
            files=self.files + other.files,
            bytes=self.bytes + other.bytes,
            missing=self.missing + other.missing,
        )


def bring(source: Source, receiver: Receiver, owned: Sequence[tuple[Owner, Files]]) -> Brought:
    """Bring the files of owners over. What can't be read is told, and the others come."""
    brought = Brought()
    for together in _groups(owned):
        brought = brought.plus(_bring(source, receiver, together))
    return brought


def _groups(owned: Sequence[tuple[Owner, Files]]) -> Iterator[list[tuple[Owner, Files]]]:
    """Owners with their files, as many as may lie here for a while on their way."""
    group: list[tuple[Owner, Files]] = []
    size = 0
    for owner, files in owned:
        far = sum(file.size for file in files.found if file.local is None)
        if group and size + far > _FAR_BYTES:
            yield group
            group, size = [], 0
        group.append((owner, files))
        size += far
    if group:
        yield group


def _bring(source: Source, receiver: Receiver, group: Sequence[tuple[Owner, Files]]) -> Brought:
    missing = [
        Missing(owner=owner.id, path="", why=files.missing)
        for owner, files in group
        if files.missing
    ]
    every = [(owner, file) for owner, files in group for file in files.found]
    if not every:
        return Brought(missing=tuple(missing))
    records: dict[str, list[FileRecord]] = {}
    known: dict[str, tuple[Owner, Found]] = {}
    held: dict[str, _Held] = {}
    with tempfile.TemporaryDirectory(prefix="athanor-moving-") as place:

        def told(one: tuple[Owner, Found]) -> tuple[FileRecord, _Held | None] | OSError:
            try:
                return _told(source, one[0], one[1], Path(place))
            except OSError as error:
                return error

        with ThreadPoolExecutor(_THREADS) as threads:
            for (owner, file), answer in zip(every, threads.map(told, every), strict=True):
                if isinstance(answer, OSError):
                    missing.append(Missing(owner=owner.id, path=file.path, why=str(answer)))
                    continue
                record, one = answer
                records.setdefault(owner.id, []).append(record)
                known[record.digest] = (owner, file)
                if one is not None:
                    held[record.digest] = one
        absent = receiver.take_files(records)
        sent = [held.get(digest) or _hold(source, *known[digest], Path(place)) for digest in absent]
        for parcel in _parcels(sent):
            _send(receiver, parcel, Path(place))
        if absent:
            receiver.take_files(records)
    return Brought(
        files=sum(map(len, records.values())),
        bytes=sum(one.size for one in sent),
        missing=tuple(missing),
    )


def bring_folder(source: Source, receiver: Receiver, model: str, version: VersionRecord) -> int:
    """Bring over a folder that a version was registered with; how many bytes were sent.

    Raises: OSError.
    """
    absent = receiver.take_version_files(model, version)
    if not absent:
        return 0
    with tempfile.TemporaryDirectory(prefix="athanor-moving-") as place:
        files = {file.digest: file for file in version.files}
        found = (
            Found(path=files[digest].path, size=files[digest].size, digest=digest)
            for digest in absent
        )
        sent = [_hold(source, version, file, Path(place)) for file in found]
        for parcel in _parcels(sent):
            _send(receiver, parcel, Path(place))
    receiver.take_version_files(model, version)
    return sum(one.size for one in sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    digest: str
    size: int
    path: Path


def _told(
    source: Source, owner: Owner, file: Found, place: Path
) -> tuple[FileRecord, _Held | None]:
    """A file's record; it is read for it where its digest is not known."""
    if file.digest:
        return FileRecord(path=file.path, size=file.size, digest=file.digest), None
    held = _hold(source, owner, file, place)
    return FileRecord(path=file.path, size=held.size, digest=held.digest), held


def _hold(source: Source, owner: Owner | VersionRecord, file: Found, place: Path) -> _Held:
    """A file's digest, and the file itself: where it lies, or brought here."""
    told = hashlib.sha256()
    size = 0
    with ExitStack() as stack:
        stream = stack.enter_context(source.open(owner, file))
        kept: IO[bytes] | None = None
        path = file.local
        if path is None:
            path = place / new_id()
            kept = stack.enter_context(path.open("wb"))
        while piece := stream.read(_CHUNK):
            told.update(piece)
            size += len(piece)
            if kept is not None:
                kept.write(piece)
    return _Held(digest=f"sha256:{told.hexdigest()}", size=size, path=path)


def _parcels(held: Sequence[_Held]) -> Iterator[list[_Held]]:
    """Small files together, large ones alone."""
    parcel: list[_Held] = []
    size = 0
    for one in held:
        if parcel and (len(parcel) == _PARCEL_FILES or size + one.size > _PARCEL_BYTES):
            yield parcel
            parcel, size = [], 0
        parcel.append(one)
        size += one.size
    if parcel:
        yield parcel


def _send(receiver: Receiver, parcel: Sequence[_Held], place: Path) -> None:
    packed = place / "parcel"
    with packed.open("wb") as stream:
        stream.write(msgspec.json.encode([(held.digest, held.size) for held in parcel]) + b"\n")
        for held in parcel:
            with held.path.open("rb") as content:
                shutil.copyfileobj(content, stream, _CHUNK)
    receiver.take_content(packed)
    packed.unlink()
