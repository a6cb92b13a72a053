"""The verbs of the registry."""

from athanor.registry.service.models import Models, folder_blob, held

__all__ = ["Models", "folder_blob", "held"]
