"""What a pipeline of the corpus is given, and what it must give."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from athanor.pipelines import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One pipeline with its arguments and outputs."""

    pipeline: Pipeline[..., Any]
    gives: Mapping[str, Any] = field(default_factory=dict)
    """Its output parameters."""
    given: Mapping[str, Any] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    """How some of its tasks end."""
    state: str = "done"
    why_not_local: str = ""
    """Why Kubeflow's local runner can't run it, or gives something else than its cluster."""

    @property
    def name(self) -> str:
        """What it is called in test reports."""
        return self.pipeline.name
