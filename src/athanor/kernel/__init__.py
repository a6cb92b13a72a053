"""The ground floor: errors, ids, clock, database, storage, events, jobs, permissions, workers.

It knows no room above it; what it needs of them stands here as small ports.
"""

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
from athanor.kernel.events import DEFAULT_PROJECT, Event, Events
from athanor.kernel.gate import Gate, Verdict
from athanor.kernel.ids import is_id, new_id
from athanor.kernel.jobs import Job, Jobs
from athanor.kernel.permissions import OWNER, SYSTEM, Access, Principal
from athanor.kernel.redaction import redact
from athanor.kernel.relation import Column, Relation, Scan
from athanor.kernel.storage import Blob, Storage
from athanor.kernel.transport import Answer, Transport

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
