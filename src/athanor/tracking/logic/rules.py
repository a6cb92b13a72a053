"""What may be logged: keys, lengths and numbers, with the words that MLflow's clients match."""

import json
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from urllib.parse import unquote, urlsplit

from athanor.tracking.errors import BadKey, BatchTooLarge, Unloggable
from athanor.tracking.types import KeyedPoint

METRICS = 1000
PARAMS = 100
TAGS = 100
ENTITIES = 1000
"""Metrics, parameters and tags of a batch together."""
KEY = 250
PARAM_VALUE = 6000
TAG_VALUE = 8000
EXPERIMENT_NAME = 500
EXPERIMENT_TAG_VALUE = 20_000
LOCATION = 2048
LAST_MOMENT = 9_223_372_036_854_775
"""Milliseconds since 1970 whose microseconds still fit 64 bits."""

_KEY = re.compile(r"[/\w.\- :]*")
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")
_CHARACTERS = (
    "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.),"
    " spaces ( ), colon(:) and slashes (/)."
)
_SHOWN = 500
_KEY_OF, _AT = itemgetter(0), itemgetter(1)


def unfit(path: str, value: object, why: str = "") -> Unloggable:
    """The refusal of a value, in MLflow's words."""
    shown = json.dumps(value, separators=(",", ":"))
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return Unloggable(
        f"Invalid value {shown} for parameter '{path}' supplied" + (f": {why}" if why else ".")
    )


@lru_cache(maxsize=65536)
def _wrong_with(key: str) -> str:
    """Why a text can't be a key, or "" if it can."""
    if not _KEY.fullmatch(key):
        return _CHARACTERS
    norm = posixpath.normpath(key)
    if norm != key or norm == "." or norm.startswith(("..", "/")):
        return (
            "Names may be treated as files in certain cases, and must not resolve to other names"
            f" when treated as such. This name would resolve to {norm!r}"
        )
    return ""


def check_key(key: str, path: str, named: str) -> None:
    """Refuse what can't be a key; `path` and `named` say in errors which one it is.

    Raises: BadKey.
    """
    why = _wrong_with(key) if len(key) <= _SHOWN else ""
    if why:
        raise BadKey(unfit(path, key, why).message)
    if len(key) > KEY:
        raise BadKey(f"'{named}' exceeds the maximum length of {KEY} characters")


def check_points(points: Sequence[KeyedPoint], *, single: bool = False) -> None:
    """Refuse points whose keys or times can't be kept.

    Raises: BadKey, Unloggable.
    """
    sound = True
    for key in set(map(_KEY_OF, points)):
        if len(key) > KEY or _wrong_with(key):
            sound = False
    if sound and min(map(_AT, points), default=0) >= 0:
        return
    for index, (key, at, _step, value) in enumerate(points):
        if at < 0:
            path = "timestamp" if single else f"metrics[{index}].timestamp"
            why = (
                f"metric '{key}' (value={value}). "
                "Timestamp must be a nonnegative long (64-bit integer) "
            )
            raise unfit(path, at // 1000, why)
        if len(key) > KEY or _wrong_with(key):
            check_key(key, "name" if single else f"metrics[{index}].name", "Metric name")


def check_time(milliseconds: int, path: str) -> None:
    """Refuse a moment that no clock shows.

    Raises: Unloggable.
    """
    if not -LAST_MOMENT <= milliseconds <= LAST_MOMENT:
        raise unfit(path, milliseconds, "The time is out of range.")


def checked_params(params: Iterable[tuple[str, str]], *, single: bool = False) -> dict[str, str]:
    """Parameters by key, values cut to what is kept.

    Raises: BadKey; Unloggable where a key comes twice.
    """
    kept: dict[str, str] = {}
    twice = []
    for index, (key, value) in enumerate(params):
        check_key(key, "key" if single else f"params[{index}].key", "Param key")
        if key in kept:
            twice.append(key)
        kept[key] = value[:PARAM_VALUE]
    if twice:
        raise Unloggable(
            f"Duplicate parameter keys have been submitted: {twice}. Please ensure "
            "the request contains only one param value per param key."
        )
    return kept


def checked_tags(tags: Iterable[tuple[str, str]], *, single: bool = False) -> dict[str, str]:
    """Tags by key, the last one of each, values cut to what is kept.

    Raises: BadKey.
    """
    kept: dict[str, str] = {}
    for index, (key, value) in enumerate(tags):
        path = "key" if single else f"tags[{index}].key"
        check_key(key, path, path)
        kept[key] = value[:TAG_VALUE]
    return kept


def first_tags(tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The tags that a run begins with: as in MLflow, their keys may be any text that fits.

    Raises: BadKey.
    """
    kept: dict[str, str] = {}
    for index, (key, value) in enumerate(tags):
        if not key or len(key) > KEY:
            check_key(key, f"tags[{index}].key", f"tags[{index}].key")
        kept[key] = value[:TAG_VALUE]
    return kept


def check_sizes(metrics: int, params: int, tags: int) -> None:
    """Refuse a batch that is too large.

    Raises: BatchTooLarge.
    """
    for what, count, limit in (
        ("metrics", metrics, METRICS),
        ("params", params, PARAMS),
        ("tags", tags, TAGS),
        ("metrics, params, and tags", metrics + params + tags, ENTITIES),
    ):
        if count > limit:
            raise BatchTooLarge(what, count, limit)


def check_run_id(run_id: str) -> None:
    """Refuse what can't be a run's id.

    Raises: Unloggable.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise unfit("run_id", run_id)


def experiment_id(given: str) -> str:
    """An experiment's id in its one form.

    Raises: Unloggable where it is no number.
    """
    if not given.strip().lstrip("+-").isascii() or not given.strip().lstrip("+-").isdigit():
        raise Unloggable(
            f"Invalid experiment ID '{given[:100]}'. Experiment ID must be a valid integer."
        )
    return given.strip().lstrip("+").lstrip("0") or "0"


def check_experiment_name(name: str) -> None:
    """Refuse what can't name an experiment.

    Raises: Unloggable.
    """
    if not name:
        raise Unloggable(f"Invalid experiment name: '{name}'")
    if len(name) > EXPERIMENT_NAME:
        raise Unloggable(f"'name' exceeds the maximum length of {EXPERIMENT_NAME} characters")


def check_experiment_tags(tags: Mapping[str, str]) -> None:
    """Refuse tags that an experiment can't have.

    Raises: BadKey, Unloggable.
    """
    for key, value in tags.items():
        check_key(key, "key", "key")
        if len(value) > EXPERIMENT_TAG_VALUE:
            raise Unloggable(
                f"'value' exceeds the maximum length of {EXPERIMENT_TAG_VALUE} characters"
            )


def check_location(location: str) -> None:
    """Refuse a place that can't hold artifacts.

    Raises: Unloggable.
    """
    parts = urlsplit(location)
    if parts.fragment or ";" in parts.path:
        raise Unloggable("'artifact_location' URL can't include fragments or params.")
    if ".." in decoded(parts.query):
        raise Unloggable("Invalid query string")
    if location.startswith("runs:"):
        raise Unloggable(f"Artifact location cannot be a runs:/ URI. Given: '{location[:_SHOWN]}'")
    if len(location) > LOCATION:
        raise Unloggable(
            "Invalid artifact path length. The length of the artifact path cannot be "
            f"greater than {LOCATION} characters."
        )


def decoded(text: str) -> str:
    """A text of a URL, decoded until nothing is left to decode."""
    while (plain := unquote(text)) != text:
        text = plain
    return text
