"""How long a model takes for one row. Needs the model's library: run it in a worker."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from athanor.registry.packaging.loading import LoadedModel, load_model

WARM_UP = 20
CALLS = 200
_LONGEST_SECONDS = 20.0


def measure(folder: str, *, pickles: bool = False) -> dict[str, float]:
    """Milliseconds for one row: `p50`, `p95`, `p99`, and over how many `calls`.

    The rows are those of the model's input example, one after the other, else made up from its
    signature. `pickles` says that the project agreed to load them.

    Raises: BadModelFolder, UnsafeModel, RecordRefused.
    """
    model = load_model(Path(folder), pickles=pickles)
    rows = _rows(Path(folder), model)
    for place in range(WARM_UP):
        model.predict_records([rows[place % len(rows)]])
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < CALLS and time.perf_counter() - began < _LONGEST_SECONDS:
        row = rows[len(taken) % len(rows)]
        start = time.perf_counter()
        model.predict_records([row])
        taken.append((time.perf_counter() - start) * 1000)
    found = np.percentile(taken, [50, 95, 99])
    p50, p95, p99 = (round(float(value), 4) for value in found)
    return {"p50": p50, "p95": p95, "p99": p99, "calls": float(len(taken))}


def _rows(folder: Path, model: LoadedModel) -> list[dict[str, Any]]:
    try:
        told = json.loads((folder / "input_example.json").read_text("utf-8"))
        rows = [dict(zip(told["columns"], row, strict=True)) for row in told["data"]]
    except (OSError, ValueError, KeyError, TypeError):
        rows = []
    return rows or [{column.name: _made_up(column.type) for column in model.signature}]


def _made_up(kind: str) -> Any:
    plain: dict[str, Any] = {
        "string": "a",
        "boolean": True,
        "datetime": "2026-01-01T00:00:00",
        "long": 1,
        "integer": 1,
    }
    return plain.get(kind, 0.5)
