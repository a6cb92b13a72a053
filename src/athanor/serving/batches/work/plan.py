"""What goes into a batch, as Parquet files that stay as they are, and its chunks.

The plan is made once and kept in the batch's folder: whoever goes on after a kill works by it.
"""

import importlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.serving.batches.near import is_same
from athanor.serving.batches.work.columns import check_inputs, input_types
from athanor.serving.batches.work.csvlines import large_lines
from athanor.serving.batches.work.files import as_parquet, is_plain_csv
from athanor.serving.errors.batches import (
    BadBatch,
    BatchFileUnreadable,
    InputColumnTaken,
)

PLAN = "plan.json"
NOT_PLAIN = "not-plain"
"""A mark: a CSV file was none that is read where it lies."""
FORMAT_VERSION = 1


def make(
    folder: str,
    source: Mapping[str, Any],
    signature: Mapping[str, Any],
    made: Sequence[str],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the plan of a batch; says its rows and its chunks.

    Args:
        folder: the batch's own; `input-*.parquet` and `plan.json` are put there.
        source: {"parquet": [path]} or {"files": [{"file", "path", "near"}]}; `near` is where the
            file lies, too, as `NearFiles.find` tells, or None.
        signature: the model's, as plain data.
        made: names of the columns that predictions make.
        settings: `keep`, `chunk_rows`.

    Raises: BatchFileUnreadable, InputValueUnfit, InputColumnsMissing, InputColumnUnfit,
    InputColumnTaken, BadBatch.
    """
    home, model = Path(folder), input_types(signature)
    chunk_rows = int(settings["chunk_rows"])
    keep = settings.get("keep")
    files: list[Any] = list(source.get("parquet", ()))
    schemas = [_schema_of(path) for path in files]
    pieces: list[list[tuple[int, int, int]]] = [[] for _ in files]
    for number, item in enumerate(source.get("files", ())):
        path, near = Path(item["path"]), item.get("near")
        lines = None
        if is_plain_csv(item["file"]) and not (home / NOT_PLAIN).exists():
            if is_same(near):
                with suppress(OSError):
                    lines = large_lines(Path(near["path"]), model, keep, chunk_rows)
            if not is_same(near):
                lines, near = large_lines(path, model, keep, chunk_rows), None
        if lines is not None:
            files.append(
                {
                    "csv": str(path),
                    "near": near,
                    "names": lines.names,
                    "delimiter": lines.delimiter,
                }
            )
            schemas.append(lines.schema)
            pieces.append(lines.pieces)
            continue
        target = home / f"input-{number:04d}.parquet"
        as_parquet(path, item["file"], target, model, chunk_rows)
        files.append(str(target))
        schemas.append(_schema_of(str(target)))
        pieces.append([])
    schema = _unified(schemas)
    check_inputs(model, schema, "The input")
    kept = _kept(schema, keep, made)
    chunks = list(_chunks(files, pieces, chunk_rows))
    if not chunks:
        raise BadBatch("The input has no rows.", "Give an input that has rows.")
    plan = {
        "format_version": FORMAT_VERSION,
        "files": files,
        "schema": schema.serialize().to_pybytes().hex(),
        "keep": kept,
        "chunks": chunks,
        "rows": sum(chunk["rows"] for chunk in chunks),
    }
    _write(home / PLAN, json.dumps(plan).encode())
    return {"rows": plan["rows"], "chunks": len(chunks)}


def read(folder: Path) -> dict[str, Any]:
    """The plan of a batch, its schema as Arrow's."""
    plan: dict[str, Any] = json.loads((folder / PLAN).read_bytes())
    plan["schema"] = pa.ipc.read_schema(pa.BufferReader(bytes.fromhex(plan["schema"])))
    return plan


def opened(path: str, words: Sequence[str] = ()) -> pq.ParquetFile:
    """A Parquet file, wherever it lies; of `words`, each distinct text is read once."""
    source = path
    if "://" in path:  # by its name: files that lie here do without
        source = importlib.import_module("fsspec").open(path, "rb").open()
    return pq.ParquetFile(source, read_dictionary=list(words) or None)


def _schema_of(path: str) -> pa.Schema:
    with opened(path) as file:
        return pa.schema([_one_text(field) for field in file.schema_arrow.remove_metadata()])


def _unified(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """The columns of all files by name; one that a file lacks is missing in its rows."""
    if not schemas:
        raise BadBatch("The input has no rows and no columns.", "Give an input that has rows.")
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        problem = f"its columns differ from those of the files before it ({error})."
        raise BatchFileUnreadable("A file of the input", problem) from error


def _one_text(field: pa.Field) -> pa.Field:
    """Text of any layout as the one that datasets keep."""
    view = getattr(pa.types, "is_string_view", lambda _: False)
    wide = pa.types.is_large_string(field.type) or view(field.type)
    return field.with_type(pa.string()) if wide else field


def _kept(schema: pa.Schema, wanted: Sequence[str] | None, made: Sequence[str]) -> list[str]:
    names = schema.names if wanted is None else list(dict.fromkeys(wanted))
    for name in names:
        if name not in schema.names:
            known = ", ".join(map(repr, schema.names[:20]))
            raise BadBatch(
                f"The input has no column {name!r} that could be kept.", f"It has {known}."
            )
        if name in made:
            raise InputColumnTaken(name)
    return names


def _chunks(
    files: Sequence[Any], pieces: Sequence[Sequence[tuple[int, int, int]]], chunk_rows: int
) -> Iterator[dict[str, Any]]:
    """The ranges of CSV files, and row groups: so many together that they have `chunk_rows` rows.

    About so many: a row group is not parted.
    """
    start = 0
    for number, file in enumerate(files):
        parts: Iterable[dict[str, Any]] = (
            [{"bytes": [first, end], "rows": rows} for first, end, rows in pieces[number]]
            if isinstance(file, dict)
            else _groups(file, chunk_rows)
        )
        for part in parts:
            yield {"file": number, "start": start, **part}
            start += part["rows"]


def _groups(path: str, chunk_rows: int) -> Iterator[dict[str, Any]]:
    with opened(path) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    groups: list[int] = []
    rows = 0
    for place, size in enumerate(sizes):
        if groups and rows + size > chunk_rows:
            yield {"groups": groups, "rows": rows}
            groups, rows = [], 0
        groups.append(place)
        rows += size
    if rows:
        yield {"groups": groups, "rows": rows}


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    passing = path.with_suffix(".part")
    with passing.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    passing.replace(path)
