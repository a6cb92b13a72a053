"""Moving sealed segments into the log's Delta tables.

Needs deltalake and pyarrow: its functions are called by name, in workers.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import TableNotFoundError

from athanor.serving import segments
from athanor.serving.warehouse import arrow

_BYTES_PER_COMMIT = 64 << 20
_GRACE_SECONDS = 60.0
"""How long a moved segment's file stays for readers that have just seen it listed."""


def compact(kind: str, uri: str, folder: str) -> dict[str, Any]:
    """Move sealed segments into the Delta table, each exactly once; says what was moved.

    A segment's name is the id of the Delta transaction that holds its rows: whoever comes after a
    crash finds it there, and does not move it again. A file is removed a while after its move.
    """
    home = Path(folder)
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home / ".compacting") as alone:
        if not alone:
            return {"busy": True, "moved": [], "rows": 0}
        table = _opened(uri)
        waiting: list[Path] = []
        for path in segments.sealed_in(home):
            if table is not None and table.transaction_version(path.stem) is not None:
                _remove_moved(path)
            else:
                waiting.append(path)
        moved, count = [], 0
        for group in _groups(waiting):
            count += _move(kind, uri, group)
            moved += [path.stem for path in group]
        return {"busy": False, "moved": moved, "rows": count}


def state(uri: str, names: list[str]) -> dict[str, list[str]]:
    """The table's data files (absolute), and which of these segments it holds."""
    table = _opened(uri)
    if table is None:
        return {"files": [], "moved": []}
    held = [name for name in names if table.transaction_version(name) is not None]
    return {"files": list(table.file_uris()), "moved": held}


def _move(kind: str, uri: str, group: list[Path]) -> int:
    whole = arrow(kind, group)
    transactions = [Transaction(app_id=path.stem, version=1) for path in group]
    write_deltalake(
        uri,
        whole,
        mode="append",
        schema_mode="merge",
        commit_properties=CommitProperties(
            app_transactions=transactions, custom_metadata={"athanor.format_version": "1"}
        ),
    )
    for path in group:
        os.utime(path)
    return int(whole.num_rows)


def _opened(uri: str) -> DeltaTable | None:
    try:
        return DeltaTable(uri)
    except TableNotFoundError:
        return None


def _groups(paths: list[Path]) -> Iterator[list[Path]]:
    group: list[Path] = []
    size = 0
    for path in paths:
        length = path.stat().st_size
        if group and size + length > _BYTES_PER_COMMIT:
            yield group
            group, size = [], 0
        group.append(path)
        size += length
    if group:
        yield group


def _remove_moved(path: Path) -> None:
    if time.time() - path.stat().st_mtime > _GRACE_SECONDS:
        path.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
