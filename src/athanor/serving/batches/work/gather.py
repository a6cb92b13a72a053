"""The chunks' files, one behind the other, as what becomes a dataset version."""

import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from athanor.serving.batches.work import plan as plans
from athanor.serving.batches.work.chunks import ERRORS, chunk_path

_PIECES = 256
"""Files of one version at most, and rows of each at least, about."""
_PIECE_ROWS = 50_000


def gather(folder: str, into: str) -> dict[str, Any]:
    """Put the result into the folder `into`, in the order of the input's rows.

    Large chunks are its files as they are; small ones become one. Says its rows and errors.
    Raises: RuntimeError where rows are missing, which would be a mistake of ours.
    """
    home, target = Path(folder), Path(into)
    plan = plans.read(home)
    chunks = [chunk_path(home, number) for number in range(len(plan["chunks"]))]
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o700, parents=True)
    rows, errors = 0, 0
    for path in chunks:
        about = pq.read_metadata(path)
        rows += about.num_rows
        errors += int((about.metadata or {}).get(ERRORS, b"0"))
    if rows != plan["rows"]:
        message = f"{rows} rows were predicted of {plan['rows']}."
        raise RuntimeError(message)
    if len(chunks) == 1 or (len(chunks) <= _PIECES and rows >= _PIECE_ROWS * len(chunks)):
        for path in chunks:
            _linked(path, target / path.name)
    else:
        _joined(chunks, target / "chunks.parquet")
    return {"path": into, "rows": rows, "errors": errors}


def _linked(path: Path, target: Path) -> None:
    """The same file under another name: whoever goes on after a kill finds it under its own."""
    try:
        os.link(path, target)
    except OSError:  # another file system
        shutil.copyfile(path, target)


def _joined(chunks: list[Path], target: Path) -> None:
    schema = pq.read_schema(chunks[0]).remove_metadata()
    texts = [field.name for field in schema if str(field.type) in {"string", "large_string"}]
    with pq.ParquetWriter(
        target, schema, compression="zstd", compression_level=1, use_dictionary=texts or False
    ) as writer:
        for path in chunks:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(group).cast(schema))
