"""Which files a local Delta table consists of now, read from its log without any library.

The Delta protocol: `_delta_log/<20 digits>.json` holds the actions of one version, one JSON object
a line. `add` and `remove` name data files, `txn` an application's own transaction. Reading goes on
where the last one ended; a log whose beginning was cleaned away is left to the library.
"""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import orjson


@dataclass(slots=True)
class DeltaState:
    """A table at one version."""

    version: int = -1
    """-1 where the table does not exist."""
    files: dict[str, None] = field(default_factory=dict)
    """Data files relative to the table's folder, oldest first."""
    transactions: dict[str, int] = field(default_factory=dict)
    """The version that each application transaction id reached."""


class LogCleaned(Exception):
    """The log's first versions are no longer there as JSON."""


def advance(table: Path, state: DeltaState) -> DeltaState:
    """Bring the state up to the table's newest version; it is changed and returned.

    Raises: LogCleaned.
    """
    log = table / "_delta_log"
    while True:
        path = log / f"{state.version + 1:020d}.json"
        try:
            actions = path.read_bytes().splitlines()
        except FileNotFoundError:
            if state.version < 0 and any(log.glob("*.json")):
                raise LogCleaned(str(log)) from None
            return state
        for text in actions:
            _apply(state, orjson.loads(text))
        state.version += 1


def _apply(state: DeltaState, action: dict[str, dict[str, object]]) -> None:
    if "add" in action:
        state.files[unquote(str(action["add"]["path"]))] = None
    elif "remove" in action:
        state.files.pop(unquote(str(action["remove"]["path"])), None)
    elif "txn" in action:
        state.transactions[str(action["txn"]["appId"])] = int(str(action["txn"]["version"]))
