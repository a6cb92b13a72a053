"""Experiments: the parameters and metrics that runs tell of themselves."""

from athanor.tracking.errors import BadKey, BatchTooLarge, ParamChanged
from athanor.tracking.service import Tracking
from athanor.tracking.store import SqlTrackingStore, TrackingStore
from athanor.tracking.types import Batch, Metric, NewMetric, Param

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
