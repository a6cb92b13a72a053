"""Example rows of models: out of what was kept with them, or made up of their types."""

from collections.abc import Mapping, Sequence
from typing import Any

from athanor.serving.types import InputColumn

_TYPED: Mapping[str, Any] = {
    "string": "a",
    "boolean": True,
    "long": 1,
    "integer": 1,
    "datetime": "2024-05-01T12:00:00",
    "binary": "YQ==",
}


def example_in(kept: Any, names: Sequence[str]) -> dict[str, Any] | None:
    """The first row of an MLflow input example as a record of these columns.

    Read are {"columns", "data"}, {"dataframe_split": ...}, {"dataframe_records": [...]}, a list of
    records, and one record; None where none of them holds every column.
    """
    if isinstance(kept, dict):
        for form in ("dataframe_split", "dataframe_records", "inputs"):
            if form in kept:
                return example_in(kept[form], names)
        columns, data = kept.get("columns"), kept.get("data")
        if isinstance(columns, list) and isinstance(data, list) and data:
            if len(data[0]) != len(columns):
                return None
            return example_in(dict(zip(map(str, columns), data[0], strict=True)), names)
        if names and all(name in kept for name in names):
            return {name: _first(kept[name]) for name in names}
        return None
    if isinstance(kept, list) and kept and isinstance(kept[0], dict):
        return example_in(kept[0], names)
    return None


def typed_example(columns: Sequence[InputColumn]) -> dict[str, Any]:
    """A record that fits the types, and nothing more."""
    return {column.name: _TYPED.get(column.type, 1.0) for column in columns}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value
