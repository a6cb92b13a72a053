"""The files of runs and logged models, brought over: only content that is not there is sent."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from athanor.app.moving.receiver import Receiver
from athanor.app.moving.source import Found, Owner, Source
from athanor.registry.records import VersionRecord
from athanor.tracking.records import FileRecord

_CHUNK = 1 << 20
_PARCEL_FILES = 500
_PARCEL_BYTES = 64 << 20


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


def bring(source: Source, receiver: Receiver, owner: Owner) -> Brought:
    """Bring an owner's files over. What can't be read is told, and the others come."""
    listed = source.files(owner)
    missing = [Missing(owner=owner.id, path="", why=listed.missing)] if listed.missing else []
    if not listed.found:
        return Brought(missing=tuple(missing))
    with tempfile.TemporaryDirectory(prefix="athanor-moving-") as place:
        held: dict[str, _Held] = {}
        records, known = [], {}
        for file in listed.found:
            try:
                record, one = _told(source, owner, file, Path(place))
            except OSError as error:
                missing.append(Missing(owner=owner.id, path=file.path, why=str(error)))
                continue
            records.append(record)
            known[record.digest] = file
            if one is not None:
                held[record.digest] = one
        absent = receiver.take_files(owner.id, records)
        sent = [
            held.get(digest) or _hold(source, owner, known[digest], Path(place))
            for digest in absent
        ]
        for parcel in _parcels(sent):
            _send(receiver, parcel, Path(place))
        if absent:
            receiver.take_files(owner.id, [file for file in records if file.digest in set(absent)])
    return Brought(files=len(records), bytes=sum(one.size for one in sent), missing=tuple(missing))


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
            path = place / hashlib.sha256(file.path.encode()).hexdigest()
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
