"""The rules around models that their verbs ask: who may take an alias, and what came in."""

from typing import Protocol

from athanor.kernel import Principal
from athanor.registry.errors import AliasMovedMeanwhile, AliasProtected
from athanor.registry.protection import Decision, Step
from athanor.registry.types import ModelVersion


class Rules(Protocol):
    """What the registry asks before an alias moves, and tells of new versions."""

    def decide(self, who: Principal, step: Step) -> Decision:
        """Judge a move, keep what was found, and ask people where that is demanded.

        Outside of the transaction that moves the alias: what was found stays when it is refused.
        """
        ...

    def moved(self, who: Principal, step: Step, decision: Decision) -> None:
        """Note, in the transaction of the move, that a decision was made use of."""
        ...

    def registered(self, version: ModelVersion) -> None:
        """Look at a new version, once its registration is kept."""
        ...


class NoRules:
    """Aliases move freely, and nothing is looked at."""

    def decide(self, who: Principal, step: Step) -> Decision:  # noqa: ARG002 - the port's form
        """Everything is allowed."""
        return Decision(allowed=True, reason="no rules")

    def moved(self, who: Principal, step: Step, decision: Decision) -> None:
        """Nothing is noted."""

    def registered(self, version: ModelVersion) -> None:
        """Nothing is looked at."""


def allowed(rules: Rules, who: Principal, step: Step) -> Decision:
    """What the rules say of a move, if they let it be made.

    Raises: AliasProtected.
    """
    decision = rules.decide(who, step)
    if not decision.allowed:
        waiting = decision.request.id if decision.request else None
        raise AliasProtected(step.model, step.alias, decision.reason, waiting)
    return decision


def require_unmoved(decision: Decision, step: Step, holder: int | None) -> None:
    """Return if the alias still points where it did when the move was decided.

    Raises: AliasMovedMeanwhile.
    """
    if decision.protected and decision.holder != holder:
        raise AliasMovedMeanwhile(step.model, step.alias)
