"""The texts inside of a JSON value: in lists and mappings, however deep."""

from collections.abc import Callable, Iterator
from typing import Any


def texts_of(value: Any) -> Iterator[str]:
    """Every text in a value, itself if it is one; names in mappings do not count."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_of(item)


def map_texts(value: Any, act: Callable[[str], Any]) -> Any:
    """The value with each text in it replaced by what `act` makes of it."""
    if isinstance(value, str):
        return act(value)
    if isinstance(value, list):
        return [map_texts(item, act) for item in value]
    if isinstance(value, dict):
        return {name: map_texts(item, act) for name, item in value.items()}
    return value
