"""The verbs of the registry."""

from athanor.registry.intake import Intake, files_of
from athanor.registry.service.catalog import Catalog, canonical_stage, check_tags
from athanor.registry.service.deliveries import Deliveries
from athanor.registry.service.models import Models, held
from athanor.registry.service.webhooks import Webhooks

__all__ = [
    "Catalog",
    "Deliveries",
    "Intake",
    "Models",
    "Webhooks",
    "canonical_stage",
    "check_tags",
    "files_of",
    "held",
]
