"""A person's rows in files of any kind: Parquet, Arrow, JSON, CSV, text. Runs in a worker.

A table has the column that names persons: its rows are counted. Anything else can only hold the
value as text, which is told where the value is long enough not to stand there by chance. What is
compressed or pickled is not opened.
"""

import codecs
import csv
import io
import json
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.work.persons import conditions
from athanor.kernel.storage import Storage

_TOLD_FROM = 6
"""Characters of a value that is looked for in mere text."""
_CHUNK = 8 << 20
_MOST_TEXT = 512 << 20
_LISTS = frozenset({"values", "levels", "rare", "top", "categories"})
_ONES = frozenset({"value", "level", "name", "key"})
_RECORDS = frozenset({"row", "record", "inputs", "features", "instance"})
_SEPARATORS = ",;\t|"


def search(storage: str, folders: list[str], column: str, value: str) -> dict[str, Any]:
    """What the blobs of a storage, and the files of folders, hold of a person.

    `rows`: how many, by digest or path. `mentions`: files in which the value stands as text.
    """
    blobs = Storage(storage)
    look = _Look(column, value)
    for digest in blobs.digests():
        with suppress(FileNotFoundError), blobs.open(digest) as stream:
            look.at(digest, stream)
    for folder in folders:
        for path in Path(folder).rglob("*"):
            if path.is_file() and not path.is_symlink():
                with suppress(OSError), path.open("rb") as stream:
                    look.at(str(path), stream)
    return {"rows": look.rows, "mentions": look.mentions}


def rows_in(content: bytes, column: str, value: str) -> int | None:
    """How many rows of a file's content are the person's; None for what is no table."""
    return _Look(column, value).rows_in(io.BytesIO(content))


