"""Where the data room keeps what it knows."""

from athanor.data.store.datasets import DataStore, SqlDataStore, SqlWatchStore, WatchStore

__all__ = ["DataStore", "SqlDataStore", "SqlWatchStore", "WatchStore"]
