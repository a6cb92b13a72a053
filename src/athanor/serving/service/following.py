"""Which moves of aliases an endpoint follows."""

from athanor.kernel.errors import NotFound
from athanor.kernel.events import Event
from athanor.kernel.permissions import SYSTEM
from athanor.serving.errors.deployments import NumberNotFollowed
from athanor.serving.ports import ModelSource
from athanor.serving.types import Deploy

_CHAMPION = "champion"
"""The alias that a bare name means."""


def check_followed(deploy: Deploy) -> None:
    """Refuse to follow what never moves.

    Raises: NumberNotFollowed.
    """
    model, at, named = deploy.model.rpartition("@")
    if deploy.follow and at and named.isdecimal():
        raise NumberNotFollowed(model.removeprefix("model:"), named)


def concerns(event: Event, followed: str, models: ModelSource) -> bool:
    """Whether the alias that moved is the one that is followed (`churn`, `churn@champion`).

    A move is told by the name that the model had then; under a name that is gone it may be any.
    """
    model, at, alias = followed.removeprefix("model:").rpartition("@")
    told = event.detail
    wanted = (model, alias) if at else (alias, _CHAMPION)
    if (told.get("model"), told.get("alias")) == wanted:
        return True
    try:
        models.version(SYSTEM, str(told.get("model")))
    except NotFound:
        return True
    return False
