"""Named splits of versions, and what their parts share."""

from pathlib import Path

import msgspec

from athanor.data.errors import BadSplit, SplitNotFound, SplitTaken
from athanor.data.logic.names import checked_tag, parsed_reference
from athanor.data.records import NewSplit, Overlap, Split
from athanor.data.service.finder import Finder
from athanor.data.service.ground import Ground
from athanor.data.service.intake import as_task
from athanor.data.store import DataStore, MarkStore
from athanor.data.types import Roles
from athanor.kernel import DEFAULT_PROJECT, Principal

_MOST_SEED = 2**31 - 1


class Splits:
    """Divisions of versions into parts such as train and test."""

    def __init__(self, store: DataStore, marks: MarkStore, ground: Ground) -> None:
        self._marks = marks
        self._ground = ground
        self._access = ground.access
        self._finder = Finder(store, marks)

    def split(
        self, who: Principal, reference: str, new: NewSplit, *, project: str = DEFAULT_PROJECT
    ) -> Split:
        """Divide a version's rows; asking for the same again answers what there is.

        What two parts share that they should not (equal rows, ids, files; times) is told in
        `overlaps`.
        Raises: BadSplit, SplitTaken, and what `version` raises.
        """
        self._access.require(who, "data.split", reference)
        checked_tag(new.name)
        for part in new.shares:
            checked_tag(part)
        if not 0 <= new.seed <= _MOST_SEED:
            raise BadSplit(f"The seed {new.seed} is out of range.", f"Give 0 to {_MOST_SEED}.")
        dataset, version = self._finder.of(project, reference)
        shown = f"{version.dataset}@{version.number}"
        with self._ground.scratch() as scratch:
            target = Path(scratch) / "assignment.parquet"
            found = self._ground.workers.call(
                "athanor.data.work.splitting:divide",
                {
                    "version": as_task(version) | {"packs": version.source.packs},
                    "roles": msgspec.to_builtins(version.roles),
                    "new": msgspec.to_builtins(new),
                    "target": str(target),
                },
            )
            blob = self._ground.storage.put_file(target)
        made = Split(
            name=new.name,
            number=version.number,
            kind=new.kind,
            column=found["column"],
            seed=new.seed,
            parts=found["parts"],
            overlaps=tuple(msgspec.convert(found["overlaps"], list[Overlap])),
            assignment=blob.digest,
            created_at=self._ground.clock.now(),
            created_by=who.name,
        )
        with self._ground.database.transaction():
            if not self._marks.put_split(dataset.id, made):
                [there] = [
                    item
                    for item in self._marks.list_splits(dataset.id, version.number)
                    if item.name == new.name
                ]
                if there.assignment != made.assignment:
                    raise SplitTaken(shown, new.name)
                return there
            detail = {
                "split": new.name, "kind": new.kind, "parts": made.parts,
                "overlaps": [item.message for item in made.overlaps],
            }  # fmt: skip
            self._ground.events.tell(who, "data.split.created", shown, detail, project=project)
        return made

    def splits(
        self, who: Principal, reference: str, *, project: str = DEFAULT_PROJECT
    ) -> list[Split]:
        """The splits of a version, by name.

        Raises: what `version` raises.
        """
        self._access.require(who, "data.splits", reference)
        dataset, version = self._finder.of(project, reference)
        return self._marks.list_splits(dataset.id, version.number)

    def remove_split(
        self, who: Principal, reference: str, name: str, *, project: str = DEFAULT_PROJECT
    ) -> None:
        """Remove a split of a version.

        Raises: SplitNotFound, and what `version` raises.
        """
        self._access.require(who, "data.remove_split", reference)
        dataset, version = self._finder.of(project, reference)
        shown = f"{version.dataset}@{version.number}"
        with self._ground.database.transaction():
            if not self._marks.remove_split(dataset.id, version.number, name):
                known = [item.name for item in self._marks.list_splits(dataset.id, version.number)]
                raise SplitNotFound(shown, name, known)
            detail = {"split": name}
            self._ground.events.tell(who, "data.split.removed", shown, detail, project=project)

    def overlaps(
        self, who: Principal, first: str, second: str, *, project: str = DEFAULT_PROJECT
    ) -> list[Overlap]:
        """What the second version shares with the first and should not, if it is to test it.

        Either may be a part of a split: NAME@3#train, or NAME@3#cv.train.
        Raises: SplitNotFound, UnknownPart, and what `version` raises.
        """
        self._access.require(who, "data.overlaps", first)
        versions, sides, names, timed = [], [], [], True
        with self._ground.scratch() as scratch:
            for place, reference in enumerate((first, second)):
                dataset, version = self._finder.of(project, reference)
                side = as_task(version) | {"packs": version.source.packs}
                name = f"{version.dataset}@{version.number}"
                if wanted := parsed_reference(reference).part:
                    split, part = self._finder.part(dataset, version, wanted)
                    rows = scratch / f"{place}.parquet"
                    self._ground.storage.fetch_file(split.assignment, rows)
                    names_parts = split.column if split.kind == "column" else ""
                    side |= {"part": part, "assignment": str(rows), "column": names_parts}
                    timed = timed and split.kind in {"time", "column"}
                    name = f"{name}#{wanted}"
                versions.append(version)
                sides.append(side)
                names.append(name)
            roles = Roles(
                id=versions[0].roles.id or versions[1].roles.id,
                time=versions[0].roles.time or versions[1].roles.time,
            )
            found = self._ground.workers.call(
                "athanor.data.work.splitting:between",
                {
                    "first": sides[0],
                    "second": sides[1],
                    "roles": msgspec.to_builtins(roles),
                    "names": names,
                    "timed": timed,
                },
            )
        return msgspec.convert(found, list[Overlap])
