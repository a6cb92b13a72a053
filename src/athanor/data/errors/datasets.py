"""What can go wrong with datasets, their versions, their splits and who writes to them."""

from collections.abc import Iterable, Sequence

from athanor.kernel.errors import (
    Conflict,
    Invalid,
    NotFound,
    StorageFull,
    nearest,
)


class DatasetNotFound(NotFound):
    """No dataset has this name."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        super().__init__(
            f"There is no dataset {name!r}.",
            hint=nearest(name, known) or "See what there is: athanor data list",
        )


class VersionNotFound(NotFound):
    """The dataset has no such version."""

    def __init__(self, name: str, wanted: str) -> None:
        super().__init__(
            f"Dataset {name!r} has no version {wanted}.",
            hint=f"See its versions: athanor data versions {name}",
        )


class NoReadyVersion(NotFound):
    """All versions are in quarantine or deleted, or there is none.

    `deleted` says that all are; `restorable` is the newest of them whose files are still there.
    """

    def __init__(self, name: str, *, deleted: bool = False, restorable: int | None = None) -> None:
        hint = f"See why: athanor data checks {name}"
        if deleted:
            hint = f"Add one: athanor data add {name} FILE"
            if restorable is not None:
                hint = f"Bring one back: athanor data restore {name}@{restorable}"
        words = ": its versions are deleted" if deleted else ""
        super().__init__(f"Dataset {name!r} has no ready version{words}.", hint=hint)


class BadDatasetName(Invalid):
    """The name can't be one."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} can't name a dataset.",
            hint="Use 1 to 80 letters, digits, - and _, and begin with a letter.",
        )


class DatasetNameTaken(Conflict):
    """SQL would not know which table is meant: it does not tell upper from lower case."""

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(
            f"{name!r} can't name a dataset: in SQL it would be one with {holder}.",
            hint="Choose another name.",
        )


class BadVersionReference(Invalid):
    """What stands behind the @ is no version."""

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"{reference!r} is no version of a dataset.",
            hint="Write NAME, NAME@latest, NAME@3, NAME@2026-01-31T12:00, NAME@sha256:<digest> or "
            "NAME@<tag>.",
        )


class BadVersionTag(Invalid):
    """The word can't be a version's tag."""

    def __init__(self, tag: str) -> None:
        super().__init__(
            f"{tag!r} can't be a tag.",
            hint="Use 1 to 80 letters, digits, ., - and _, begin with a letter; not `latest` nor "
            "what reads as a version.",
        )


class AmbiguousDigest(Invalid):
    """Versions of different content begin with these digits."""

    def __init__(self, name: str, digest: str, numbers: Sequence[int]) -> None:
        super().__init__(
            f"Versions {', '.join(map(str, numbers))} of {name!r} all begin with {digest}.",
            hint="Give more digits of the one that is meant.",
        )


class VersionDeleted(NotFound):
    """The version was deleted; its files may still be there."""

    def __init__(self, name: str, number: int, gone_for: str = "") -> None:
        words = {
            "": "is deleted",
            "vacuum": "was deleted, and its files were vacuumed",
            "erased": "was erased with the rows of a person",
        }
        super().__init__(
            f"Version {number} of {name!r} {words.get(gone_for, 'is gone')}.",
            hint="Its digest and lineage are kept: athanor data versions --deleted " + name
            if gone_for
            else f"Bring it back: athanor data restore {name}@{number}",
            details={"dataset": name, "version": number, "gone_for": gone_for},
        )


class DatasetDeleted(NotFound):
    """The dataset was deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The dataset {name!r} is deleted.",
            hint=f"Bring it back: athanor data restore {name}",
            details={"dataset": name},
        )


class NothingToRestore(Conflict):
    """It is not deleted, or its files are gone."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(
            f"{what} can't be restored: {why}.",
            hint="See what is deleted: athanor data versions --deleted NAME",
        )


