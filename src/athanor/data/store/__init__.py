"""Where the data room keeps what it knows."""

from athanor.data.store.datasets import DataStore, SqlDataStore, SqlWatchStore, WatchStore
from athanor.data.store.marks import MarkStore, SqlMarkStore

__all__ = ["DataStore", "MarkStore", "SqlDataStore", "SqlMarkStore", "SqlWatchStore", "WatchStore"]
