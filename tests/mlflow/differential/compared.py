"""Where two servers answer the same request differently, and which differences are meant."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.mlflow.differential.asks import Ask, Reply, Side


@dataclass(frozen=True, slots=True)
class Difference:
    """One request with two answers."""

    ask: Ask
    ours: Reply
    theirs: Reply

    @property
    def sort(self) -> str:
        """What differences of the same cause have in common."""
        path = self.ask.path.split("\u27e6")[0]
        if "/mlflow-artifacts/" in path:
            path = "mlflow-artifacts"
        told = f"{self.ask.method} {path}: {_brief(self.ours)} here, {_brief(self.theirs)} there"
        if self.ours.status == self.theirs.status < 400:
            told += " at " + ", ".join(sorted(_places(self.ours.told, self.theirs.told)))[:200]
        return told

    def line(self) -> str:
        """All of it, as JSON."""
        ask = self.ask
        body = ask.body.decode() if isinstance(ask.body, bytes) else ask.body
        told = {
            "sort": self.sort,
            "ask": [ask.method, ask.path, list(ask.query), body],
            "ours": [self.ours.status, self.ours.code, self.ours.message, self.ours.told],
            "theirs": [self.theirs.status, self.theirs.code, self.theirs.message, self.theirs.told],
        }
        return json.dumps(told, default=str)


def compared(ours: Side, theirs: Side, episode: Iterable[Ask]) -> Iterator[Difference | None]:
    """Ask both everything. Ends where one did what the other refused: from there they differ."""
    ours.forget()
    theirs.forget()
    for ask in episode:
        here, there = ours.send(ask), theirs.send(ask)
        yield _judged(ask, here, there)
        if parted(ask, here, there):
            return


def replayed(ours: Side, episode: Iterable[Ask], told: Path) -> Iterator[Difference | None]:
    """As `compared`, with the answers that MLflow's server gave once."""
    ours.forget()
    with told.open(encoding="utf-8") as lines:
        for ask, line in zip(episode, lines, strict=False):
            yield _judged(ask, ours.send(ask), Reply(**json.loads(line)))


def record(ours: Side, theirs: Side, episode: Iterable[Ask], told: Path) -> None:
    """Write what MLflow's server answers, for `replayed`."""
    ours.forget()
    theirs.forget()
    with told.open("w", encoding="utf-8") as lines:
        for ask in episode:
            here, there = ours.send(ask), theirs.send(ask)
            lines.write(json.dumps(asdict(there)) + "\n")
            if parted(ask, here, there):
                return


def parted(ask: Ask, here: Reply, there: Reply) -> bool:
    """Whether from here on the two hold different things."""
    return (here.status < 400) != (there.status < 400) and ask.method != "GET"


def _judged(ask: Ask, here: Reply, there: Reply) -> Difference | None:
    alike = same(here, there) or is_meant(here, there)
    return None if alike else Difference(ask, here, there)


def same(here: Reply, there: Reply) -> bool:
    """Whether the answers are alike."""
    if here.status >= 400 or there.status >= 400:
        return (here.status, here.code) == (there.status, there.code) and here.status < 500
    return bool(here.told == there.told)


def is_meant(here: Reply, there: Reply) -> bool:
    """Whether they differ as they are meant to."""
    if here.status >= 500:
        return False
    if there.status >= 500 or any(word in there.message for word in _FELL):
        return True  # MLflow fails on it: ours refuses it, or does it
    if here.status == there.status and not there.code:
        return True  # refused in HTML
    if here.status == 400 and any(word in here.message for word in _NOT_DROPPED):
        return True
    if here.status == 404 and "model version source" in there.message:
        return True  # neither the model nor its source is right: which is told first
    return there.status == 400 and any(word in there.message for word in _STRICTER)


_FELL = ("sqlite3.", "psycopg2.")
_NOT_DROPPED = (
    "Hint: Value was of type",
    "Missing value for required parameter 'datasets[",
    "Missing value for required parameter 'models[",
    "Unknown model status",
    "for a view type",
    "for a run's status",
    "no valid Unicode",
    "The time is out of range",
    "exceeds the maximum length",
    "Invalid page token",
    "supplied: metric",
    "can't be a key of a logged model",
    "While parsing a list in the query",
    "Expected a number for",
    "Invalid path",
)
"""What MLflow takes by leaving out or cutting what does not fit, ours refuses, and says what."""
_STRICTER = (
    "request parameter must identify the resource",
    "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES",
)
"""Addresses that MLflow 3.17 refuses and releases before it took: ours keeps them, unread."""


def _brief(reply: Reply) -> str:
    return f"{reply.status} {reply.code}".strip()


def _places(here: Any, there: Any, at: str = "") -> Iterator[str]:
    if isinstance(here, dict) and isinstance(there, dict):
        for name in here.keys() | there.keys():
            if here.get(name) != there.get(name):
                yield from _places(here.get(name), there.get(name), f"{at}.{name}")
        return
    if isinstance(here, list) and isinstance(there, list):
        if len(here) != len(there):
            yield f"{at}[] count"
            return
        for one, other in zip(here, there, strict=True):
            if one != other:
                yield from _places(one, other, f"{at}[]")
        return
    yield at
