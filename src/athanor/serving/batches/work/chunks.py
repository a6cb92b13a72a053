"""The files of a batch's chunks."""

from pathlib import Path

ERRORS = b"athanor.errors"
"""In a chunk file's footer: how many of its rows the model refused."""


def chunk_path(folder: Path, number: int) -> Path:
    """Where a chunk's predictions are, once they are."""
    return folder / f"chunk-{number:06d}.parquet"
