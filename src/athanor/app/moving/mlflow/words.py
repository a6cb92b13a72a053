"""MLflow's words in ours: states, times, the number of a stage."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from athanor.lineage import RunState

STATES: dict[str, RunState] = {
    "RUNNING": "running",
    "SCHEDULED": "waiting",
    "FINISHED": "done",
    "FAILED": "failed",
    "KILLED": "stopped",
}
"""A run's status by its name."""

STATE_NUMBERS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
"""File stores keep a status by its number."""

STATUSES: dict[RunState, str] = {
    "running": "RUNNING",
    "waiting": "SCHEDULED",
    "done": "FINISHED",
    "cached": "FINISHED",
    "skipped": "FINISHED",
    "failed": "FAILED",
    "stopped": "KILLED",
}

ModelStatus = Literal["pending", "ready", "failed"]
MODEL_STATUSES: dict[object, ModelStatus] = {
    1: "pending",
    2: "ready",
    3: "failed",
    "PENDING": "pending",
    "READY": "ready",
    "FAILED": "failed",
    "LOGGED_MODEL_PENDING": "pending",
    "LOGGED_MODEL_READY": "ready",
    "LOGGED_MODEL_UPLOAD_FAILED": "failed",
}
MODEL_STATUS_NUMBERS: dict[ModelStatus, int] = {"pending": 1, "ready": 2, "failed": 3}

GONE = "Deleted_Internal"
"""The stage by which MLflow's own stores mark a deleted version, so that its number stays taken."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999


def instant(milliseconds: object) -> datetime | None:
    """The moment that a store's milliseconds since 1970 tell; None stays None.

    What lies outside of the years 1 to 9999 becomes the nearest moment inside.
    """
    if milliseconds is None or milliseconds == "":
        return None
    held = min(max(int(str(milliseconds)), _FIRST), _LAST)
    return _EPOCH + timedelta(milliseconds=held)


def milliseconds(moment: datetime | None) -> int | None:
    """Whole milliseconds since 1970."""
    return None if moment is None else (moment - _EPOCH) // timedelta(milliseconds=1)


def microseconds(stamp: int) -> int:
    """A point's milliseconds since 1970 in microseconds, held within 64 bits."""
    return min(max(stamp, _FIRST), _LAST) * 1000


def lifecycle(text: object) -> Literal["active", "deleted"]:
    """A lifecycle stage; older stores leave it empty, which is active."""
    return "deleted" if text == "deleted" else "active"
