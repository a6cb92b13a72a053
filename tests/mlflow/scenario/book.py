"""The book in which a chapter writes what it asked, what it saw and what was right."""

import json
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

# What differs from server to server and says nothing: ids.
_IDS = re.compile(r"\b(?:m-)?[0-9a-f]{32}\b|(?<=mlflow-artifacts:/)[0-9]+(?=/)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One assertion. `seen` has no ids, times or addresses: two servers must show the same."""

    chapter: str
    what: str
    seen: Any
    expected: Any

    @property
    def right(self) -> bool:
        """Whether the server answered as it should."""
        return bool(self.seen == self.expected)


class Book:
    """Collects the entries of all chapters, and carries what chapters share."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.client = MlflowClient()
        self.entries: list[Entry] = []
        self._chapter = ""
        self._experiments = 0

    def experiment(self, name: str = "") -> str:
        """A new, empty experiment; its id."""
        self._experiments += 1
        return self.client.create_experiment(f"{name or self._chapter} {self._experiments}")

    @contextmanager
    def chapter(self, name: str) -> Iterator[None]:
        """Everything written inside belongs to that chapter."""
        self._chapter = name
        yield

    def scene(self, play: Callable[["Book"], None]) -> None:
        """Play one scene; what it raises is an answer that is wrong."""
        try:
            play(self)
        except Exception:  # noqa: BLE001 - written down with its traceback, the next scene goes on
            self.same(f"{play.__name__} ends", "".join(traceback.format_exc(limit=-3)), "well")
        else:
            self.same(f"{play.__name__} ends", "well", "well")

    def same(self, what: str, seen: Any, expected: Any) -> None:
        """Write down that `seen` must equal `expected`."""
        self.entries.append(
            Entry(chapter=self._chapter, what=what, seen=_plain(seen), expected=_plain(expected))
        )

    def holds(self, what: str, fact: object) -> None:
        """Write down that something must be true."""
        self.same(what, bool(fact), True)

    def refused(self, what: str, code: str, call: Callable[[], object], message: str = "") -> None:
        """Write down that a call must fail with this code and this piece of a message."""
        try:
            call()
        except MlflowException as refusal:
            text = str(refusal.message)
            seen = [refusal.error_code, message if message.lower() in text.lower() else text]
        else:
            seen = ["answered", ""]
        self.same(what, seen, [code, message])

    def save(self, path: Path) -> None:
        """Write all entries as JSON."""
        rows = [{**asdict(entry), "right": entry.right} for entry in self.entries]
        path.write_text(json.dumps(rows, indent=1, sort_keys=True), encoding="utf-8")


def _plain(value: Any) -> Any:
    """The value as JSON has it, with ids blanked."""
    text = json.dumps(value, sort_keys=True, default=str)
    return json.loads(_IDS.sub("<id>", text))
