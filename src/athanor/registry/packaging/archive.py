"""skops files in one canonical form, so that one model gives one file, byte for byte.

skops names the nodes and the arrays of its archive after memory addresses, and zip archives keep
the time. Here both are renumbered in the order in which they are met, and members carry a fixed
time. Values (`JsonNode`) get a number each, since whether two equal strings are one object depends
on the interpreter's caches and not on the model.
"""

import io
import json
import zipfile
from typing import Any

from athanor.registry.logic.archives import write_member

_LEVEL = 1
"""Of compression: trees shrink to nearly the same size at a third of the time."""


class Members:
    """What skops asks of the zip file that it writes and reads, kept in memory as it is."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def writestr(self, name: str, content: bytes) -> None:
        """Keep a member."""
        self.contents[name] = bytes(content)

    def namelist(self) -> list[str]:
        """The members' names."""
        return list(self.contents)

    def read(self, name: str) -> bytes:
        """A member's content."""
        return self.contents[name]


def canonical(schema: dict[str, Any], members: Members) -> bytes:
    """A skops archive with stable names, numbers and times.

    `schema` is what skops writes as `schema.json`, read again from JSON.
    """
    names = _Renumbering(members.contents)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as written:
        schema_text = json.dumps(names.walk(schema), sort_keys=True).encode()
        write_member(written, "schema.json", schema_text, level=_LEVEL)
        for name, content in names.members():
            write_member(written, name, content, level=_LEVEL)
    return target.getvalue()


class _Renumbering:
    """Numbers nodes and files in the order of a walk over the schema."""

    def __init__(self, members: dict[str, bytes]) -> None:
        self._members = members
        self._ids: dict[int, int] = {}
        self._files: dict[str, str] = {}
        self._next = 0

    def walk(self, node: object) -> object:
        if isinstance(node, list):
            return [self.walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        walked: dict[str, object] = {
            key: self.walk(value) for key, value in node.items() if key != "__id__"
        }
        if "__id__" in node:
            walked["__id__"] = self._number(node["__id__"], shared=not node.get("is_json", False))
        if isinstance(node.get("file"), str) and node["file"] in self._members:
            walked["file"] = self._file(node["file"])
        return walked

    def members(self) -> list[tuple[str, bytes]]:
        """New names and contents, in the order of the new names."""
        return [(new, self._members[old]) for old, new in self._files.items()]

    def _number(self, old: int, *, shared: bool) -> int:
        if shared and old in self._ids:
            return self._ids[old]
        self._next += 1
        if shared:
            self._ids[old] = self._next
        return self._next

    def _file(self, old: str) -> str:
        suffix = old.rsplit(".", 1)[-1]
        return self._files.setdefault(old, f"{len(self._files):06d}.{suffix}")
