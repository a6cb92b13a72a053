"""Reads what views and spines are made of: dataset files, SQL, functions, pushed rows."""

from __future__ import annotations

import inspect
import io
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq

from athanor.features.errors import UnreadableTable, ViewCodeFailed


def of_files(files: list[str], columns: list[str] | None = None) -> pa.Table:
    """The rows of Parquet files, in their order."""
    if not files:
        return pa.table({})
    parts = [_read(file, columns) for file in files]
    return parts[0] if len(parts) == 1 else pa.concat_tables(parts, promote_options="permissive")


def _read(file: str, columns: list[str] | None) -> pa.Table:
    if "://" in file:
        import fsspec  # noqa: PLC0415 - only where tables lie in an object store

        with fsspec.open(file, "rb") as stream:
            return pq.read_table(stream, columns=columns)
    return pq.ParquetFile(file).read(columns=columns)


def of_source(source: dict[str, Any], view: str) -> pa.Table:
    """The rows of a source as the service described it: {kind, ...}.

    Raises: ViewCodeFailed.
    """
    kind = source["kind"]
    if kind == "files":
        return of_files(source["files"])
    if kind == "upload":
        return of_upload(source["path"])
    if kind == "python":
        return _of_function(source, view)
    return pa.table({})


def of_upload(path: str) -> pa.Table:
    """A table that somebody sent: Parquet, Arrow (file or stream), JSON lines or CSV.

    Raises: UnreadableTable.
    """
    with Path(path).open("rb") as stream:
        head = stream.read(8)
    try:
        if head[:4] == b"PAR1":
            return pq.ParquetFile(path).read()
        if head[:6] == b"ARROW1":
            return pa.ipc.open_file(path).read_all()
        if head[:4] == b"\xff\xff\xff\xff":
            return pa.ipc.open_stream(path).read_all()
        if head[:1] in {b"{", b"["}:
            return pa.Table.from_pylist(_json_rows(Path(path).read_bytes()))
        return pa.csv.read_csv(
            path, convert_options=pa.csv.ConvertOptions(strings_can_be_null=True)
        )
    except (pa.ArrowException, ValueError, TypeError, OSError) as error:
        raise UnreadableTable(" ".join(str(error).split())[:300]) from error


def _json_rows(text: bytes) -> list[dict[str, Any]]:
    if text.lstrip()[:1] == b"[":
        found: list[dict[str, Any]] = orjson.loads(text)
        return found
    return [orjson.loads(line) for line in text.splitlines() if line.strip()]


def _of_function(source: dict[str, Any], view: str) -> pa.Table:
    """What a user's function returns for the datasets it takes, as DataFrames of pandas."""
    import narwhals as nw  # noqa: PLC0415 - whatever DataFrame the user returns
    import pandas as pd  # noqa: PLC0415 - users' functions alone need it

    scope: dict[str, Any] = {"__name__": "athanor_view", "pd": pd}
    try:
        exec(compile(source["code"], f"<view {view}>", "exec"), scope)  # noqa: S102 - in a worker
        made = {
            name: item
            for name, item in scope.items()
            if inspect.isfunction(item) and item.__module__ == "athanor_view"
        }
        name = source.get("function") or next(iter(made), "")
        if name not in made:
            raise ViewCodeFailed(view, f"its code has no function {name!r}.")
        frames = [of_files(files).to_pandas() for files in source["inputs"]]
        with redirect_stdout(io.StringIO()):
            found = made[name](*frames)
        if isinstance(found, pa.Table):
            return found
        if isinstance(found, pd.DataFrame):
            return pa.Table.from_pandas(found, preserve_index=False)
        return nw.from_native(found, eager_only=True).to_arrow()
    except ViewCodeFailed:
        raise
    except Exception as error:
        line = next(
            (item.lineno for item in reversed(traceback.extract_tb(error.__traceback__))
             if item.filename == f"<view {view}>"),
            None,
        )  # fmt: skip
        at = f" (line {line})" if line else ""
        raise ViewCodeFailed(view, f"{type(error).__name__}: {error}{at}"[:400]) from error


def of_pushes(rows: list[dict[str, Any]]) -> pa.Table:
    """Pushed rows as a table; a column that some rows lack is null there."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
