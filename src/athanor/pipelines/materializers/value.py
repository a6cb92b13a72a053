"""JSON values as artifacts."""

import builtins
import hashlib
import json
from pathlib import Path
from typing import Any

_FILE = "value.json"


class ValueMaterializer:
    """Texts, numbers, booleans, lists and mappings."""

    type = "value"

    def handles(self, python_type: builtins.type) -> bool:
        """What JSON can say."""
        return issubclass(python_type, str | int | float | bool | list | dict | type(None))

    def save(self, value: object, folder: Path) -> dict[str, Any]:
        """Write it as JSON. Raises: TypeError, ValueError for what JSON can't say."""
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
        (folder / _FILE).write_text(text, "utf-8")
        return {"file": _FILE}

    def load(self, folder: Path, metadata: dict[str, Any], python_type: builtins.type) -> object:  # noqa: ARG002 - the port's
        """Read it."""
        return json.loads((folder / str(metadata.get("file", _FILE))).read_text("utf-8"))

    def digest(self, folder: Path) -> str:
        """The digest of its canonical JSON."""
        text = (folder / _FILE).read_bytes()
        return f"sha256:{hashlib.sha256(text).hexdigest()}"
