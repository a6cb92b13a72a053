"""Serving: endpoints, deployments, traffic, the data plane, the prediction log.

Names are loaded when they are first used: the data plane and the model workers live in this
package, and need neither the database nor the services.
"""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.serving.log import (
        ServingLog,
    )
    from athanor.serving.ports import (
        Fleet,
        NoFleet,
    )
    from athanor.serving.service import (
        Endpoints,
        Neighbours,
        Traffic,
        operations,
        resolvers,
    )
    from athanor.serving.store import (
        EndpointStore,
        SqlEndpointStore,
    )
    from athanor.serving.supervisor import (
        PlaneSettings,
        Supervisor,
        SupervisorSettings,
        Surroundings,
    )
    from athanor.serving.types import (
        Canary,
        CanaryPlan,
        Deploy,
        Deployment,
        Endpoint,
        NewLabel,
        Prediction,
        PredictionQuery,
        SnapshotRequest,
    )

__getattr__ = lazily(
    __name__,
    {
        "Canary": "types",
        "CanaryPlan": "types",
        "Deploy": "types",
        "Deployment": "types",
        "Endpoint": "types",
        "EndpointStore": "store",
        "Endpoints": "service",
        "Fleet": "ports",
        "Neighbours": "service",
        "NewLabel": "types",
        "NoFleet": "ports",
        "PlaneSettings": "supervisor",
        "Prediction": "types",
        "PredictionQuery": "types",
        "ServingLog": "log",
        "SnapshotRequest": "types",
        "SqlEndpointStore": "store",
        "Supervisor": "supervisor",
        "SupervisorSettings": "supervisor",
        "Surroundings": "supervisor",
        "Traffic": "service",
        "operations": "service",
        "resolvers": "service",
    },
)

__all__ = [
    "Canary",
    "CanaryPlan",
    "Deploy",
    "Deployment",
    "Endpoint",
    "EndpointStore",
    "Endpoints",
    "Fleet",
    "Neighbours",
    "NewLabel",
    "NoFleet",
    "PlaneSettings",
    "Prediction",
    "PredictionQuery",
    "ServingLog",
    "SnapshotRequest",
    "SqlEndpointStore",
    "Supervisor",
    "SupervisorSettings",
    "Surroundings",
    "Traffic",
    "operations",
    "resolvers",
]
