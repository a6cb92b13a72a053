"""Which events somebody looks for; clients know it too."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which events somebody looks for; an empty field does not filter."""

    action: str = ""
    """`registry.alias.moved`, or what it begins with: `registry`, `registry.alias`."""
    subject: str = ""
    """`churn`; versions and aliases of it too: `churn@3`."""

    def fits(self, action: str, subject: str) -> bool:
        """Whether an event of this action, about this subject, is one of them."""
        return (not self.action or f"{action}.".startswith(f"{self.action}.")) and (
            not self.subject or f"{subject}@".startswith(f"{self.subject}@")
        )
