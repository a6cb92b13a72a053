"""Where runs, tasks, the cache and triggers are kept."""

from athanor.pipelines.store.runs import CacheEntry, Ordered, RunStore, SqlRunStore
from athanor.pipelines.store.triggers import SqlTriggerStore, TriggerStore

__all__ = [
    "CacheEntry",
    "Ordered",
    "RunStore",
    "SqlRunStore",
    "SqlTriggerStore",
    "TriggerStore",
]
