"""Where a dataset that a run used came from, in so far as that is one of ours."""

import json
import re
from dataclasses import dataclass
from typing import Any

_REFERENCE = re.compile(r"(?:athanor:/*)?dataset[s:/]+([^@/:?#]+)(?:[@/](\d+|latest))?/?")
_ADDRESS = re.compile(r"https?://[^/]+/api/v1/datasets/([^/?#]+)(?:/versions/(\d+))?(?:[/?#].*)?")
_PLACES = ("uri", "url", "path", "delta_table_name", "table_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class OurDataset:
    """A dataset of the platform, as a source names it."""

    reference: str
    """`dataset:NAME@N`, or `dataset:NAME@latest` where no version is named."""
    delta_version: int | None = None
    """The version of its Delta table, where that is named instead of its own."""


def our_dataset(source: str, tables: str) -> OurDataset | None:
    """The dataset behind a source as MLflow writes it (JSON, or plain text); None of all others.

    `tables` is where the Delta tables of the caller's project lie: a path or a URL.
    """
    said = _said(source)
    for place in (said.get(key) for key in _PLACES):
        if not isinstance(place, str) or not place:
            continue
        named = _REFERENCE.fullmatch(place) or _ADDRESS.fullmatch(place)
        if named is not None:
            return OurDataset(reference=f"dataset:{named[1]}@{named[2] or 'latest'}")
        name = _below(place, tables)
        if name:
            version = said.get("delta_table_version")
            return OurDataset(
                reference=f"dataset:{name}@latest",
                delta_version=version if isinstance(version, int) else None,
            )
    return None


def _said(source: str) -> dict[str, Any]:
    try:
        said = json.loads(source)
    except (ValueError, RecursionError):
        return {"uri": source}
    return said if isinstance(said, dict) else {"uri": source}


def _below(place: str, tables: str) -> str:
    """The first part of a place below the tables' folder; "" if it lies elsewhere."""
    path = place.removeprefix("file://")
    root = tables.removeprefix("file://").rstrip("/") + "/"
    return path.removeprefix(root).partition("/")[0] if path.startswith(root) else ""
