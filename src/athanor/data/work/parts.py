"""Several files that are one table: a folder of Parquet or CSV files, or whatever a pattern names.

Each file is looked through as if it came alone, so that an error names it; then all rows are
written to one Parquet file, in the order of the files' names. Folders called `year=2026` become
columns, as in Spark and Hive.
"""

import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.errors import UnreadableFile
from athanor.data.logic.normalise import column_type
from athanor.data.logic.orders import DateOrder, Way, by_column
from athanor.data.logic.plans import STORED, Kind
from athanor.data.types import ColumnType, ReadOptions
from athanor.data.types.datasets import DATE_ORDERS
from athanor.data.work.earlier import aligned, merged
from athanor.data.work.reading import Reading, look_through, notes_by_column

_TABLES = frozenset({".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson", ".arrow", ".feather"})
_PACKED = frozenset({".gz", ".bz2", ".xz", ".zst"})
_MOST_FILES = 20_000
_WIDENS = (frozenset({"integer", "number", "decimal"}), frozenset({"date", "timestamp"}))


def is_pattern(address: str) -> bool:
    """Whether an address names files by a pattern, as a shell does: *, ?, [abc]."""
    return glob.has_magic(address)


def matching(pattern: str) -> list[str]:
    """The files of this machine that a pattern names, by name; ** goes through folders."""
    found = (Path(path) for path in glob.iglob(pattern, recursive=True))  # noqa: PTH207 - absolute
    return sorted(str(path) for path in found if path.is_file())


def all_tables(names: Sequence[str]) -> bool:
    """Whether a folder's files are tables by their names, and nothing else."""
    told = [name for name in names if not PurePosixPath(name).name.startswith("_")]
    return bool(told) and all(_suffix(name) in _TABLES for name in told)


def _suffix(name: str) -> str:
    path = PurePosixPath(name.lower())
    return PurePosixPath(path.stem).suffix if path.suffix in _PACKED else path.suffix


@dataclass(slots=True)
class _Part:
    """One of the files."""

    name: str
    path: Path
    fixed: dict[str, str]
    """What its folders say."""
    reading: Reading

    def schema(self) -> pa.Schema:
        return self.reading.rows.schema()

    def kind(self, column: str) -> ColumnType:
        return column_type(self.schema().field(column).type)

    def orders(self) -> dict[str, DateOrder]:
        """How the dates of its columns were read, by its notes."""
        return by_column(notes_by_column(self.reading.notes))

    def is_empty(self, column: str) -> bool:
        """Whether it has no value there: its type tells nothing then."""
        return all(batch[column].null_count == len(batch) for batch in self.reading.rows.batches())


def one_table(
    table: str,
    files: Iterable[tuple[str, Path]],
    into: Path,
    options: ReadOptions,
    dates: Mapping[str, DateOrder],
) -> tuple[Path, tuple[str, ...]]:
    """Write the rows of all files, given by name and path, to one Parquet file; with notes.

    `dates` are the orders of day and month in the rows before them. The files must have the same
    columns, in any order. A column that holds words in one file and numbers in another is text in
    all.
    Raises: UnreadableFile and its kinds, each naming its file.
    """
    told = [(name, path) for name, path in files if not PurePosixPath(name).name.startswith("_")]
    if len(told) > _MOST_FILES:
        raise UnreadableFile(
            table, f"these are {len(told):,} files, more than {_MOST_FILES:,}.",
            hint="Join some of them first.",
        )  # fmt: skip
    parts = []
    for place, (name, path) in enumerate(told):
        scratch = into / f"part-{place}"
        scratch.mkdir()
        reading = look_through(path, name, scratch, options, {}, dates)
        parts.append(_Part(name, path, _said(name), reading))
    _check_columns(table, parts)
    notes = [f"{len(parts)} files are one table: {parts[0].name} to {parts[-1].name}."]
    notes += _agreed(parts, into, options, dates)
    schema = parts[0].schema()
    for part in parts[1:]:
        schema, _ = merged(schema, part.schema())
    fixed = _columns_of_folders(parts)
    whole = pa.schema([*schema, *(pa.field(name, kind) for name, kind in fixed.items())])
    target = into / "table.parquet"
    with pq.ParquetWriter(target, whole, compression="zstd", compression_level=1) as writer:
        for part in parts:
            try:
                for batch in part.reading.rows.batches():
                    writer.write_batch(_with_folders(aligned(batch, schema), part, whole))
            except pa.ArrowException as error:
                raise UnreadableFile(
                    part.name, f"its values do not fit the other files': {error}",
                    hint="Write the column with one type in all files.",
                ) from error  # fmt: skip
    seen = dict.fromkeys(f"{part.name}: {note}" for part in parts for note in part.reading.notes)
    return target, (*notes, *list(seen)[:20])


def _said(name: str) -> dict[str, str]:
    pairs = (folder.partition("=") for folder in PurePosixPath(name).parts[:-1] if "=" in folder)
    return {key: value for key, _, value in pairs if key}


