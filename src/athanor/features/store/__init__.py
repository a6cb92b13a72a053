"""Where definitions, versions, pushes, training sets and online rows are kept."""

from athanor.features.store.definitions import DefinitionStore, SqlDefinitionStore
from athanor.features.store.history import HistoryStore, SqlHistoryStore
from athanor.features.store.online import OnlineStore, SqlOnlineStore

__all__ = [
    "DefinitionStore",
    "HistoryStore",
    "OnlineStore",
    "SqlDefinitionStore",
    "SqlHistoryStore",
    "SqlOnlineStore",
]
