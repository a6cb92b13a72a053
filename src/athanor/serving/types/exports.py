"""The nouns of exports: what an endpoint can be taken elsewhere as."""

from dataclasses import dataclass
from typing import Any

FOLDERS = ("folder", "container")
"""`folder` serves by `python serve.py`; `container` has a Dockerfile, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRequest:
    """What a manifest is to say."""

    kind: str = "kubernetes"
    """`kubernetes` (Deployment, Service, HorizontalPodAutoscaler), `kserve` or `seldon`."""
    image: str = ""
    """The container image; empty: the endpoint's name and the deployment's number."""
    namespace: str = ""
    min_replicas: int = 1
    max_replicas: int = 4
    cpu: str = "500m"
    """As Kubernetes writes it: `500m`, `2`."""
    memory: str = "512Mi"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleRow:
    """A row for an endpoint, and where it comes from."""

    record: dict[str, Any]
    source: str
    """`model`: the first of the rows that were kept with the model at its training; `dataset`: the
    first row of the dataset version that it was trained on; `types`: made up of the types."""