class SchemaChanged(Conflict):
    """The rows have columns or types that the dataset's can't become under its rule."""

    def __init__(self, name: str, changes: Sequence[str], *, rule: str = "strict") -> None:
        gone = rule == "widen" and any(" is gone" in change for change in changes)
        super().__init__(
            f"The schema of {name!r} would change: {'; '.join(changes[:10])}.",
            hint="Mend the file, or let the schema grow: --schema widen (or union)."
            if rule == "strict"
            else "Name the columns and write their values as the dataset has them"
            + ("; let columns be absent: --schema union" if gone else "")
            + "; or replace the whole table: leave out --append.",
            details={"dataset": name, "changes": list(changes)},
        )


class AnotherWriter(Conflict):
    """Somebody else writes to the dataset, and did not end in time."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Another writer has been adding to dataset {name!r} for long.",
            hint="Try again when it has ended: athanor data versions " + name,
        )


class LostTheLease(Conflict):
    """This writer was taken for dead while it wrote; what it wrote is not visible."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Adding to dataset {name!r} took so long that another writer took over.",
            hint="Nothing was half-made. Add the file again.",
        )


class NoRoomForTable(StorageFull):
    """The disk became full while a version was written."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The disk became full while {name} was taken in; nothing of it was kept.",
            hint="Free some space there and add it again.",
        )


class UnknownExpectation(Invalid):
    """There is no such kind of check."""

    def __init__(self, kind: str, known: Iterable[str]) -> None:
        super().__init__(
            f"There is no check {kind!r}.",
            hint=nearest(kind, known) or f"There are: {', '.join(known)}.",
        )


class NotQuarantined(Conflict):
    """The version is ready."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(
            f"Version {number} of {name!r} is not in quarantine.",
            hint=f"See its checks: athanor data checks {name}@{number}",
        )


class FolderNotFound(NotFound):
    """The folder to watch does not exist on the server's machine."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"There is no folder {folder!r} on the machine that the server runs on.",
            hint="Make it first, and give its full path.",
        )


class NotWatched(NotFound):
    """The dataset does not watch this folder."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(
            f"Dataset {name!r} does not watch {folder!r}.",
            hint=f"See what it watches: athanor data watch {name}",
        )


class NoFilesInVersion(NotFound):
    """The version is a plain table."""

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"{reference} was not made of a folder of files.",
            hint=f"Read its rows: athanor data show {reference}",
        )


class FileNotInVersion(NotFound):
    """The version has no file of this path."""

    def __init__(self, reference: str, path: str) -> None:
        super().__init__(
            f"{reference} has no file {path!r}.",
            hint="Its files stand in the column `path`.",
            details={"path": path},
        )


class SplitNotFound(NotFound):
    """The version has no split of this name."""

    def __init__(self, reference: str, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"{reference} has no split {name!r}.",
            hint=nearest(name, known)
            or (f"There are: {', '.join(known)}." if known else f"athanor data split {reference}"),
        )


class UnknownPart(NotFound):
    """The split has no such part."""

    def __init__(self, reference: str, part: str, known: Sequence[str]) -> None:
        super().__init__(
            f"{reference} has no part {part!r}.",
            hint=f"{nearest(part, known)} Its parts are: {', '.join(known)}.".strip(),
            details={"parts": list(known)},
        )


class SplitTaken(Conflict):
    """The version has another split of this name."""

    def __init__(self, reference: str, name: str) -> None:
        super().__init__(
            f"{reference} has a split {name!r} already, of another kind, seed or shares.",
            hint="Splits do not change: choose another name, or remove it first.",
        )


class BadSplit(Invalid):
    """A version can't be divided like this."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint=hint)


class UnfitKey(Invalid):
    """A column that should name rows does not."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint=hint)


class FilesGone(NotFound):
    """A version's files are not where it says."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"The file {path} of this version is gone.",
            hint="Somebody removed it: the owner of a Delta table that stays in place, or a "
            "clean-up by hand. Restore it from a backup, or add the data again.",
            details={"path": path},
        )
