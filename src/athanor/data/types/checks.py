"""The nouns of checks that come from elsewhere."""

from dataclasses import dataclass
from typing import Any

from athanor.data.types.datasets import Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectationKind:
    """A kind of expectation."""

    name: str
    words: str
    """What it means, with its parameters in braces."""
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteOrder:
    """A suite of pandera or Great Expectations, as JSON."""

    suite: dict[str, Any]
    keep: bool = False
    """Whether its expectations are set for the dataset, beside those that it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSuite:
    """What a suite says, as expectations."""

    source: str
    """"pandera" or "great expectations"."""
    expectations: tuple[Expectation, ...]
    left_out: tuple[str, ...]
    """What has no counterpart here, each with its place."""
