"""The registry's verbs over a transport."""

from athanor.registry.client.cards import CardsClient
from athanor.registry.client.catalog import CatalogClient
from athanor.registry.client.exchange import ExchangeClient
from athanor.registry.client.models import ModelsClient
from athanor.registry.client.promotions import PromotionsClient
from athanor.registry.client.safety import SafetyClient
from athanor.registry.client.transfers import ModelTransfersClient
from athanor.registry.client.webhooks import WebhooksClient

__all__ = [
    "CardsClient",
    "CatalogClient",
    "ExchangeClient",
    "ModelTransfersClient",
    "ModelsClient",
    "PromotionsClient",
    "SafetyClient",
    "WebhooksClient",
]
