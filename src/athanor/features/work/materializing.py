"""Writes the newest row of each key, packed as it is kept online, in chunks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from athanor.features.logic.joining import MISSING, newest, orders, positions
from athanor.features.lookup import key_text, pack, plain_value
from athanor.features.work.join import stored_parts

_CHUNK = 5_000


def materialize(task: dict[str, Any]) -> dict[str, Any]:
    """Files of chunks of [key, event, created, ordinal, packed], in the order of the keys.

    Only rows that were not there, or not yet due, at the time of the last materialization, unless
    there is none (`since` null).
    """
    began = time.process_time()
    # Created times are read in any case: rows that come later are compared with them.
    stored = stored_parts(task, known_at=bool(task["created_time"]), ordered=True)
    known_at = bool(task["created_time"]) and task["known_at"]
    stored = [item for item in stored if len(item.part.event)]
    chunks: list[str] = []
    if not stored:
        return {"chunks": chunks, "rows": 0, "ordinal": 0, "cpu_seconds": 0.0}
    keys = _keys(stored)
    until = np.full(len(keys[0]), task["until"], np.int64)
    found = [positions(item.part, keys, until, known_at=known_at) for item in stored]
    which, place = newest([item.part for item in stored], found)
    rows = 0
    ordinal = max(int(orders(item.part).max()) for item in stored)
    for number, item in enumerate(stored):
        mine = np.flatnonzero(which == number)
        mine = mine[_moved(item.part, place[mine], task)]
        names = [name for name, _, _ in task["wanted"] if item.has(name)]
        columns = {name: item.column(name) for name in names}
        for start in range(0, len(mine), _CHUNK):
            part = mine[start : start + _CHUNK]
            packed = _packed(item.part, columns, keys, part, place[part], task)
            path = Path(task["scratch"]) / f"{len(chunks):06d}.chunk"
            path.write_bytes(msgspec.msgpack.encode(packed))
            chunks.append(str(path))
            rows += len(packed)
    seconds = time.process_time() - began
    return {"chunks": chunks, "rows": rows, "ordinal": ordinal, "cpu_seconds": seconds}


def _keys(stored: list[Any]) -> list[pa.Array]:
    """Every key of any part, once."""
    if len(stored) == 1:
        return list(stored[0].part.uniques)
    names = [str(place) for place in range(len(stored[0].part.uniques))]
    both = pa.concat_tables(
        [pa.table(dict(zip(names, item.part.uniques, strict=True))) for item in stored]
    )
    distinct = both.group_by(names, use_threads=False).aggregate([])
    return [distinct.column(name).combine_chunks() for name in names]


def _moved(part: Any, place: Any, task: dict[str, Any]) -> Any:
    """Which rows are new since the last time: ingested after it, or due only now."""
    if task["since"] is None:
        return np.ones(len(place), bool)
    due = part.event[place]
    if part.created is not None and task["known_at"]:
        due = np.maximum(due, part.created[place])
    return (orders(part)[place] > task["ordinal"]) | (due > task["since"])


def _packed(
    part: Any, columns: dict[str, pa.Array], keys: list[pa.Array], rows: Any, place: Any,
    task: dict[str, Any],
) -> list[Any]:  # fmt: skip
    taken = pa.array(place)
    values = [
        [plain_value(value) for value in column.take(taken).to_pylist()]
        for column in columns.values()
    ]
    names = list(columns)
    wanted = [name for name, _, _ in task["wanted"]]
    empty = dict.fromkeys(wanted)
    parts = [[plain_value(value) for value in key.take(pa.array(rows)).to_pylist()] for key in keys]
    event = part.event[place].tolist()
    created: list[int | None] = [None] * len(event)
    if part.created is not None and task["created_time"]:
        created = [None if at == MISSING else at for at in part.created[place].tolist()]
    order = orders(part)[place].tolist()
    texts = [key_text(items) for items in zip(*parts, strict=True)]
    packed = [
        pack(empty | dict(zip(names, row, strict=True))) for row in zip(*values, strict=True)
    ] if names else [pack(empty)] * len(event)  # fmt: skip
    return [list(row) for row in zip(texts, event, created, order, packed, strict=True)]
