"""Who may do what: a port that every service verb asks first.

Governance will answer by roles; until accounts exist the local owner may do everything.
"""

from dataclasses import dataclass
from typing import Protocol

from athanor.kernel.errors import Forbidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody, or something, that acts."""

    id: str
    name: str
    kind: str = "person"
    """`person`, `service` or `system`."""


OWNER = Principal(id="owner", name="owner")
"""The owner of a workspace without accounts: the person at this machine."""

SYSTEM = Principal(id="system", name="athanor", kind="system")
"""The platform itself: subscribers, schedules, sweeps."""


class Access(Protocol):
    """What decides."""

    def require(self, who: Principal, action: str, subject: str) -> None:
        """Return if `who` may do `action` (`room.verb`) to `subject`.

        Raises: Forbidden.
        """
        ...


class ActionForbidden(Forbidden):
    """The caller's roles do not hold this action."""

    def __init__(self, who: Principal, action: str, subject: str) -> None:
        super().__init__(
            f"{who.name} may not {action} on {subject!r}.",
            hint="Ask the workspace's owner for a role that holds this action.",
        )


class OwnerAccess:
    """The rule of a workspace without accounts: its owner and the platform may do everything."""

    def require(self, who: Principal, action: str, subject: str) -> None:
        """Return for the owner and the platform.

        Raises: ActionForbidden for anybody else.
        """
        if who.id not in {OWNER.id, SYSTEM.id}:
            raise ActionForbidden(who, action, subject)
