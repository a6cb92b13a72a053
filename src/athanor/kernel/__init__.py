"""The ground floor: errors, ids, clock, database, storage, events, jobs, permissions, workers.

It knows no room above it; what it needs of them stands here as small ports.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from athanor.kernel.clock import Clock, SystemClock
    from athanor.kernel.database import Database, Instant, Json, metadata
    from athanor.kernel.errors import (
        AthanorError,
        Conflict,
        Forbidden,
        Internal,
        Invalid,
        NotFound,
        StorageFull,
        TookTooLong,
        TooLarge,
        TooManyRequests,
        Unauthorized,
        Unavailable,
        Unprocessable,
        error_from_dict,
        error_to_dict,
        nearest,
    )
    from athanor.kernel.events import Event, Events
    from athanor.kernel.gate import Gate, Verdict
    from athanor.kernel.ids import is_id, new_id
    from athanor.kernel.jobs import Job, Jobs
    from athanor.kernel.permissions import OWNER, SYSTEM, Access, Principal
    from athanor.kernel.projects import DEFAULT_PROJECT
    from athanor.kernel.redaction import redact
    from athanor.kernel.relation import Column, Relation, Scan
    from athanor.kernel.storage import Blob, Storage
    from athanor.kernel.transport import Answer, Transport

# Clients, commands and workers need the errors and nothing of the database: each name is loaded
# with the module it stands in, when it is asked for.
_HOMES = {
    "Access": "athanor.kernel.permissions",
    "Answer": "athanor.kernel.transport",
    "AthanorError": "athanor.kernel.errors",
    "Blob": "athanor.kernel.storage",
    "Clock": "athanor.kernel.clock",
    "Column": "athanor.kernel.relation",
    "Conflict": "athanor.kernel.errors",
    "DEFAULT_PROJECT": "athanor.kernel.projects",
    "Database": "athanor.kernel.database",
    "Event": "athanor.kernel.events",
    "Events": "athanor.kernel.events",
    "Forbidden": "athanor.kernel.errors",
    "Gate": "athanor.kernel.gate",
    "Instant": "athanor.kernel.database",
    "Internal": "athanor.kernel.errors",
    "Invalid": "athanor.kernel.errors",
    "Job": "athanor.kernel.jobs",
    "Jobs": "athanor.kernel.jobs",
    "Json": "athanor.kernel.database",
    "NotFound": "athanor.kernel.errors",
    "OWNER": "athanor.kernel.permissions",
    "Principal": "athanor.kernel.permissions",
    "Relation": "athanor.kernel.relation",
    "SYSTEM": "athanor.kernel.permissions",
    "Scan": "athanor.kernel.relation",
    "Storage": "athanor.kernel.storage",
    "StorageFull": "athanor.kernel.errors",
    "SystemClock": "athanor.kernel.clock",
    "TooLarge": "athanor.kernel.errors",
    "TooManyRequests": "athanor.kernel.errors",
    "TookTooLong": "athanor.kernel.errors",
    "Transport": "athanor.kernel.transport",
    "Unauthorized": "athanor.kernel.errors",
    "Unavailable": "athanor.kernel.errors",
    "Unprocessable": "athanor.kernel.errors",
    "Verdict": "athanor.kernel.gate",
    "error_from_dict": "athanor.kernel.errors",
    "error_to_dict": "athanor.kernel.errors",
    "is_id": "athanor.kernel.ids",
    "metadata": "athanor.kernel.database",
    "nearest": "athanor.kernel.errors",
    "new_id": "athanor.kernel.ids",
    "redact": "athanor.kernel.redaction",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value


__all__ = [
    "DEFAULT_PROJECT",
    "OWNER",
    "SYSTEM",
    "Access",
    "Answer",
    "AthanorError",
    "Blob",
    "Clock",
    "Column",
    "Conflict",
    "Database",
    "Event",
    "Events",
    "Forbidden",
    "Gate",
    "Instant",
    "Internal",
    "Invalid",
    "Job",
    "Jobs",
    "Json",
    "NotFound",
    "Principal",
    "Relation",
    "Scan",
    "Storage",
    "StorageFull",
    "SystemClock",
    "TooLarge",
    "TooManyRequests",
    "TookTooLong",
    "Transport",
    "Unauthorized",
    "Unavailable",
    "Unprocessable",
    "Verdict",
    "error_from_dict",
    "error_to_dict",
    "is_id",
    "metadata",
    "nearest",
    "new_id",
    "redact",
]
