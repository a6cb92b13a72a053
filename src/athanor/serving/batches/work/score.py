"""Chunk by chunk: rows in, rows with predictions out, each chunk's file whole or not there.

Any number of processes work on one batch. A chunk belongs to the process that holds the lock on
its place in the file `claims`; the system frees it when that process ends, however it ends.
"""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.kernel.workers import report
from athanor.serving.batches.work import csvlines
from athanor.serving.batches.work import plan as plans
from athanor.serving.batches.work.chunks import ERRORS, chunk_path
from athanor.serving.batches.work.models import Scorer, load_scorer
from athanor.serving.errors.batches import CsvNotPlain, TooManyRowErrors

_SLICE_ROWS = 65_536
_GROUP_ROWS = 100_000
"""Rows of a row group in what is written, at least."""
_PROBED = 16
_TYPES_KEPT = frozenset({"string", "bool", "date32[day]", "timestamp[us]", "float", "double"}) | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
"""What Parquet itself remembers: Arrow's own note of the types is not needed beside it."""
_CLAIMS = "claims"


def work(folder: str, model: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Score the chunks that nobody else scores, until none is left; says what it took.

    Raises: TooManyRowErrors, and what the model's loading raises.
    """
    home = Path(folder)
    plan = plans.read(home)
    allowed = int(settings["max_errors"])
    began, done = time.process_time(), 0
    scorer: Scorer | None = None
    with _Claims(home) as claims:
        for number, chunk in enumerate(plan["chunks"]):
            target = chunk_path(home, number)
            if target.exists() or not claims.take(number):
                continue
            if not target.exists():
                scorer = scorer or load_scorer(model, lambda: _first(plan), plan["rows"])
                errors = _Errors(allowed=allowed)
                _score_chunk(plan, chunk, scorer, errors, target)
                done += 1
                report({"chunk": number, "rows": chunk["rows"], "errors": errors.count})
            claims.drop(number)
    return {"chunks": done, "cpu_seconds": time.process_time() - began}


@dataclass(slots=True)
class _Errors:
    """Rows that the model refused, up to what is allowed."""

    allowed: int
    count: int = 0
    reasons: dict[int, str] = field(default_factory=dict)
    """By the row's place in its slice."""

    def add(self, place: int, row: int, error: Exception) -> None:
        self.count += 1
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        if self.count > self.allowed:
            raise TooManyRowErrors(row, reason, self.allowed) from error
        self.reasons[place] = reason


class _Claims:
    """Who works on which chunk: one lock a chunk, freed by the system with its process."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / _CLAIMS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        os.close(self._file)

    def take(self, number: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError:
            return False
        return True

    def drop(self, number: int) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)


def _score_chunk(
    plan: Mapping[str, Any],
    chunk: Mapping[str, Any],
    scorer: Scorer,
    errors: _Errors,
    target: Path,
) -> None:
    schema: pa.Schema = plan["schema"]
    kept = [schema.field(name) for name in plan["keep"]]
    made = list(scorer.schema)
    reasons = [pa.field("error", pa.string())] if errors.allowed else []
    whole = pa.schema([*kept, *made, *reasons])
    kinds = {item.name: str(item.type) for item in whole}
    plain = _TYPES_KEPT.issuperset(kinds.values())
    texts = [name for name, kind in kinds.items() if kind == "string"]
    words = [item.name for item in kept if plain and item.name in texts]
    if words:
        coded = pa.dictionary(pa.int32(), pa.string())
        kept = [item.with_type(coded) if item.name in words else item for item in kept]
        whole = pa.schema([*kept, *made, *reasons])
    passing = target.with_suffix(".part")
    row, group = int(chunk["start"]), list[pa.RecordBatch]()
    # Numbers seldom repeat, and what was just computed hardly shrinks. Text whose words came coded
    # is written so, and is plain to readers.
    packed: dict[str, str] = dict.fromkeys(kinds, "zstd")
    packed |= {item.name: "snappy" for item in made if kinds[item.name] == "double"}
    with pq.ParquetWriter(
        passing, whole, compression=packed, use_dictionary=texts or False, store_schema=not plain
    ) as writer:
        for batch in _rows(plan, chunk, scorer.columns, words):
            errors.reasons.clear()
            arrays = _scored(scorer, batch, row, errors)
            told = [
                pa.array([errors.reasons.get(i) for i in range(batch.num_rows)], pa.string())
                for _ in reasons
            ]
            columns = [_column(batch, item) for item in kept]
            group.append(pa.record_batch([*columns, *arrays, *told], schema=whole))
            row += batch.num_rows
            if sum(item.num_rows for item in group) >= _GROUP_ROWS:
                _write(writer, group)
        _write(writer, group)
        writer.add_key_value_metadata({ERRORS: str(errors.count).encode()})
    if row - int(chunk["start"]) != int(chunk["rows"]):
        message = f"A file of the input changed: {target.stem} has {row - chunk['start']} rows."
        raise RuntimeError(message)
    _settle(passing, target)


def _write(writer: pq.ParquetWriter, group: list[pa.RecordBatch]) -> None:
    """As one row group, with one list of words a column of text."""
    if group:
        writer.write_table(pa.Table.from_batches(group).unify_dictionaries())
        group.clear()


def _rows(
    plan: Mapping[str, Any], chunk: Mapping[str, Any], read: Sequence[str], kept: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    wanted = dict.fromkeys([*plan["keep"], *read])
    file = plan["files"][chunk["file"]]
    if isinstance(file, dict):
        yield from _lines(plan, chunk, [name for name in wanted if name in file["names"]])
        return
    words = [name for name in (*kept, *read) if _is_text(plan["schema"], name)]
    with plans.opened(file, words) as opened:
        present = set(opened.schema_arrow.names)
        names = [name for name in wanted if name in present]
        if not names:
            yield from _bare(chunk)
            return
        yield from opened.iter_batches(
            batch_size=_SLICE_ROWS, row_groups=chunk["groups"], columns=names
        )


def _lines(
    plan: Mapping[str, Any], chunk: Mapping[str, Any], names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Rows of a CSV file that is read where it lies. Raises: CsvNotPlain."""
    file, rows = plan["files"][chunk["file"]], 0
    for batch in csvlines.read(file, chunk["bytes"], names, plan["schema"]):
        yield batch
        rows += batch.num_rows
    if rows != chunk["rows"]:
        raise CsvNotPlain(file["csv"], f"{chunk['rows']} lines hold {rows} rows")


def _first(plan: Mapping[str, Any]) -> pa.RecordBatch:
    """A few rows of the input, as its first chunk has them."""
    return next(_rows(plan, plan["chunks"][0], plan["schema"].names)).slice(0, _PROBED)


def _is_text(schema: pa.Schema, name: str) -> bool:
    place = schema.get_field_index(name)
    return place >= 0 and bool(pa.types.is_string(schema.field(place).type))


def _bare(chunk: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    """Rows of a file that has none of the columns."""
    left = int(chunk["rows"])
    while left:
        size = min(left, _SLICE_ROWS)
        yield pa.record_batch([pa.nulls(size)], names=[""])
        left -= size


def _column(batch: pa.RecordBatch, wanted: pa.Field) -> pa.Array:
    place = batch.schema.get_field_index(wanted.name)
    if place < 0:
        return pa.nulls(batch.num_rows, wanted.type)
    values = batch.column(place)
    if pa.types.is_dictionary(wanted.type) and values.type != wanted.type:
        if not pa.types.is_dictionary(values.type):
            values = values.dictionary_encode()
        words = values.dictionary.cast(wanted.type.value_type)
        return pa.DictionaryArray.from_arrays(values.indices.cast(wanted.type.index_type), words)
    return values if values.type == wanted.type else values.cast(wanted.type)


def _scored(
    scorer: Scorer, batch: pa.RecordBatch, row: int, errors: _Errors, first: int = 0
) -> list[pa.Array]:
    """The predictions of a slice; where they fail, of its halves, down to the rows to blame."""
    try:
        return scorer.score(batch)
    except Exception as error:  # noqa: BLE001 - whatever a model raises is its rows' answer
        if batch.num_rows == 1:
            errors.add(first, row + first + 1, error)
            return [pa.nulls(1, item.type) for item in scorer.schema]
    half = batch.num_rows // 2
    left = _scored(scorer, batch.slice(0, half), row, errors, first)
    right = _scored(scorer, batch.slice(half), row, errors, first + half)
    return [pa.concat_arrays(pair) for pair in zip(left, right, strict=True)]


def _settle(passing: Path, target: Path) -> None:
    descriptor = os.open(passing, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    passing.replace(target)
