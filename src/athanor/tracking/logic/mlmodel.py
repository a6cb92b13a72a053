"""What an MLmodel file says of its model, as far as the lineage tells of it."""

import json
from typing import Any, TypeGuard


def described(said: dict[str, Any] | None) -> dict[str, Any]:
    """The metadata of a model artifact: flavor, inputs and, of our own models, their target.

    What can't be read is left out: a model is kept, whatever its description says.
    """
    if said is None:
        return {}
    flavors = said.get("flavors")
    names = [name for name in flavors if name != "python_function"] if _is_map(flavors) else []
    found: dict[str, Any] = {
        "flavor": str(names[0]) if names else "python_function",
        "inputs": _inputs(said.get("signature")),
        "target": "",
        "task": "",
    }
    metadata = said.get("metadata")
    ours = metadata.get("athanor") if _is_map(metadata) else None
    if _is_map(ours):
        found |= {
            key: ours[key] for key in ("target", "task", "classes", "positive") if key in ours
        }
    return found


def _inputs(signature: Any) -> list[dict[str, Any]]:
    told = signature.get("inputs") if _is_map(signature) else None
    try:
        columns = json.loads(told) if isinstance(told, str) else []
    except ValueError:
        columns = []
    return [
        {
            "name": str(column["name"]),
            "type": str(column["type"]),
            "required": column.get("required") is not False,
        }
        for column in columns
        if _is_map(column) and isinstance(column.get("type"), str) and "name" in column
    ]


def _is_map(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)