class _Look:
    """One look for one person."""

    def __init__(self, column: str, value: str) -> None:
        self._column, self._value = column, value
        self._needles = {
            value.encode(),
            msgspec.json.encode(value)[1:-1],
            json.dumps(value)[1:-1].encode(),  # as JSON of ASCII alone
            value.encode("utf-16-le"),
            value.encode("utf-16-be"),
        }
        self.rows: dict[str, int] = {}
        self.mentions: list[str] = []

    def at(self, name: str, stream: IO[bytes]) -> None:
        """Note what a file holds."""
        found = self.rows_in(stream)
        if found:
            self.rows[name] = found
        elif found is None and len(self._value) >= _TOLD_FROM and self._is_told(stream):
            self.mentions.append(name)

    def rows_in(self, stream: IO[bytes]) -> int | None:
        """How many rows; None where it is no table of this column."""
        head = stream.read(8)
        stream.seek(0)
        try:
            if head[:4] == b"PAR1":
                return self._in_parquet(stream)
            if head[:6] == b"ARROW1":
                return self._in_batches(_of_file(pa.ipc.open_file(stream)))
            if head[:4] == b"\xff\xff\xff\xff":
                return self._in_batches(iter(pa.ipc.open_stream(stream)))
        except (pa.ArrowException, duckdb.Error, OSError):
            return None  # damaged, or of a type that is not read here
        if not self._is_there(stream):
            return 0
        stream.seek(0)
        return self._in_text(stream.read(_MOST_TEXT))

    def _in_parquet(self, stream: IO[bytes]) -> int:
        file = pq.ParquetFile(stream)
        names = [name for name, sql in self._conditions(file.schema_arrow).items() if sql]
        return self._in_batches(file.iter_batches(columns=names)) if names else 0

    def _conditions(self, schema: pa.Schema) -> dict[str, str]:
        return conditions(schema, self._column)

    def _in_batches(self, batches: Iterator[pa.RecordBatch]) -> int:
        found = 0
        with duckdb.connect(":memory:", config={"threads": 1}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for batch in batches:
                told = {name: sql for name, sql in self._conditions(batch.schema).items() if sql}
                if not told:
                    return 0
                # These columns alone: of the others DuckDB may not know the types.
                connection.register("rows", pa.Table.from_batches([batch.select(list(told))]))
                sql = f"SELECT count(*) FROM rows WHERE {' OR '.join(told.values())}"  # noqa: S608
                [(count,)] = connection.execute(sql, {"person": self._value}).fetchall()
                found += int(count)
        return found

    def _in_text(self, content: bytes) -> int | None:
        """Rows in JSON, in JSON by lines, behind a request's head, or in CSV."""
        content = content.removeprefix(codecs.BOM_UTF8)
        head, gap, body = content.partition(b"\n\n")
        if gap and b"/" in head[:200] and b"\n" not in head:
            content = body  # a request as it is kept: its type, an empty line, its bytes
        start = content.lstrip()[:1]
        if start in {b"{", b"["}:
            with suppress(msgspec.DecodeError, RecursionError):
                return self._in_json(msgspec.json.decode(content)) or None
            with suppress(msgspec.DecodeError, RecursionError):
                lines = (line for line in content.splitlines() if self._is_in(line))
                return sum(self._in_json(msgspec.json.decode(line)) for line in lines) or None
            return None
        return self._in_csv(content)

    def _in_csv(self, content: bytes) -> int | None:
        first = content[: content.find(b"\n") + 1 or None].decode("utf-8", "replace").strip()
        if self._column not in first:
            return None
        for separator in _SEPARATORS:
            with suppress(csv.Error):  # an image's bytes, say
                names = [name.strip() for name in next(csv.reader([first], delimiter=separator))]
                if self._column not in names:
                    continue
                place = names.index(self._column)
                text = io.StringIO(content.decode("utf-8", "replace"))
                rows = csv.reader(text, delimiter=separator)
                return sum(len(row) > place and row[place].strip() == self._value for row in rows)
        return None

    def _in_json(self, told: Any) -> int:
        """How often the column has the value, in whatever form a table is told."""
        # A value that is short may be a figure about the column: it counts in records alone.
        long = len(self._value) >= _TOLD_FROM
        found, ahead = 0, [(told, long)]
        while ahead:
            item, is_record = ahead.pop()
            if isinstance(item, list):
                ahead += [(part, True) for part in item if isinstance(part, (dict, list))]
            elif isinstance(item, dict):
                found += self._in_object(item, is_record=is_record)
                ahead += [
                    (part, long or name in _RECORDS)
                    for name, part in item.items()
                    if name != self._column and isinstance(part, (dict, list))
                ]
        return found

    def _in_object(self, item: dict[str, Any], *, is_record: bool) -> int:
        found = 0
        if self._column in item:
            held = item[self._column]
            whole: Collection[Any] = [held] if is_record else []
            if isinstance(held, (dict, list)):
                whole = held.values() if isinstance(held, dict) else held
            # A summary of the column, such as its most frequent values.
            listed = [part for name in _LISTS for part in _listed(held, name)]
            found += sum(self._is(cell) for cell in [*whole, *listed])
        names, rows = item.get("columns"), item.get("data", item.get("rows"))
        if isinstance(names, list) and isinstance(rows, list) and self._column in names:
            place = names.index(self._column)
            found += sum(
                isinstance(row, list) and len(row) > place and self._is(row[place]) for row in rows
            )
        if self._column in {item.get("name"), item.get("column"), item.get("feature")}:
            found += sum(self._is(part) for name in _LISTS for part in _listed(item, name))
        return found

    def _is(self, cell: Any) -> bool:
        if isinstance(cell, dict):
            return any(self._is(cell.get(name)) for name in _ONES)
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)
        return cell is not None and str(cell) == self._value

    def _is_there(self, stream: IO[bytes]) -> bool:
        """Whether the value's bytes stand anywhere."""
        longest = max(map(len, self._needles))
        rest = b""
        while chunk := stream.read(_CHUNK):
            if self._is_in(rest + chunk):
                return True
            rest = chunk[-longest:]
        return False

    def _is_in(self, text: bytes) -> bool:
        return any(needle in text for needle in self._needles)

    def _is_told(self, stream: IO[bytes]) -> bool:
        """Whether the value stands there as a word of its own."""
        stream.seek(0)
        content = stream.read(_MOST_TEXT)
        for needle in self._needles:
            at = content.find(needle)
            while at >= 0:
                around = content[max(at - 1, 0) : at], content[at + len(needle) :][:1]
                if not any(part.isalnum() for part in around):
                    return True
                at = content.find(needle, at + 1)
        return False


def _of_file(reader: Any) -> Iterator[pa.RecordBatch]:
    return (reader.get_batch(number) for number in range(reader.num_record_batches))


def _listed(item: Any, name: str) -> list[Any]:
    found = item.get(name) if isinstance(item, dict) else None
    return found if isinstance(found, list) else []
