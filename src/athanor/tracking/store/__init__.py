"""Where tracking keeps what it knows."""

from athanor.tracking.store.experiments import ExperimentStore, SqlExperimentStore
from athanor.tracking.store.runs import SqlTrackedRunStore, TrackedRunStore
from athanor.tracking.store.search import RunSearch

__all__ = [
    "ExperimentStore",
    "RunSearch",
    "SqlExperimentStore",
    "SqlTrackedRunStore",
    "TrackedRunStore",
]
