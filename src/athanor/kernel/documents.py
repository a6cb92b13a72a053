"""YAML that strangers wrote, as plain data: fast, and never more than a reader can take.

libyaml reads ten times as fast as Python's own parser and gives the same data, but it follows every
level down on the machine's stack: a hundred kilobytes of `[` would end the process. And aliases may
stand for more values than a machine holds. Both are refused here, before anything is built.
"""

from typing import Any

import yaml

MOST_LEVELS = 200
MOST_VALUES = 1_000_000
"""How many values a text may stand for when its aliases are written out."""
_WITHIN = -1
"""Stands for a value that is being counted still."""

_Reader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Bounded(_Reader):  # type: ignore[misc]
    """A safe reader that counts how deep it is: both parsers call these two for each node."""

    level = 0

    def descend_resolver(self, _parent: Any, _index: Any) -> None:
        self.level += 1
        if self.level > MOST_LEVELS:
            raise yaml.YAMLError(f"it is nested deeper than {MOST_LEVELS} levels")

    def ascend_resolver(self) -> None:
        self.level -= 1


def read_yaml(text: str | bytes) -> Any:
    """What one document says; None for an empty one.

    Raises: yaml.YAMLError, also for what is nested too deep or stands for too many values;
        ValueError for dates that are none.
    """
    found = read_yamls(text)
    if len(found) > 1:
        raise yaml.YAMLError("it holds more than one document")
    return found[0] if found else None


def read_yamls(text: str | bytes) -> list[Any]:
    """What each document of a text says.

    Raises: as `read_yaml`.
    """
    reader = _Bounded(text)
    found = []
    try:
        while reader.check_node():
            node = reader.get_node()
            if _values(node, {}) > MOST_VALUES:
                raise yaml.YAMLError(f"it stands for more than {MOST_VALUES:,} values")
            found.append(reader.construct_document(node))
    except RecursionError:  # a chain of aliases, each below the one before
        raise yaml.YAMLError(f"it is nested deeper than {MOST_LEVELS} levels") from None
    finally:
        reader.dispose()
    return found


def _values(node: yaml.Node | None, known: dict[int, int]) -> int:
    """How many values a tree holds when its aliases are written out."""
    if node is None or isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = _WITHIN
        below = [
            part for item in node.value for part in (item if isinstance(item, tuple) else [item])
        ]
        known[id(node)] = 1 + sum(_values(part, known) for part in below)
    if known[id(node)] == _WITHIN:
        raise yaml.YAMLError("it refers to itself")
    return known[id(node)]
