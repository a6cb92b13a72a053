"""What the registry keeps in the metadata database."""

from athanor.registry.store.catalog import CatalogStore, SqlCatalogStore
from athanor.registry.store.models import ModelStore, SqlModelStore
from athanor.registry.store.search import SearchStore, SqlSearchStore, Wanted
from athanor.registry.store.transfers import SqlTransferStore, TransferStore
from athanor.registry.store.webhooks import SqlWebhookStore, WebhookStore

__all__ = [
    "CatalogStore",
    "ModelStore",
    "SearchStore",
    "SqlCatalogStore",
    "SqlModelStore",
    "SqlSearchStore",
    "SqlTransferStore",
    "SqlWebhookStore",
    "TransferStore",
    "Wanted",
    "WebhookStore",
]
