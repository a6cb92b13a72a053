"""Experiments: the parameters and metrics that runs tell of themselves."""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.tracking.errors import (
        BadKey,
        BatchTooLarge,
        ParamChanged,
    )
    from athanor.tracking.service import (
        Tracking,
    )
    from athanor.tracking.store import (
        SqlTrackingStore,
        TrackingStore,
    )
    from athanor.tracking.types import (
        Batch,
        Metric,
        NewMetric,
        Param,
    )

__getattr__ = lazily(
    __name__,
    {
        "BadKey": "errors",
        "Batch": "types",
        "BatchTooLarge": "errors",
        "Metric": "types",
        "NewMetric": "types",
        "Param": "types",
        "ParamChanged": "errors",
        "SqlTrackingStore": "store",
        "Tracking": "service",
        "TrackingStore": "store",
    },
)

__all__ = [
    "BadKey",
    "Batch",
    "BatchTooLarge",
    "Metric",
    "NewMetric",
    "Param",
    "ParamChanged",
    "SqlTrackingStore",
    "Tracking",
    "TrackingStore",
]
