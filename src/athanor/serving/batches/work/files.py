"""Files that were sent, as Parquet: CSV, JSON, JSON lines, Parquet, Arrow; maybe gzipped."""

import gzip
import importlib
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv
from pyarrow import feather

from athanor.serving.batches.work.csvlines import converting, head_of, quotes, types_of
from athanor.serving.errors.batches import BatchFileUnreadable
from athanor.serving.types import Signature

_BLOCK_BYTES = 1 << 20
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}


def as_parquet(path: Path, name: str, target: Path, signature: Signature, rows: int) -> None:
    """Write a file as Parquet, with the model's types for the columns that it reads.

    Raises: BatchFileUnreadable, InputValueUnfit, which call the file by `name`.
    """
    ending, packed = _ending(name)
    kind = FORMATS.get(ending)
    if kind is None:
        raise BatchFileUnreadable(name, f"the ending {ending or '(none)'!r} tells no known format.")
    passing = target.with_suffix(".part")
    source = path
    try:
        if packed:
            source = target.with_suffix(".unpacked")
            with gzip.open(path, "rb") as packed_stream, source.open("wb") as plain:
                shutil.copyfileobj(packed_stream, plain, 1 << 20)
        if kind == "csv" and _plain_csv(source, passing, signature, rows):
            pass
        elif kind in {"csv", "json"}:
            # By its name: it takes DuckDB with it, which ordinary files do without.
            odd = importlib.import_module("athanor.serving.batches.work.odd")
            odd.write(source, kind, passing, signature, rows, name=name)
        else:
            _by_arrow(source, kind, passing, rows)
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        problem = " ".join(str(error).split())[:400]
        raise BatchFileUnreadable(name, problem) from error
    finally:
        if packed:
            source.unlink(missing_ok=True)
    passing.replace(target)


def is_plain_csv(name: str) -> bool:
    """Whether a file's name says that it is CSV, not packed."""
    ending, packed = _ending(name)
    return not packed and FORMATS.get(ending) == "csv"


def _ending(name: str) -> tuple[str, bool]:
    lower = Path(name.lower())
    if lower.suffix == ".gz":
        return Path(lower.stem).suffix, True
    return lower.suffix, False


def _plain_csv(source: Path, target: Path, signature: Signature, rows: int) -> bool:
    """Write an ordinary CSV file, whose first line names the model's columns, the quick way.

    False where it is anything else: DuckDB, which is slower, reads more and says what is wrong.
    """
    types = types_of(signature)
    delimiter, _ = head_of(source, signature)
    if not delimiter or not types:
        return False
    reading = arrow_csv.ReadOptions(block_size=_BLOCK_BYTES)
    parsing = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=quotes(source))
    try:
        with arrow_csv.open_csv(source, reading, parsing, converting(types)) as reader:
            _write(reader, target, rows)
    except (pa.ArrowException, ValueError):
        return False
    return True


def _write(reader: pa.RecordBatchReader, target: Path, rows: int) -> None:
    """Row groups of so many rows; the words of text once."""
    schema = reader.schema
    texts = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    if any(pa.types.is_null(field.type) for field in schema):
        raise ValueError  # what an empty first block says of a column is not what it holds
    waiting: list[pa.RecordBatch] = []
    count = 0
    with pq.ParquetWriter(
        target, schema, compression="none", use_dictionary=texts or False, write_statistics=False,
        store_schema=False,
    ) as writer:  # fmt: skip
        for batch in reader:
            waiting.append(batch)
            count += batch.num_rows
            while count >= rows:
                table = pa.Table.from_batches(waiting)
                writer.write_table(table.slice(0, rows).unify_dictionaries())
                waiting = table.slice(rows).to_batches()
                count -= rows
        if count:
            writer.write_table(pa.Table.from_batches(waiting).unify_dictionaries())


def _by_arrow(source: Path, kind: str, target: Path, rows: int) -> None:
    if kind == "parquet":
        with pq.ParquetFile(source) as file:
            about, schema = file.metadata, file.schema_arrow
            groups = [about.row_group(place).num_rows for place in range(about.num_row_groups)]
            if max(groups, default=0) <= 2 * rows:
                _linked(source, target)
                return
            texts = [field.name for field in schema if "string" in str(field.type)]
            with pq.ParquetWriter(
                target, schema, compression="none", use_dictionary=texts or False
            ) as writer:
                for batch in file.iter_batches(batch_size=max(2_048, rows)):
                    writer.write_batch(batch)
        return
    table = feather.read_table(source, memory_map=True)
    pq.write_table(table, target, compression="zstd", row_group_size=max(2_048, rows))


def _linked(source: Path, target: Path) -> None:
    """The same file under another name; a copy where that is another file system."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
