"""The registry's verbs over a transport."""

from athanor.registry.client.models import ModelsClient

__all__ = ["ModelsClient"]
