"""What answers for a deployment, and why nothing faster does."""

from dataclasses import dataclass, field
from typing import Any

_PLAIN = {
    "folded": "compiled to one function, without a worker",
    "trees": "compiled to the thresholds of its trees, without a worker",
    "native": "by its own library, in workers",
}
"""What the kinds are, for who does not know the words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeReport:
    """How a deployment's model is run: kept with the deployment."""

    kind: str
    """`folded`: one generated function in the data plane; `trees`: exact thresholds, walked in the
    data plane; `native`: the model's own library, in workers."""
    why_not: dict[str, str] = field(default_factory=dict)
    """By faster kind: what kept the model from it."""
    proof: dict[str, Any] | None = None
    """The last proof that was made: `runtime`, `passed`, `reason`, `tolerance`, `rows`, `groups`
    (by kind of rows: how many, how many both refuse, ties, the largest difference), `seconds`,
    `row_microseconds` and `native_row_microseconds`."""
    libraries: dict[str, str] = field(default_factory=dict)
    """Their versions when it was compiled."""

    @property
    def told(self) -> str:
        """The kind and its reasons in one line."""
        reasons = [f"not {kind}: {why}" for kind, why in self.why_not.items()]
        if self.kind != "native" and self.proof is not None:
            reasons = [f"proved on {self.proof['rows']} rows"]
        plain = f"{_PLAIN[self.kind]} ({self.kind})" if self.kind in _PLAIN else self.kind
        return f"{plain}; {'; '.join(reasons)}" if reasons else plain
