"""Gates: named checks with a verdict, asked for by name before something takes over."""

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a gate said."""

    gate: str
    passed: bool
    reason: str
    """One sentence in plain words, for both outcomes."""
    measured: dict[str, Any] = field(default_factory=dict)
    """The figures that the verdict rests on."""


class Gate(Protocol):
    """A named check. Upper rooms offer them; the registry asks."""

    name: str

    def check(self, context: dict[str, Any]) -> Verdict:
        """Judge the thing that `context` describes."""
        ...
