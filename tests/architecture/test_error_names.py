"""An error's name is its code on the wire: no two errors share one."""

import ast
from collections import defaultdict
from pathlib import Path

SRC = Path(__file__).resolve().parents[2] / "src" / "athanor"


def test_no_two_errors_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SRC.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and _is_error(node):
                places[node.name].append(str(path.relative_to(SRC)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def _is_error(node: ast.ClassDef) -> bool:
    """Whether its own base is a kind of the kernel's, or another named failure."""
    kinds = {
        *("AthanorError", "Invalid", "Unauthorized", "Forbidden", "NotFound", "Conflict"),
        *("TooLarge", "Unprocessable", "TooManyRequests", "Internal", "Unavailable"),
        *("TookTooLong", "StorageFull"),
    }
    return any(isinstance(base, ast.Name) and base.id in kinds for base in node.bases)
