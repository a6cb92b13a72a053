"""The nouns of serving.

Those of endpoints are loaded when one is first used: batches and tickets need none of them.
"""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.serving.types.endpoints import (
        DEFAULT_PROJECT,
        RUNNING,
        Canary,
        CanaryPlan,
        CanaryStep,
        Deploy,
        Deployment,
        DeploymentState,
        Endpoint,
        InputColumn,
        LabelsReceived,
        NewLabel,
        Prediction,
        PredictionQuery,
        Signature,
        SnapshotRequest,
    )

__all__ = [
    "DEFAULT_PROJECT",
    "RUNNING",
    "Canary",
    "CanaryPlan",
    "CanaryStep",
    "Deploy",
    "Deployment",
    "DeploymentState",
    "Endpoint",
    "InputColumn",
    "LabelsReceived",
    "NewLabel",
    "Prediction",
    "PredictionQuery",
    "Signature",
    "SnapshotRequest",
]

__getattr__ = lazily(__name__, dict.fromkeys(__all__, "endpoints"))
