"""The verbs of serving."""

from athanor.serving.service.endpoints import Endpoints, Neighbours
from athanor.serving.service.operation import DeployOperation
from athanor.serving.service.traffic import Traffic

__all__ = ["DeployOperation", "Endpoints", "Neighbours", "Traffic"]
