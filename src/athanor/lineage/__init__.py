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
    from athanor.lineage.logic.folders import (
        Part,
        digest_of_model,
        file_digest,
        folder_digest,
        model_description,
    )
    from athanor.lineage.ports import (
        LongOperation,
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
        RunAmendment,
        RunEnd,
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
        "LongOperation": "ports",
        "Materializer": "ports",
        "NewArtifact": "types",
        "NewRun": "types",
        "Node": "types",
        "Operation": "ports",
        "OperationCall": "ports",
        "OperationResult": "ports",
        "Part": "logic.folders",
        "Resolver": "ports",
        "Run": "types",
        "RunAmendment": "types",
        "RunEnd": "types",
        "RunEnded": "errors",
        "RunFilter": "types",
        "RunNotFound": "errors",
        "RunState": "types",
        "SqlLineageStore": "store",
        "digest_of_model": "logic.folders",
        "file_digest": "logic.folders",
        "folder_digest": "logic.folders",
        "model_description": "logic.folders",
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
    "LongOperation",
    "Materializer",
    "NewArtifact",
    "NewRun",
    "Node",
    "Operation",
    "OperationCall",
    "OperationResult",
    "Part",
    "Resolver",
    "Run",
    "RunAmendment",
    "RunEnd",
    "RunEnded",
    "RunFilter",
    "RunNotFound",
    "RunState",
    "SqlLineageStore",
    "digest_of_model",
    "file_digest",
    "folder_digest",
    "model_description",
]
