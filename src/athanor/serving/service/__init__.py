"""The verbs of serving."""

from athanor.serving.service.endpoints import Endpoints, Neighbours
from athanor.serving.service.offers import operations, resolvers
from athanor.serving.service.traffic import Traffic

__all__ = ["Endpoints", "Neighbours", "Traffic", "operations", "resolvers"]
