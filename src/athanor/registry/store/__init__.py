"""What the registry keeps in the metadata database."""

from athanor.registry.store.catalog import CatalogStore, SqlCatalogStore
from athanor.registry.store.models import ModelStore, SqlModelStore

__all__ = ["CatalogStore", "ModelStore", "SqlCatalogStore", "SqlModelStore"]
