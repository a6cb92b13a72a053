"""Manifests for Kubernetes, KServe and Seldon of a container that was built from an export.

Contracts: Kubernetes apps/v1 Deployment, v1 Service, autoscaling/v2 HorizontalPodAutoscaler; KServe
serving.kserve.io/v1beta1 InferenceService with a custom predictor; Seldon Core
machinelearning.seldon.io/v1 SeldonDeployment, protocol v2.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]

_PORT = 8080
MANIFESTS = ("kubernetes", "kserve", "seldon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a manifest says."""

    name: str
    """The endpoint's."""
    image: str
    version: str
    """The model and its version: `churn@3`."""
    namespace: str = ""
    min_replicas: int = 1
    max_replicas: int = 4
    cpu: str = "500m"
    memory: str = "512Mi"
    target_cpu: int = 70
    """Percent of the requested CPU at which another replica is wanted."""


def documents(kind: str, wanted: Wanted) -> list[Document]:
    """The manifest's documents. `kind` is one of `MANIFESTS`."""
    made = {"kubernetes": _kubernetes, "kserve": _kserve, "seldon": _seldon}[kind](wanted)
    if wanted.namespace:
        for document in made:
            document["metadata"]["namespace"] = wanted.namespace
    return made


def _labels(wanted: Wanted) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": wanted.name,
        "app.kubernetes.io/managed-by": "athanor",
    }


def _metadata(wanted: Wanted) -> Document:
    return {
        "name": wanted.name,
        "labels": _labels(wanted),
        "annotations": {"athanor/model": wanted.version},
    }


def _container(wanted: Wanted, name: str) -> Document:
    amount = {"cpu": wanted.cpu, "memory": wanted.memory}
    probe = {"httpGet": {"path": "/v2/health/ready", "port": _PORT}, "periodSeconds": 5}
    return {
        "name": name,
        "image": wanted.image,
        "ports": [{"containerPort": _PORT, "protocol": "TCP"}],
        "env": [{"name": "PORT", "value": str(_PORT)}, {"name": "HOST", "value": "0.0.0.0"}],  # noqa: S104
        "resources": {"requests": dict(amount), "limits": dict(amount)},
        "startupProbe": {**probe, "failureThreshold": 60},
        "readinessProbe": dict(probe),
        "livenessProbe": {
            "httpGet": {"path": "/v2/health/live", "port": _PORT},
            "periodSeconds": 10,
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _kubernetes(wanted: Wanted) -> list[Document]:
    chosen = {"app.kubernetes.io/name": wanted.name}
    scrape = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(_PORT),
        "prometheus.io/path": "/metrics",
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(wanted),
        "spec": {
            "selector": {"matchLabels": chosen},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": {
                "metadata": {"labels": _labels(wanted), "annotations": scrape},
                "spec": {
                    "terminationGracePeriodSeconds": 30,
                    "containers": [_container(wanted, "server")],
                },
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(wanted),
        "spec": {
            "selector": chosen,
            "ports": [{"name": "http", "port": 80, "targetPort": _PORT, "protocol": "TCP"}],
        },
    }
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(wanted),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": wanted.name},
            "minReplicas": wanted.min_replicas,
            "maxReplicas": wanted.max_replicas,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": wanted.target_cpu},
                    },
                }
            ],
        },
    }
    return [deployment, service, scaler]


def _kserve(wanted: Wanted) -> list[Document]:
    return [
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": _metadata(wanted),
            "spec": {
                "predictor": {
                    "minReplicas": wanted.min_replicas,
                    "maxReplicas": wanted.max_replicas,
                    "scaleMetric": "cpu",
                    "scaleTarget": wanted.target_cpu,
                    "containers": [_container(wanted, "kserve-container")],
                }
            },
        }
    ]


def _seldon(wanted: Wanted) -> list[Document]:
    return [
        {
            "apiVersion": "machinelearning.seldon.io/v1",
            "kind": "SeldonDeployment",
            "metadata": _metadata(wanted),
            "spec": {
                "name": wanted.name,
                "protocol": "v2",
                "predictors": [
                    {
                        "name": "default",
                        "replicas": wanted.min_replicas,
                        "traffic": 100,
                        "graph": {
                            "name": wanted.name,
                            "type": "MODEL",
                            "endpoint": {"type": "REST", "httpPort": _PORT},
                            "children": [],
                        },
                        "componentSpecs": [
                            {
                                "spec": {"containers": [_container(wanted, wanted.name)]},
                                "hpaSpec": {
                                    "minReplicas": wanted.min_replicas,
                                    "maxReplicas": wanted.max_replicas,
                                    "metrics": [
                                        {
                                            "type": "Resource",
                                            "resource": {
                                                "name": "cpu",
                                                "targetAverageUtilization": wanted.target_cpu,
                                            },
                                        }
                                    ],
                                },
                            }
                        ],
                    }
                ],
            },
        }
    ]
