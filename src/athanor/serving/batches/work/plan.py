"""What goes into a batch, as Parquet files that stay as they are, and its chunks.

The plan is made once and kept in the batch's folder: whoever goes on after a kill works by it.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.serving.batches.work.columns import check_inputs, input_types
from athanor.serving.batches.work.files import as_parquet
from athanor.serving.errors.batches import (
    BadBatch,
    BatchFileUnreadable,
    InputColumnTaken,
)

PLAN = "plan.json"
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
        source: {"parquet": [path]} or {"files": [{"file", "path"}]}.
        signature: the model's, as plain data.
        made: names of the columns that predictions make.
        settings: `keep`, `chunk_rows`.

    Raises: BatchFileUnreadable, InputColumnsMissing, InputColumnUnfit, InputColumnTaken, BadBatch.
    """
    home, model = Path(folder), input_types(signature)
    chunk_rows = int(settings["chunk_rows"])
    paths = list(source.get("parquet", ()))
    for number, item in enumerate(source.get("files", ())):
        target = home / f"input-{number:04d}.parquet"
        as_parquet(Path(item["path"]), item["file"], target, model, chunk_rows)
        paths.append(str(target))
    schema = _schema(paths)
    check_inputs(model, schema, "The input")
    kept = _kept(schema, settings.get("keep"), made)
    chunks = list(_chunks(paths, chunk_rows))
    if not chunks:
        raise BadBatch("The input has no rows.", "Give an input that has rows.")
    plan = {
        "format_version": FORMAT_VERSION,
        "files": paths,
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
    source = path if "://" not in path else fsspec.open(path, "rb").open()
    return pq.ParquetFile(source, read_dictionary=list(words) or None)


def _schema(paths: Sequence[str]) -> pa.Schema:
    """The columns of all files by name; one that a file lacks is missing in its rows."""
    if not paths:
        raise BadBatch("The input has no rows and no columns.", "Give an input that has rows.")
    schemas = []
    for path in paths:
        with opened(path) as file:
            found = file.schema_arrow.remove_metadata()
            schemas.append(pa.schema([_one_text(field) for field in found]))
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


def _chunks(paths: Sequence[str], chunk_rows: int) -> Iterator[dict[str, Any]]:
    """Row groups in their order, so many together that a chunk has about `chunk_rows` rows."""
    start = 0
    for number, path in enumerate(paths):
        with opened(path) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        groups: list[int] = []
        rows = 0
        for place, size in enumerate(sizes):
            if groups and rows + size > chunk_rows:
                yield {"file": number, "groups": groups, "start": start, "rows": rows}
                start, groups, rows = start + rows, [], 0
            groups.append(place)
            rows += size
        if rows:
            yield {"file": number, "groups": groups, "start": start, "rows": rows}
            start += rows


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    passing = path.with_suffix(".part")
    with passing.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    passing.replace(path)
