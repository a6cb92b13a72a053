"""The ground floor: errors, ids, clock, database, storage, events, jobs, permissions, workers.

It knows no room above it; what it needs of them stands here as small ports.
"""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.kernel.clock import (
        Clock,
        SystemClock,
    )
    from athanor.kernel.database import (
        Database,
        Instant,
        Json,
        metadata,
    )
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
    from athanor.kernel.events import (
        Event,
        Events,
        Happening,
    )
    from athanor.kernel.gate import (
        Gate,
        Verdict,
    )
    from athanor.kernel.ids import (
        is_id,
        new_id,
    )
    from athanor.kernel.jobs import (
        Job,
        Jobs,
    )
    from athanor.kernel.permissions import (
        OWNER,
        SYSTEM,
        Access,
        Principal,
    )
    from athanor.kernel.projects import (
        DEFAULT_PROJECT,
    )
    from athanor.kernel.redaction import (
        redact,
    )
    from athanor.kernel.relation import (
        Column,
        Relation,
        Scan,
    )
    from athanor.kernel.storage import (
        Blob,
        Storage,
    )
    from athanor.kernel.transport import (
        Answer,
        Transport,
    )

__getattr__ = lazily(
    __name__,
    {
        "Access": "permissions",
        "Answer": "transport",
        "AthanorError": "errors",
        "Blob": "storage",
        "Clock": "clock",
        "Column": "relation",
        "Conflict": "errors",
        "DEFAULT_PROJECT": "projects",
        "Database": "database",
        "Event": "events",
        "Events": "events",
        "Forbidden": "errors",
        "Gate": "gate",
        "Happening": "events",
        "Instant": "database",
        "Internal": "errors",
        "Invalid": "errors",
        "Job": "jobs",
        "Jobs": "jobs",
        "Json": "database",
        "NotFound": "errors",
        "OWNER": "permissions",
        "Principal": "permissions",
        "Relation": "relation",
        "SYSTEM": "permissions",
        "Scan": "relation",
        "Storage": "storage",
        "StorageFull": "errors",
        "SystemClock": "clock",
        "TooLarge": "errors",
        "TooManyRequests": "errors",
        "TookTooLong": "errors",
        "Transport": "transport",
        "Unauthorized": "errors",
        "Unavailable": "errors",
        "Unprocessable": "errors",
        "Verdict": "gate",
        "error_from_dict": "errors",
        "error_to_dict": "errors",
        "is_id": "ids",
        "metadata": "database",
        "nearest": "errors",
        "new_id": "ids",
        "redact": "redaction",
    },
)

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
    "Happening",
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
