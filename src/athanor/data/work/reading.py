"""Any file that a user hands in, as typed batches with what was found out on the way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pyarrow as pa

from athanor.data.errors import EmptyFile
from athanor.data.logic.forms import encoding_of, is_arrow, is_parquet
from athanor.data.logic.orders import DateOrder
from athanor.data.logic.plans import Against, Kind
from athanor.data.types import ReadOptions
from athanor.data.work.csvfile import CsvFile, open_csv
from athanor.data.work.jsonfile import open_jsonl
from athanor.data.work.tablefile import TypedFile, open_arrow, open_parquet, open_pieces
from athanor.data.work.text import unpacked


class Rows(Protocol):
    """Typed rows, which can be read more than once."""

    def schema(self) -> pa.Schema:
        """Their Arrow schema."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, in their order."""
        ...


class NoRows:
    """Of a table that is not read row by row."""

    def schema(self) -> pa.Schema:
        """None."""
        return pa.schema([])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """None."""
        return iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A file that was looked through."""

    rows: Rows
    count: int
    format: str
    compression: str
    encoding: str = ""
    delimiter: str = ""
    decimal: str = ""
    notes: tuple[str, ...]
    mismatched: dict[str, tuple[Kind, Against]]
    """Columns that should have had another type, with the cells that do not fit."""
    changed: dict[str, str] = field(default_factory=dict)
    """Columns that are stored as another Arrow type than they came with, and that type."""


def look_through(
    path: Path,
    file: str,
    into: Path,
    options: ReadOptions,
    wanted: Mapping[str, Kind],
    orders: Mapping[str, DateOrder] = MappingProxyType({}),
) -> Reading:
    """Find out what a file holds, whatever its name says; `into` is a folder for twins.

    `wanted` gives the types of columns, `orders` those of the dates in the rows before.

    Raises: UnreadableFile and its kinds.
    """
    if path.is_dir():
        return _of_typed(open_pieces(path, file, wanted, options), "")
    bare, compression = unpacked(path, file, into)
    with bare.open("rb") as stream:
        head = stream.read(1 << 12)
    if not head:
        raise EmptyFile(file)
    if is_parquet(head):
        return _of_typed(open_parquet(bare, file, wanted, options), compression)
    if is_arrow(head):
        return _of_typed(open_arrow(bare, file, wanted, options), compression)
    encoding, mark = encoding_of(head)
    begins = head[mark:].decode(encoding or "utf-8", errors="ignore").lstrip()
    named = file.lower().endswith((".json", ".jsonl", ".ndjson"))
    if _begins_json(begins) or (named and begins[:1] in {"[", "{", '"'}):
        return _of_typed(open_jsonl(bare, file, into, wanted, options), compression)
    return _of_csv(open_csv(bare, file, into, options, wanted, orders), compression)


def _of_csv(found: CsvFile, compression: str) -> Reading:
    return Reading(
        rows=found,
        count=found.rows,
        format="csv",
        compression=compression,
        encoding=found.encoding,
        delimiter=found.dialect.delimiter,
        decimal=found.dialect.decimal,
        notes=found.notes,
        mismatched={
            plan.name: (plan.wanted, plan.against)
            for plan in found.plans
            if plan.wanted is not None
        },
    )


def _begins_json(text: str) -> bool:
    """Whether a text begins a JSON object, or a list of them."""
    bare = text[1:].lstrip()
    return (text.startswith("{") and bare[:1] in {'"', "}"}) or (
        text.startswith("[") and bare[:1] == "{"
    )


def _of_typed(found: TypedFile, compression: str) -> Reading:
    return Reading(
        rows=found,
        count=found.rows,
        format=found.format,
        compression=compression,
        notes=found.notes,
        mismatched=found.mismatched,
        changed=found.changed(),
    )


def notes_by_column(notes: Sequence[str]) -> dict[str, str]:
    """What notes say of columns, by the columns' names."""
    found = {}
    for note in notes:
        if note.startswith("Column '"):
            name, _, rest = note.removeprefix("Column '").partition("' ")
            found[name] = rest
    return found
