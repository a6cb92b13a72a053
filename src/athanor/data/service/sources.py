"""Versions from elsewhere (URLs, queries, Delta tables, folders, DVC), and on their way out."""

from pathlib import Path
from typing import Any

import msgspec

from athanor.data.errors import BadSource, FileNotInVersion, NoFilesInVersion
from athanor.data.logic.names import checked_name, parsed_reference
from athanor.data.records import CONTENT_TYPES, DvcExport, NewSource, SqlExport
from athanor.data.service.finder import Finder
from athanor.data.service.ground import Ground
from athanor.data.service.intake import Intake, Order, Origin, as_task
from athanor.data.service.sql import Sql
from athanor.data.store import DataStore, MarkStore
from athanor.data.types import DatasetVersion, NewVersion
from athanor.kernel import DEFAULT_PROJECT, Principal
from athanor.kernel.foreign import ForeignDatabaseRefused
from athanor.kernel.storage import FolderEntry

__all__ = ["ForeignDatabaseRefused", "Sources"]

_INDEX = "index.parquet"


class Sources:
    """Ways in from elsewhere, and ways out."""

    def __init__(
        self, store: DataStore, marks: MarkStore, ground: Ground, *, intake: Intake, sql: Sql
    ) -> None:
        self._store = store
        self._marks = marks
        self._ground = ground
        self._access = ground.access
        self._intake = intake
        self._sql = sql
        self._finder = Finder(store, marks)

    def add_from(
        self,
        who: Principal,
        name: str,
        new: NewSource,
        *,
        near: bool = True,
        project: str = DEFAULT_PROJECT,
    ) -> DatasetVersion:
        """Make the next version of a dataset of what a source gives.

        `near` is whether it was named on this machine: others may not name its files and network.
        Raises: BadSource, SourceRefused, SourceUnreachable, ForeignDatabaseRefused, and what adding
        a file raises.
        """
        self._access.require(who, "data.add_from", name)
        checked_name(name)
        self._ground.storage.check_space()
        with self._ground.scratch() as scratch:
            if new.sql and not new.uri:
                path = scratch / "query.parquet"
                self._sql.export(who, SqlExport(sql=new.sql), path, project=project)
                found: dict[str, Any] = {
                    "path": str(path), "file": "query", "kind": "query", "uri": "",
                    "keep": False, "in_place": None, "packs": [], "notes": [],
                }  # fmt: skip
            else:
                found = self._ground.workers.call(
                    "athanor.data.work.arrivals:arrive",
                    {
                        "source": msgspec.to_builtins(new),
                        "scratch": str(scratch),
                        "known": self._known(project, name, scratch),
                        "near": near or self._ground.sources_near,
                    },
                )
            uri, root = found["uri"], self._ground.storage.root
            if root is not None and Path(uri).is_relative_to(root / "staging"):
                uri = ""  # it was handed in, and is gone in a moment
            origin = Origin(
                kind=found["kind"],
                uri=uri,
                sql=new.sql,
                packs=self._packed(project, name, found["packs"]),
                in_place=found["in_place"],
                notes=tuple(found["notes"]),
            )
            taken = NewVersion(
                path=Path(found["path"] or scratch),
                file_name=found["file"],
                mode=new.mode,
                roles=new.roles,
                read=new.read,
                keep=found["keep"],
                schema=new.schema,
                look=new.look,
            )
            if found["in_place"] and new.mode == "append":
                raise BadSource(
                    "A Delta table that stays in place can't be appended.",
                    "Leave out --append: each version of the table is a whole one.",
                )
            return self._intake.take(
                Order(who=who, project=project, name=name, new=taken, origin=origin)
            )

    def content(
        self,
        who: Principal,
        reference: str,
        target: Path,
        *,
        form: str = "parquet",
        project: str = DEFAULT_PROJECT,
    ) -> int:
        """Write a version's rows, or those of a part of a split (NAME@3#train), to a file.

        Returns the number of rows. Types that Delta does not keep are the given ones again.
        Raises: BadSource (an unknown form), UnknownPart, and what `version` raises.
        """
        self._access.require(who, "data.content", reference)
        if form not in CONTENT_TYPES:
            raise BadSource(
                f"There is no form {form!r}.", f"Say one of {', '.join(CONTENT_TYPES)}."
            )
        dataset, version = self._finder.of(project, reference)
        payload: dict[str, Any] = {
            "version": as_task(version), "target": str(target), "form": form,
        }  # fmt: skip
        asked = parsed_reference(reference)
        if asked.part:
            split, part = self._finder.part(dataset, version, asked.part)
            rows = target.with_name(f"{target.name}.rows")
            self._ground.storage.fetch_file(split.assignment, rows)
            payload |= {"rows": str(rows), "part": part}
        return int(self._ground.workers.call("athanor.data.work.content:write", payload))

    def file(
        self, who: Principal, reference: str, path: str, *, project: str = DEFAULT_PROJECT
    ) -> bytes:
        """The bytes of one file of a version that was made of a folder.

        Raises: NoFilesInVersion, FileNotInVersion, and what `version` raises.
        """
        self._access.require(who, "data.file", reference)
        _, version = self._finder.of(project, reference)
        with self._ground.scratch() as scratch:
            packs = self._packs(version, scratch, whole=False)
            payload = {"version": as_task(version), "index": packs[""], "path": path}
            found = self._ground.workers.call("athanor.data.work.folders:place", payload)
        if found is None:
            raise FileNotInVersion(reference, path)
        with self._ground.storage.open(found["pack"]) as stream:
            stream.seek(found["offset"])
            return stream.read(found["size"])

    def archive(
        self, who: Principal, reference: str, target: Path, *, project: str = DEFAULT_PROJECT
    ) -> int:
        """Write the files of a version that was made of a folder as a tar; returns how many.

        Raises: NoFilesInVersion, and what `version` raises.
        """
        self._access.require(who, "data.archive", reference)
        _, version = self._finder.of(project, reference)
        with self._ground.scratch() as scratch:
            packs = self._packs(version, scratch)
            payload = {
                "version": as_task(version), "index": packs[""], "packs": packs,
                "target": str(target),
            }  # fmt: skip
            return int(self._ground.workers.call("athanor.data.work.folders:archive", payload))

    def export_dvc(
        self,
        who: Principal,
        reference: str,
        folder: str,
        *,
        remote: str = "",
        near: bool = True,
        project: str = DEFAULT_PROJECT,
    ) -> DvcExport:
        """Write a version as a DVC project below a folder of the server's machine.

        `remote` is where its contents go, a path or a URL; empty: `remote` in that folder.
        Raises: SourceRefused where it was asked for from elsewhere, and what `version` raises.
        """
        self._access.require(who, "data.export_dvc", reference)
        self._ground.check_near(folder, near=near)
        _, version = self._finder.of(project, reference)
        root = Path(folder)
        if not root.is_absolute():
            raise BadSource(f"{folder!r} is no full path.", "Give the full path of a folder.")
        with self._ground.scratch() as scratch:
            payload = {
                "version": as_task(version),
                "name": version.dataset,
                "folder": folder,
                "remote": remote or str(root / "remote"),
                "packs": self._packs(version, scratch) if version.source.packs else {},
            }
            found = self._ground.workers.call("athanor.data.work.dvc:export", payload)
        return msgspec.convert(found, DvcExport)

    def _known(self, project: str, name: str, scratch: Path) -> dict[str, Any]:
        """The notes of the latest version's columns; the index of its packs, where it has some."""
        dataset = self._store.find_dataset(project, name)
        latest = None if dataset is None else self._store.latest_version(dataset.id)
        if latest is None:
            return {"notes": {}}
        known: dict[str, Any] = {"notes": {item.name: item.note for item in latest.columns}}
        if latest.source.packs:
            known["index"] = self._packs(latest, scratch, whole=False)[""]
        return known

    def _packs(
        self, version: DatasetVersion, scratch: Path, *, whole: bool = True
    ) -> dict[str, str]:
        """The paths of a version's packs by digest, and of its index at ""."""
        if not version.source.packs:
            raise NoFilesInVersion(f"{version.dataset}@{version.number}")
        found = {}
        for entry in self._ground.storage.entries(version.source.packs):
            key = "" if entry.path == _INDEX else entry.digest
            if not whole and key:
                continue
            path = self._ground.storage.path_of(entry.digest)
            if path is None:
                path = self._ground.storage.fetch_file(entry.digest, scratch / entry.digest[7:])
            found[key] = str(path)
        return found

    def repacked(self, version: DatasetVersion, kept: Path, scratch: Path) -> str:
        """Store packs of those files of a version that a table still names; their digest."""
        packs = self._packs(version, scratch)
        payload = {
            "version": as_task(version), "index": packs[""], "packs": packs, "kept": str(kept),
            "into": str(scratch),
        }  # fmt: skip
        paths = self._ground.workers.call("athanor.data.work.folders:repacked", payload)
        return self._packed("", "", paths)

    def _packed(self, project: str, name: str, packs: list[str]) -> str:
        """The digest of the stored folder that names the index, the new packs and the earlier."""
        if not packs:
            return ""
        storage = self._ground.storage
        entries = {}
        for place, path in enumerate(packs):
            blob = storage.put_file(Path(path))
            shown = _INDEX if place == 0 else f"packs/{blob.digest[7:]}"
            entries[shown] = FolderEntry(path=shown, digest=blob.digest, size=blob.size)
        dataset = self._store.find_dataset(project, name)
        latest = None if dataset is None else self._store.latest_version(dataset.id)
        if latest is not None and latest.source.packs:
            for entry in storage.entries(latest.source.packs):
                entries.setdefault(entry.path, entry)
        return storage.put_entries([entries[key] for key in sorted(entries)]).digest
