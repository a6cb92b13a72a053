"""Reports on shadows, made in a worker. Needs DuckDB, for the labels."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from athanor.serving import segments, warehouse
from athanor.serving.logic.shadowing import Shadowed, compared, shadow_rows_in

_LABELS = 1_000_000


def report(
    about: Mapping[str, Any], deployment: str, folder: str, sources: Mapping[str, Any]
) -> dict[str, Any]:
    """The report on one shadow (its deployment id), with the labels that came so far."""
    shadowed = msgspec.convert(about, Shadowed)
    rows = chain.from_iterable(
        shadow_rows_in(path.read_bytes(), deployment) for path in segments.all_in(Path(folder))
    )
    where = {"labelled": True, "limit": _LABELS}
    labelled = warehouse.query(sources, shadowed.endpoint, where)
    truths = {row["id"]: row["truth"] for row in labelled}
    found: dict[str, Any] = msgspec.to_builtins(compared(shadowed, rows, truths))
    return found
