"""Runs, artifacts and the edges between them: the one graph of the house."""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.lineage.errors import (
        ArtifactNotFound,
        BadReference,
        RunEnded,
        RunNotFound,
    )
    from athanor.lineage.ports import (
        Materializer,
        Operation,
        OperationCall,
        OperationResult,
        Resolver,
    )
    from athanor.lineage.service import (
        Lineage,
    )
    from athanor.lineage.store import (
        LineageStore,
        SqlLineageStore,
    )
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

__getattr__ = lazily(
    __name__,
    {
        "Artifact": "types",
        "ArtifactNotFound": "errors",
        "BadReference": "errors",
        "Direction": "types",
        "ENDED": "types",
        "Edge": "types",
        "Graph": "types",
        "Lineage": "service",
        "LineageStore": "store",
        "Link": "types",
        "Materializer": "ports",
        "NewArtifact": "types",
        "NewRun": "types",
        "Node": "types",
        "Operation": "ports",
        "OperationCall": "ports",
        "OperationResult": "ports",
        "Resolver": "ports",
        "Run": "types",
        "RunEnded": "errors",
        "RunFilter": "types",
        "RunNotFound": "errors",
        "RunState": "types",
        "SqlLineageStore": "store",
    },
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
