"""What can go wrong with data, each with its place and a way out."""

from collections.abc import Iterable, Sequence

from athanor.data.types.datasets import DATE_ORDERS
from athanor.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    StorageFull,
    TookTooLong,
    TooLarge,
    Unprocessable,
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


class SourceUnreachable(Unprocessable):
    """What the data should come from can't be reached or read."""

    def __init__(self, where: str, what: str, *, hint: str = "") -> None:
        super().__init__(
            f"{where}: {what}",
            hint=hint
            or "Check the address, the credentials in the server's environment, and "
            "that the server's machine reaches it.",
            details={"source": where},
        )


class SourceRefused(Forbidden):
    """What the data should come from may not be read, or not by somebody from elsewhere."""

    def __init__(self, where: str, why: str, *, near: bool = False) -> None:
        super().__init__(
            f"{where} may not be read: {why}.",
            hint="Hand the file in, or name the source on the server's machine; who starts the "
            "server may allow it to all: sources_near = true in athanor.toml."
            if near
            else "Hand the file in instead.",
            details={"source": where},
        )


class BadSource(Invalid):
    """What is said about a source does not fit together."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint=hint)


class UnreadableFile(Unprocessable):
    """The file is not a table that can be read."""

    def __init__(self, file: str, what: str, *, hint: str = "", row: int | None = None) -> None:
        super().__init__(
            f"{file}: {what}",
            hint=hint or "Hand in a CSV, JSON-lines or Parquet file.",
            details={"file": file} | ({"row": row} if row is not None else {}),
        )


class EmptyFile(UnreadableFile):
    """There is no row in the file."""

    def __init__(self, file: str, what: str = "the file is empty.") -> None:
        super().__init__(file, what, hint="Hand in a table with a header and at least one row.")


class RaggedRows(UnreadableFile):
    """Rows that have more or fewer cells than the header."""

    def __init__(self, file: str, expected: int, rows: Sequence[tuple[int, int, str]]) -> None:
        row, found, text = rows[0]
        others = ", ".join(str(number) for number, _, _ in rows[1:10])
        super().__init__(
            file,
            f"row {row} has {found} cells where the header has {expected}: {text[:120]!r}."
            + (f" The same is wrong in row {others}." if others else ""),
            hint='Quote cells that hold the delimiter ("a, b"), or mend these rows.',
            row=row,
        )
        self.details |= {
            "rows": [number for number, _, _ in rows],
            "expected": expected,
            "found": found,
        }


class WrongTypes(UnreadableFile):
    """A column of numbers or dates holds something else further down."""

    def __init__(
        self, file: str, column: str, expected: str, cells: Sequence[tuple[int, str]], count: int
    ) -> None:
        row, value = cells[0]
        others = ", ".join(str(number) for number, _ in cells[1:10])
        super().__init__(
            file,
            f"column {column!r} holds {expected}s, but row {row} holds {value[:60]!r}"
            + (f" ({count} such cells; further rows: {others})." if count > 1 else "."),
            hint=f"Mend the cells; or, if the column is text: --text {column!r}; "
            f"or, if the word means that the value is missing: --missing {value[:60]!r}",
            row=row,
        )
        self.details |= {
            "column": column,
            "value": value,
            "count": count,
            "rows": [number for number, _ in cells],
        }


class OtherDateOrder(UnreadableFile):
    """Rows that are appended have day and month in another order than the rows before."""

    def __init__(
        self, file: str, column: str, cell: tuple[int, str], *, way: str, sure: bool
    ) -> None:
        row, value = cell
        other = next(order for order in DATE_ORDERS if order != way)
        super().__init__(
            file,
            f"row {row}: column {column!r} holds {value[:60]!r}, which can only be "
            f"{DATE_ORDERS[other]}; the dataset's dates were read as {DATE_ORDERS[way]}"
            + ("." if sure else ", by guess, as no part of theirs is above 12."),
            hint=(
                f"If this file alone is written so, say it: --dates {other}. If the earlier rows "
                f"are too, they were read wrongly: add them anew with --dates {other}, without "
                "--append."
            ),
            row=row,
        )
        self.details |= {"column": column, "value": value, "order": way, "sure": sure}


class DuplicateColumns(UnreadableFile):
    """Two columns have one name."""

    def __init__(self, file: str, names: Sequence[str]) -> None:
        listed = ", ".join(repr(name) for name in names[:10])
        super().__init__(
            file,
            f"more than one column is called {listed}.",
            hint="Names must differ, and by more than upper and lower case. Rename one of them.",
        )
        self.details["columns"] = list(names)


class TooManyColumns(TooLarge):
    """More columns than a table may have here."""

    def __init__(self, file: str, found: int, limit: int) -> None:
        super().__init__(
            f"{file}: {found} columns; a table may have {limit}.",
            hint="Is the delimiter right (--delimiter)? Else split the table, or make it long.",
        )


class UnknownColumn(Unprocessable):
    """A role was given to a column that does not exist."""

    def __init__(self, role: str, name: str, known: Sequence[str]) -> None:
        near = nearest(name, known)
        listed = ", ".join(known[:30]) + (" ..." if len(known) > 30 else "")
        super().__init__(
            f"There is no column {name!r}, which was named as the {role} column.",
            hint=f"{near} The columns are: {listed}.".strip(),
            details={"role": role, "column": name, "columns": list(known)},
        )


class UnfitTable(Unprocessable):
    """A first version that breaks what its roles demand; nothing was made."""

    def __init__(self, file: str, failing: Sequence[tuple[str, list[int]]]) -> None:
        super().__init__(
            f"{file}: " + " ".join(message for message, _ in failing),
            hint="Mend these rows, or give the roles to other columns. Nothing was stored.",
            details={
                "checks": [{"message": message, "rows": rows} for message, rows in failing],
                "rows": failing[0][1] if failing else [],
            },
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


class BadLimits(Invalid):
    """A query's limits are outside of what a server gives."""

    def __init__(self, what: str, least: float, most: float) -> None:
        super().__init__(
            f"The query's limit of {what} is out of range.",
            hint=f"Give {least:g} to {most:,.0f}.",
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


class BadQuery(Invalid):
    """The text is no SQL, or fails when run."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what, hint=hint or "One SELECT statement, in DuckDB's dialect.")


class NotReadOnly(Invalid):
    """The statement would change something, or reach beyond the tables."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is not allowed here: SQL reads tables and changes nothing.",
            hint="Write one SELECT over datasets, runs, predictions ...",
        )


class UnknownRelation(NotFound):
    """No table has this name, or none that the caller may read."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        listed, bare = sorted(known), name.rpartition(".")[2]
        hint = nearest(name, listed) or f"There are: {', '.join(listed[:40]) or 'none yet'}."
        if bare != name:
            hint = f"Write {bare}: tables stand in no schema." if bare in listed else hint
        super().__init__(
            f"There is no table {name!r}.",
            hint=hint,
            details={"relation": name},
        )


class QueryTookTooLong(TookTooLong):
    """The query was ended at its time limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The query was ended after {seconds:g} seconds.",
            hint="Ask for less, or give it more time: --seconds",
        )


class QueryTooLarge(TooLarge):
    """The query wanted more memory than its limit."""

    def __init__(self, megabytes: int) -> None:
        super().__init__(
            f"The query needs more than {megabytes} MB of memory.",
            hint="Aggregate or filter first, or give it more: --memory",
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
