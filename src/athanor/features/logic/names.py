"""Names of features, and how they are referred to."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from athanor.features.errors import BadFeatureName, BadFeatureReference, FeatureClash

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_COLUMN = re.compile(r"[^\x00-\x1f]{1,255}")
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")

WARNINGS = "athanor.warnings"
"""Under what key an Arrow stream's schema holds a JSON list of what looks wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """VIEW, VIEW:FEATURE, PROJECT/VIEW:FEATURE, or a service's name."""

    project: str
    name: str
    feature: str = ""

    @property
    def view(self) -> str:
        """PROJECT/VIEW."""
        return f"{self.project}/{self.name}"


def checked_name(what: str, name: str) -> str:
    """The name, if it can be one.

    Raises: BadFeatureName.
    """
    if not _NAME.fullmatch(name) or name.startswith("__"):
        raise BadFeatureName(what, name)
    return name


def checked_column(name: str) -> str:
    """The column's name, if it can be one. Names of our own columns begin with two underscores.

    Raises: BadFeatureName.
    """
    if not _COLUMN.fullmatch(name) or name.startswith("__"):
        raise BadFeatureName("a column", name)
    return name


def parsed_reference(text: str, project: str) -> Reference:
    """What a text refers to.

    Raises: BadFeatureReference.
    """
    place, slash, rest = text.partition("/")
    if not slash:
        place, rest = project, text
    name, colon, feature = rest.partition(":")
    sound = _NAME.fullmatch(name) and _PROJECT.fullmatch(place) and (feature or not colon)
    if not sound:
        raise BadFeatureReference(text)
    return Reference(project=place, name=name, feature=feature)


def check_clashes(names: Iterable[str]) -> None:
    """Return if all columns' names differ.

    Raises: FeatureClash.
    """
    doubled = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubled:
        raise FeatureClash(doubled)
