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
        Deployments,
        Endpoints,
        GraphParts,
        Graphs,
        Neighbours,
        Parts,
        Recording,
        Traffic,
        operations,
        resolvers,
    )
    from athanor.serving.shadows import (
        ShadowLog,
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
    from athanor.serving.types.batches import (
        Batch,
        BatchFile,
        NewBatch,
    )
    from athanor.serving.types.graphs import (
        GraphCondition,
        GraphNode,
        GraphStep,
        InferenceGraph,
    )
    from athanor.serving.types.rollouts import (
        HeaderRule,
        Rollout,
        Scaling,
        TrafficRules,
    )
    from athanor.serving.types.tickets import (
        NewTicket,
        Ticket,
    )

__getattr__ = lazily(
    __name__,
    {
        "Batch": "types.batches",
        "BatchFile": "types.batches",
        "Canary": "types",
        "CanaryPlan": "types",
        "Deploy": "types",
        "Deployment": "types",
        "Deployments": "service",
        "Endpoint": "types",
        "EndpointStore": "store",
        "Endpoints": "service",
        "Fleet": "ports",
        "GraphCondition": "types.graphs",
        "GraphNode": "types.graphs",
        "GraphParts": "service",
        "GraphStep": "types.graphs",
        "Graphs": "service",
        "HeaderRule": "types.rollouts",
        "InferenceGraph": "types.graphs",
        "Neighbours": "service",
        "NewBatch": "types.batches",
        "NewLabel": "types",
        "NewTicket": "types.tickets",
        "NoFleet": "ports",
        "Parts": "service",
        "PlaneSettings": "supervisor",
        "Prediction": "types",
        "PredictionQuery": "types",
        "Recording": "service",
        "Rollout": "types.rollouts",
        "Scaling": "types.rollouts",
        "ServingLog": "log",
        "ShadowLog": "shadows",
        "SnapshotRequest": "types",
        "SqlEndpointStore": "store",
        "Supervisor": "supervisor",
        "SupervisorSettings": "supervisor",
        "Surroundings": "supervisor",
        "Ticket": "types.tickets",
        "Traffic": "service",
        "TrafficRules": "types.rollouts",
        "operations": "service",
        "resolvers": "service",
    },
)

__all__ = [
    "Batch",
    "BatchFile",
    "Canary",
    "CanaryPlan",
    "Deploy",
    "Deployment",
    "Deployments",
    "Endpoint",
    "EndpointStore",
    "Endpoints",
    "Fleet",
    "GraphCondition",
    "GraphNode",
    "GraphParts",
    "GraphStep",
    "Graphs",
    "HeaderRule",
    "InferenceGraph",
    "Neighbours",
    "NewBatch",
    "NewLabel",
    "NewTicket",
    "NoFleet",
    "Parts",
    "PlaneSettings",
    "Prediction",
    "PredictionQuery",
    "Recording",
    "Rollout",
    "Scaling",
    "ServingLog",
    "ShadowLog",
    "SnapshotRequest",
    "SqlEndpointStore",
    "Supervisor",
    "SupervisorSettings",
    "Surroundings",
    "Ticket",
    "Traffic",
    "TrafficRules",
    "operations",
    "resolvers",
]
