"""What the registry keeps in the metadata database."""

from athanor.registry.store.models import ModelStore, SqlModelStore

__all__ = ["ModelStore", "SqlModelStore"]
