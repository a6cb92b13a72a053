"""The verbs of the artifact tree."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from athanor.kernel import Access, Clock, Database, Events, Principal, Storage, is_id, new_id
from athanor.kernel.storage import Incoming
from athanor.tracking.errors import (
    ArtifactFileNotFound,
    BadArtifactPath,
    BadParts,
    NotAFile,
    UploadNotFound,
)
from athanor.tracking.files import FileEntry, SentPart, Upload
from athanor.tracking.logic.paths import clean, in_project
from athanor.tracking.shelf import Shelf, is_shelved
from athanor.tracking.store.files import FileStore

_CHUNK = 1 << 20
_PARTS = 10_000
_STALE_SECONDS = 7 * 86_400


class Reception:
    """A file on its way in; what is not kept leaves nothing behind."""

    def __init__(
        self, path: str, incoming: Incoming, place: Callable[[str, Incoming], FileEntry]
    ) -> None:
        self._incoming = incoming
        self._place = place
        self.path = path
        """Where it will stand."""

    def write(self, piece: bytes) -> None:
        """Take the next piece. Raises: DiskNearlyFull."""
        self._incoming.write(piece)

    def keep(self) -> FileEntry:
        """Put what has arrived in its place. Raises: DiskNearlyFull, PathTaken."""
        return self._place(self.path, self._incoming)


class RunFiles:
    """The files of runs and logged models: one tree, whose content lies in the storage.

    Paths are relative to the root of the caller's project, as MLflow's clients name them.
    """

    def __init__(
        self,
        store: FileStore,
        database: Database,
        *,
        shelf: Shelf,
        storage: Storage,
        events: Events,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._shelf = shelf
        self._storage = storage
        self._events = events
        self._access = access
        self._clock = clock
        self._listeners: list[Callable[[FileEntry], None]] = []

    def listen(self, noted: Callable[[FileEntry], None]) -> None:
        """Call somebody with each file that is put in its place, in its transaction: be quick."""
        self._listeners.append(noted)

    @contextmanager
    def receive(self, who: Principal, path: str, *, project: str) -> Iterator[Reception]:
        """Take in a file piece by piece, at constant memory.

        Raises: BadArtifactPath, DiskNearlyFull.
        """
        self._access.require(who, "tracking.receive", path)
        place = self._file_place(path, project)
        with self._storage.incoming() as incoming:
            yield Reception(place, incoming, self._place)

    def put(self, who: Principal, path: str, pieces: Iterable[bytes], *, project: str) -> FileEntry:
        """Write a file; one that stands there already gets the new content.

        Raises: BadArtifactPath, PathTaken, DiskNearlyFull.
        """
        self._access.require(who, "tracking.put", path)
        with self.receive(who, path, project=project) as reception:
            for piece in pieces:
                reception.write(piece)
            return reception.keep()

    def file(self, who: Principal, path: str, *, project: str) -> FileEntry:
        """The file at a path.

        Raises: BadArtifactPath, ArtifactFileNotFound, NotAFile.
        """
        self._access.require(who, "tracking.file", path)
        place = in_project(clean(path), project)
        found = self._shelf.find(who, place) if is_shelved(place) else self._store.find(place)
        if found is None:
            raise ArtifactFileNotFound(path)
        if found.is_folder:
            raise NotAFile(path)
        return found

    def read(
        self, who: Principal, entry: FileEntry, *, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """A file's bytes from `start` up to `end` (without it), in pieces of at most 1 MB.

        Raises: BlobNotFound.
        """
        self._access.require(who, "tracking.read", entry.path)
        return self._pieces(entry, start, entry.size if end is None else end)

    def listing(self, who: Principal, path: str, *, project: str) -> list[FileEntry]:
        """What stands in a folder, by path; nothing in one that is not there, or is a file.

        Raises: BadArtifactPath.
        """
        self._access.require(who, "tracking.listing", path)
        place = in_project(clean(path), project)
        if is_shelved(place):
            return self._shelf.children(who, place)
        return self._store.children(place)

    def tree(self, who: Principal, path: str, *, project: str) -> list[FileEntry]:
        """The file at a path, or all those below it, by path.

        Raises: BadArtifactPath.
        """
        self._access.require(who, "tracking.tree", path)
        place = in_project(clean(path), project)
        return self._shelf.files(who, place) if is_shelved(place) else self._store.files(place)

    def delete(self, who: Principal, path: str, *, project: str) -> int:
        """Take away a file, or a folder with all below it; how many files that were.

        Raises: BadArtifactPath.
        """
        self._access.require(who, "tracking.delete", path)
        place = self._file_place(path, project)
        with self._database.transaction():
            gone = self._store.remove(place)
            if gone:
                detail = {"files": gone}
                self._events.tell(who, "tracking.files.deleted", place, detail, project=project)
        return gone

    def begin_upload(self, who: Principal, path: str, parts: int, *, project: str) -> Upload:
        """Announce a file that comes in parts, numbered from 1.

        Raises: BadArtifactPath, BadParts, DiskNearlyFull.
        """
        self._access.require(who, "tracking.begin_upload", path)
        if not 1 <= parts <= _PARTS:
            raise BadParts(f"it has {parts:,} parts, and 1 to {_PARTS:,} are allowed")
        self._storage.check_space()
        upload = Upload(
            id=new_id(),
            path=self._file_place(path, project),
            parts=parts,
            created_at=self._clock.now(),
        )
        folder = self._uploads() / upload.id
        folder.mkdir(parents=True, mode=0o700)
        (folder / "upload.json").write_bytes(msgspec.json.encode(upload))
        return upload

    @contextmanager
    def receive_part(
        self, who: Principal, upload_id: str, number: int
    ) -> Iterator["PartReception"]:
        """Take in one part of an upload, piece by piece; sent again, it takes the other's place.

        Raises: UploadNotFound, BadParts, DiskNearlyFull.
        """
        self._access.require(who, "tracking.receive_part", upload_id)
        upload = self._upload(upload_id)
        if not 1 <= number <= upload.parts:
            raise BadParts(f"part {number:,} was not announced")
        part = PartReception(self._storage, self._uploads() / upload.id, number)
        try:
            yield part
        finally:
            part.close()

    def complete_upload(
        self, who: Principal, upload_id: str, parts: Sequence[SentPart]
    ) -> FileEntry:
        """Put the parts together, in the order of their numbers, and the file in its place.

        Raises: UploadNotFound, BadParts, PathTaken, DiskNearlyFull.
        """
        self._access.require(who, "tracking.complete_upload", upload_id)
        upload = self._upload(upload_id)
        folder = self._uploads() / upload.id
        here = [_kept_part(folder, part) for part in sorted(parts, key=lambda part: part.number)]
        if sorted(part.number for part in parts) != list(range(1, upload.parts + 1)):
            raise BadParts(f"{len(parts):,} of its {upload.parts:,} parts are named")
        with self._storage.incoming() as incoming:
            for path in here:
                with path.open("rb") as stream:
                    while piece := stream.read(_CHUNK):
                        incoming.write(piece)
            entry = self._place(upload.path, incoming)
        shutil.rmtree(folder, ignore_errors=True)
        return entry

    def abort_upload(self, who: Principal, upload_id: str) -> None:
        """Forget an upload and what came of it.

        Raises: UploadNotFound.
        """
        self._access.require(who, "tracking.abort_upload", upload_id)
        shutil.rmtree(self._uploads() / self._upload(upload_id).id, ignore_errors=True)

    def sweep(self) -> int:
        """Forget uploads that nobody went on with for a week; how many."""
        before = time.time() - _STALE_SECONDS
        old = [path for path in self._uploads().glob("*") if path.stat().st_mtime < before]
        for folder in old:
            shutil.rmtree(folder, ignore_errors=True)
        return len(old)

    def _place(self, path: str, incoming: Incoming) -> FileEntry:
        blob = incoming.keep()
        entry = FileEntry(path=path, digest=blob.digest, size=blob.size, at=self._clock.now())
        with self._database.transaction():
            self._store.put(entry)
            for noted in self._listeners:
                noted(entry)
        return entry

    def _pieces(self, entry: FileEntry, start: int, end: int) -> Iterator[bytes]:
        left = max(end - start, 0)
        with self._storage.open(entry.digest) as stream:
            stream.seek(start)
            while left and (piece := stream.read(min(_CHUNK, left))):
                left -= len(piece)
                yield piece

    def _upload(self, upload_id: str) -> Upload:
        said = self._uploads() / upload_id / "upload.json"
        if not is_id(upload_id) or not said.is_file():
            raise UploadNotFound(upload_id)
        return msgspec.json.decode(said.read_bytes(), type=Upload)

    def _uploads(self) -> Path:
        root = self._storage.root
        parent = Path(tempfile.gettempdir()) / "athanor" if root is None else root
        return parent / "uploads"

    @staticmethod
    def _file_place(path: str, project: str) -> str:
        cleaned = clean(path)
        if not cleaned:
            raise BadArtifactPath("it names no file")
        place = in_project(cleaned, project)
        if is_shelved(place):
            raise BadArtifactPath("registered models are not written to")
        return place


class PartReception:
    """A part on its way in."""

    def __init__(self, storage: Storage, folder: Path, number: int) -> None:
        self._folder = folder
        self._number = number
        self._passing = folder / f".{new_id()}"
        self._incoming = Incoming(storage, self._passing)

    def write(self, piece: bytes) -> None:
        """Take the next piece. Raises: DiskNearlyFull."""
        self._incoming.write(piece)

    def keep(self) -> str:
        """Keep the part; its etag."""
        etag = self._incoming.finish()
        self._passing.replace(self._folder / f"{self._number}-{etag}")
        for other in self._folder.glob(f"{self._number}-*"):
            if other.name != f"{self._number}-{etag}":
                other.unlink(missing_ok=True)
        return etag

    def close(self) -> None:
        """Let go of what was not kept."""
        self._incoming.close()
        self._passing.unlink(missing_ok=True)


def _kept_part(folder: Path, part: SentPart) -> Path:
    found = next(folder.glob(f"{part.number}-*"), None) if part.number > 0 else None
    if found is None:
        raise BadParts(f"part {part.number:,} was not sent")
    etag = part.etag.strip('"')
    if etag and found.name != f"{part.number}-{etag}":
        raise BadParts(f"part {part.number:,} is another one than the one that was answered")
    return found