def _check_columns(table: str, parts: Sequence[_Part]) -> None:
    first = parts[0]
    wanted = {*first.schema().names, *first.fixed}
    for part in parts[1:]:
        found = {*part.schema().names, *part.fixed}
        if found == wanted:
            continue
        words = [f"has no column {name!r}" for name in sorted(wanted - found)[:3]]
        words += [f"has a column {name!r} more" for name in sorted(found - wanted)[:3]]
        raise UnreadableFile(
            table,
            f"its files are no single table: {part.name} {', '.join(words)} than {first.name}.",
            hint="Hand in the files that have the same columns, as a folder or by a pattern such "
            f"as 'folder/sales-*.csv' (unpack an archive first), or one alone, as {part.name}; or "
            "say kind 'folder' for a table that lists the files.",
        )
    for name in first.fixed:
        if name in first.schema().names:
            raise UnreadableFile(
                table, f"the column {name!r} stands in the files and in the folders' names.",
                hint="Rename the folders, or the column.",
            )  # fmt: skip


def _agreed(
    parts: Sequence[_Part], into: Path, options: ReadOptions, dates: Mapping[str, DateOrder]
) -> list[str]:
    """Read again the files whose columns are of another type than the others'; with notes."""
    notes, text = [], list(options.text)
    wanted: dict[str, Kind] = {}
    for name in parts[0].schema().names:
        kinds = {part.kind(name) for part in parts}
        rest = kinds - {"text"}
        if len(kinds) == 1 or any(kinds <= wide for wide in _WIDENS):
            continue
        [kind] = rest if len(rest) == 1 else [""]
        if kind in STORED and all(part.is_empty(name) for part in parts if part.kind(name) != kind):
            wanted[name] = kind
        else:
            text.append(name)
            notes.append(_mixed(name, parts))
    plain = replace(options, text=tuple(text))
    _check_orders(parts)
    sure = _sure_orders(parts)
    for place, part in enumerate(parts):
        names = part.schema().names
        told = {name: kind for name, kind in wanted.items() if part.kind(name) != kind}
        unlike = any(
            not order.sure and name in sure and order.way != sure[name].way
            for name, order in part.orders().items()
        )
        if told or unlike or any(part.kind(name) != "text" for name in text if name in names):
            scratch = into / f"again-{place}"
            scratch.mkdir()
            known = {**dates, **sure} if unlike else dates
            part.reading = look_through(part.path, part.name, scratch, plain, told, known)
    return notes + [f"Column {name!r} {order.note()}" for name, order in _orders(parts).items()]


def _orders(parts: Sequence[_Part]) -> dict[str, DateOrder]:
    """By column the order of its dates, where all files that tell one tell the same."""
    found: dict[str, list[DateOrder]] = {}
    for part in parts:
        for name, order in part.orders().items():
            found.setdefault(name, []).append(order)
    return {
        name: DateOrder(way=told[0].way, sure=any(order.sure for order in told))
        for name, told in found.items()
        if len({order.way for order in told}) == 1
    }


def _check_orders(parts: Sequence[_Part]) -> None:
    """See that no file is left whose dates could be of either order that others surely have.

    Raises: UnreadableFile.
    """
    found: dict[str, dict[str, str]] = {}
    for part in parts:
        for name, order in part.orders().items():
            way = DATE_ORDERS[order.way] if order.sure else ""
            found.setdefault(name, {}).setdefault(way, part.name)
    for name, files in found.items():
        if len(files) == len(DATE_ORDERS) + 1:
            unsure = files.pop("")
            shown = " and ".join(f"{way} in {file}" for way, file in files.items())
            raise UnreadableFile(
                unsure,
                f"the dates of column {name!r} may be of either order: they are {shown}, and here "
                "no part is above 12.",
                hint="Add the files of one order first, with --dates dmy, then those of the other "
                "with --dates mdy and --append; or write the dates as 2026-12-31.",
            )


def _sure_orders(parts: Sequence[_Part]) -> dict[str, DateOrder]:
    """By column the order of its dates that some files show, where no other shows another."""
    found: dict[str, set[Way]] = {}
    for part in parts:
        for name, order in part.orders().items():
            found.setdefault(name, set()).update({order.way} if order.sure else ())
    return {
        name: DateOrder(way=next(iter(ways)), sure=True)
        for name, ways in found.items()
        if len(ways) == 1
    }


def _mixed(name: str, parts: Sequence[_Part]) -> str:
    found = sorted((part.kind(name), part.name) for part in parts)
    shown = [f"{kind} in {next(group)[1]}" for kind, group in groupby(found, lambda item: item[0])]
    return f"Column {name!r} is {', '.join(shown)}: it is text."


def _columns_of_folders(parts: Sequence[_Part]) -> dict[str, pa.DataType]:
    """The columns that the folders' names give; whole numbers where all are."""
    found = {}
    for name in parts[0].fixed:
        whole = all(part.fixed[name].isdecimal() for part in parts)
        short = all(len(part.fixed[name]) < 18 for part in parts)
        found[name] = pa.int64() if whole and short else pa.string()
    return found


def _with_folders(batch: pa.RecordBatch, part: _Part, schema: pa.Schema) -> pa.RecordBatch:
    arrays = list(batch.columns)
    for field in list(schema)[len(arrays) :]:
        value = part.fixed[field.name]
        told = int(value) if pa.types.is_integer(field.type) else value
        arrays.append(pa.repeat(pa.scalar(told, field.type), batch.num_rows))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
