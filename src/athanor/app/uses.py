"""Who goes by the numbers of models' versions: what the registry asks before it deletes one."""

from collections.abc import Sequence

from athanor.kernel import Events
from athanor.registry import ModelUse
from athanor.serving import EndpointStore
from athanor.serving.types import RUNNING


class Served:
    """Deployments of models, now and ever; a `Uses` of the registry."""

    def __init__(self, store: EndpointStore, events: Events) -> None:
        self._store = store
        self._events = events

    def deployments(self, model: str, number: int | None) -> Sequence[ModelUse]:
        """What holds a version, or any version (None) of a model."""
        return [
            ModelUse(
                endpoint=endpoint.name,
                deployment=item.number,
                state=item.state,
                alone=item.state == "live" and len(endpoint.lives) == 1,
            )
            for endpoint in self._store.all()
            for item in endpoint.deployments
            if item.model == model and number in {None, item.version} and item.state in RUNNING
        ]

    def ever(self, model: str) -> bool:
        """Whether a version by this model's name was ever deployed or predicted with."""
        told = self._events.about(None, "serving.deployment.created", "serving.batch.submitted")
        return any(event.detail.get("model") == model for event in told)
