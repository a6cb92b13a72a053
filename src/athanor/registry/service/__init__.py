"""The verbs of the registry."""

from athanor.registry.service.catalog import Catalog
from athanor.registry.service.intake import Intake
from athanor.registry.service.models import Models, folder_blob, held

__all__ = ["Catalog", "Intake", "Models", "folder_blob", "held"]
