"""The verbs of serving."""

from athanor.serving.service.deployments import Deployments, Parts
from athanor.serving.service.endpoints import Endpoints, Neighbours
from athanor.serving.service.graphs import GraphParts, Graphs
from athanor.serving.service.offers import operations, resolvers
from athanor.serving.service.recording import Recording
from athanor.serving.service.traffic import Traffic

__all__ = [
    "Deployments",
    "Endpoints",
    "GraphParts",
    "Graphs",
    "Neighbours",
    "Parts",
    "Recording",
    "Traffic",
    "operations",
    "resolvers",
]
