"""A reference summary as bytes and back: made once per model version, read at every window."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from athanor.monitoring.logic.judge import Reference
from athanor.monitoring.logic.sketch import ColumnPlan, Sketch

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT_VERSION = 1


def encode(reference: Reference) -> bytes:
    """The summary as JSON; equal summaries give equal bytes."""
    document = {
        "format_version": FORMAT_VERSION,
        "rows": reference.rows,
        "plans": {name: asdict(plan) for name, plan in reference.plans.items()},
        "sketches": {name: _plain(sketch) for name, sketch in reference.sketches.items()},
        "left_out": reference.left_out,
        "outputs": sorted(reference.outputs),
        "block": reference.block,
    }
    return msgspec.json.encode(document)


def decode(data: bytes) -> Reference:
    """The summary that `encode` wrote."""
    document = msgspec.json.decode(data)
    return Reference(
        rows=document["rows"],
        plans={name: msgspec.convert(p, ColumnPlan) for name, p in document["plans"].items()},
        sketches={name: _sketch(fields) for name, fields in document["sketches"].items()},
        left_out=document["left_out"],
        outputs=frozenset(document["outputs"]),
        block=document["block"],
    )


def _plain(sketch: Sketch) -> dict[str, Any]:
    blocks = None if sketch.blocks is None else sketch.blocks.tolist()
    return asdict(sketch) | {"counts": sketch.counts.tolist(), "blocks": blocks}


def _sketch(fields: dict[str, Any]) -> Sketch:
    arrays: dict[str, NDArray[np.int64] | None] = {
        name: None if fields[name] is None else np.array(fields[name], dtype=np.int64)
        for name in ("counts", "blocks")
    }
    return Sketch(**fields | arrays)
