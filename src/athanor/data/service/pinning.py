"""What expectations need of the world when they are tried: the time, other datasets' files."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from athanor.data.logic.names import parsed_reference
from athanor.data.store import DataStore
from athanor.data.types import DatasetVersion, Expectation


def pinned(
    expectations: Sequence[Expectation], store: DataStore, project: str, now: datetime
) -> list[dict[str, Any]]:
    """Expectations as the worker takes them: with the time, and with other datasets' files.

    Where there is no such dataset, the check says so as its finding.
    """
    found = []
    for item in expectations:
        told: dict[str, Any] = msgspec.to_builtins(item)
        reference = item.parameters.get("dataset") or item.parameters.get("reference")
        if item.kind in {"foreign_key", "distribution"} and reference:
            version = _version(store, project, str(reference))
            if version is not None:
                uri = version.table_uri.rstrip("/")
                told["parameters"]["files"] = [f"{uri}/{file}" for file in version.files]
        if item.kind in {"freshness", "range"}:
            told["parameters"]["now"] = now.isoformat()
        found.append(told)
    return found


def _version(store: DataStore, project: str, reference: str) -> DatasetVersion | None:
    asked = parsed_reference(reference)
    dataset = store.find_dataset(project, asked.name)
    if dataset is None or dataset.deleted_at is not None:
        return None
    if asked.number is None:
        return store.latest_version(dataset.id)
    found = store.find_version(dataset.id, asked.number)
    return None if found is None or found.deleted_at is not None else found
