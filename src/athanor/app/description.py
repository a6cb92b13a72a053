"""The API's description as a file: `python -m athanor.app.description openapi.json`.

The TypeScript client is made from it, and a test holds that it is current.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from athanor.app.api import make_app
from athanor.app.doors import Doors
from athanor.app.house import House
from athanor.kernel.settings import Settings


def describe() -> dict[str, Any]:
    """The OpenAPI 3.1 description of every room's routes."""
    with tempfile.TemporaryDirectory(prefix="athanor-") as folder:
        house = House.open(Settings(workspace=Path(folder)), serving=False)
        try:
            return make_app(house, Doors(loopback=True, token="")).openapi()
        finally:
            house.close()


def as_text(description: dict[str, Any]) -> str:
    """The same description is the same text, so that a change shows what changed."""
    return json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(as_text(describe()), "utf-8")
