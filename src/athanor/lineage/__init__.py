"""Runs, artifacts and the edges between them: the one graph of the house."""

from athanor.lineage.errors import ArtifactNotFound, BadReference, RunEnded, RunNotFound
from athanor.lineage.ports import (
    Materializer,
    Operation,
    OperationCall,
    OperationResult,
    Resolver,
)
from athanor.lineage.service import Lineage
from athanor.lineage.store import LineageStore, SqlLineageStore
from athanor.lineage.types import (
    ENDED,
    Artifact,
    Direction,
    Edge,
    Graph,
    Link,
    NewArtifact,
    NewRun,
    Node,
    Run,
    RunFilter,
    RunState,
)

__all__ = [
    "ENDED",
    "Artifact",
    "ArtifactNotFound",
    "BadReference",
    "Direction",
    "Edge",
    "Graph",
    "Lineage",
    "LineageStore",
    "Link",
    "Materializer",
    "NewArtifact",
    "NewRun",
    "Node",
    "Operation",
    "OperationCall",
    "OperationResult",
    "Resolver",
    "Run",
    "RunEnded",
    "RunFilter",
    "RunNotFound",
    "RunState",
    "SqlLineageStore",
]
