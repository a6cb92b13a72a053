"""Whole models in one archive: versions with their files, aliases, tags, cards."""

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryDirectory
from typing import IO

import msgspec

from athanor.kernel import Principal
from athanor.kernel.storage import FolderEntry
from athanor.registry.cards import Section
from athanor.registry.coding import Coding
from athanor.registry.errors import BadModelFolder
from athanor.registry.folders import held_folder
from athanor.registry.ground import Ground
from athanor.registry.logic.archives import pack, unpack, write_member
from athanor.registry.records import ModelArrival, NewCode, VersionRecord, WholeModel
from athanor.registry.service.models import Models
from athanor.registry.service.transfers import ModelTransfers
from athanor.registry.store.cards import CardStore
from athanor.registry.types import ModelVersion

FORMAT_VERSION = 1
INDEX = "model.json"
MOST_FILES = 50_000
_CHUNK = 1 << 20


class Exchange:
    """Models that leave in a file, and arrive from one."""

    def __init__(
        self, models: Models, transfers: ModelTransfers, cards: CardStore, ground: Ground
    ) -> None:
        self._models = models
        self._transfers = transfers
        self._cards = cards
        self._access = ground.access
        self._lineage = ground.lineage
        self._storage = ground.storage
        self._coding = Coding(models, ground)

    def give_whole(self, who: Principal, name: str) -> Iterator[bytes]:
        """A model with all its versions as a zip archive, chunk by chunk.

        `model.json` tells versions, aliases, tags and cards; `versions/<number>/` holds each
        version's MLflow folder. Versions whose files lie elsewhere keep their address.

        Raises: ModelNotFound, BlobNotFound.
        """
        self._access.require(who, "registry.give_whole", name)
        told = self._transfers.give_model(who, name)
        versions = [self._held(who, name, item) for item in told.versions]
        whole = WholeModel(
            format_version=FORMAT_VERSION,
            model=replace(told, versions=versions),
            cards={
                str(item.number): sections
                for item in versions
                if (sections := self._cards.sections(name, item.number))
            },
        )
        archive: IO[bytes] = SpooledTemporaryFile(max_size=16 * _CHUNK)  # noqa: SIM115 - streamed
        with zipfile.ZipFile(archive, "w") as written:
            index = msgspec.json.format(msgspec.json.encode(whole), indent=1)
            write_member(written, INDEX, index, level=6)
            for item in versions:
                files = (
                    (f"versions/{item.number}/{file.path}", self._storage.open(file.digest))
                    for file in item.files
                )
                pack(files, written)
        archive.seek(0)
        return _chunks(archive)

    def take_whole(
        self, who: Principal, archive: Path, *, name: str = "", project: str = ""
    ) -> ModelArrival:
        """Take in such an archive, numbers kept; `name` and `project` put others in place.

        Again, it changes nothing. What was changed here later than there stays.

        Raises: BadModelFolder, UploadTooLarge, BadModelName.
        """
        self._access.require(who, "registry.take_whole", name or "*")
        with TemporaryDirectory(prefix="athanor-model-") as place:
            folder = Path(place)
            unpack(archive, folder, most_files=MOST_FILES)
            whole = _read(folder)
            record = replace(
                whole.model,
                name=name or whole.model.name,
                project=project or whole.model.project,
                versions=[self._taken(folder, item, new=name) for item in whole.model.versions],
            )
        arrived = self._transfers.take_model(who, record)
        for number in arrived.added:
            for section in whole.cards.get(str(number), []):
                self._cards.write(record.name, number, section)
        return arrived

    def take_code(self, who: Principal, new: NewCode) -> ModelVersion:
        """Make a model's next version of a user's own Python, maybe around a registered version.

        The same code gives the same version. Nothing of it is run: that takes a worker, and
        somebody who agreed to it.

        Raises: BadCode, BadModelName, ModelNotFound, ModelVersionNotFound, ContentElsewhere.
        """
        self._access.require(who, "registry.take_code", new.model)
        return self._coding.version(who, new)

    def _held(self, who: Principal, name: str, told: VersionRecord) -> VersionRecord:
        """A version's record with its folder, wherever it came from."""
        version = self._models.version(who, f"{name}@{told.number}")
        if version.artifact_id is None:
            return told
        artifact = self._lineage.artifact(who, version.artifact_id)
        files = self._storage.entries(artifact.folder)
        return replace(told, held=held_folder(artifact), files=files)

    def _taken(self, folder: Path, told: VersionRecord, *, new: str) -> VersionRecord:
        """A version's record whose files are stored here, and are what it says."""
        if told.held is None:
            return told
        source = folder / "versions" / str(told.number)
        kept = self._storage.entries(self._storage.put_folder(source).digest)
        if _contents(kept) != _contents(told.files):
            raise BadModelFolder(f"Version {told.number}", "its files are not those of the index")
        # Under another name it is another artifact: two models may come from one archive.
        return replace(told, held=replace(told.held, id=None) if new else told.held, files=kept)


def _contents(files: list[FolderEntry]) -> set[tuple[str, str]]:
    return {(file.path, file.digest) for file in files}


def _read(folder: Path) -> WholeModel:
    try:
        whole = msgspec.json.decode((folder / INDEX).read_bytes(), type=WholeModel)
    except (OSError, msgspec.DecodeError) as error:
        raise BadModelFolder("The archive", f"its {INDEX} can't be read ({error})") from error
    if whole.format_version > FORMAT_VERSION:
        raise BadModelFolder("The archive", "a newer Athanor wrote it")
    numbers = [item.number for item in whole.model.versions]
    if len(set(numbers)) != len(numbers) or any(number < 1 for number in numbers):
        raise BadModelFolder("The archive", "its versions are not numbered 1, 2, 3 ...")
    _check_sections(whole.cards)
    return whole


def _check_sections(cards: dict[str, list[Section]]) -> None:
    for number, sections in cards.items():
        for section in sections:
            if not 0 < len(section.title) <= 100 or len(section.text) > 100_000:
                raise BadModelFolder("The archive", f"the card of version {number} is too long")


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
