"""What serving offers to rooms below it: references to artifacts, and steps of pipelines."""

import hashlib
from dataclasses import replace

import msgspec

from athanor.kernel.database import Database
from athanor.kernel.permissions import Principal
from athanor.lineage import Artifact, Lineage, NewArtifact, Operation, Resolver
from athanor.serving.service.endpoints import Endpoints
from athanor.serving.service.operation import DeployOperation
from athanor.serving.types import Prediction, SnapshotRequest


def operations(endpoints: Endpoints) -> dict[str, Operation]:
    """The platform steps of this room, by name."""
    return {DeployOperation.name: DeployOperation(endpoints)}


def resolvers(endpoints: Endpoints, lineage: Lineage, database: Database) -> dict[str, Resolver]:
    """What finds the artifacts behind references, by kind.

    `prediction:<id>` is an artifact whose trace leads over its deployment to the model and on to
    the raw data. `labelled:<endpoint>` is a table, made now, of the rows that have labels.
    """

    def prediction(who: Principal, rest: str) -> Artifact:
        found = endpoints.prediction(who, rest)
        with database.transaction():
            artifact = lineage.record(who, _artifact_of(found))
            lineage.produced(who, found.deployment, artifact.id, "prediction")
        return artifact

    def labelled(who: Principal, rest: str) -> Artifact:
        return endpoints.snapshot(who, rest, SnapshotRequest())

    return {"prediction": prediction, "labelled": labelled}


def _artifact_of(found: Prediction) -> NewArtifact:
    content = msgspec.json.encode(replace(found, truth=None))
    return NewArtifact(
        id=found.id,
        type="prediction",
        name=f"{found.endpoint}/{found.id}",
        uri=f"prediction:{found.id}",
        digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
        size=len(content),
        metadata={
            "endpoint": found.endpoint,
            "deployment": found.deployment,
            "model": found.model,
            "version": found.version,
            "predicted_at": found.predicted_at.isoformat(),
        },
    )
