"""What of a deployment's inputs is looked up in the feature store."""

from dataclasses import dataclass

from athanor.features import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedColumn:
    """One column that callers send."""

    name: str
    type: str
    """MLflow's name of the type."""
    required: bool = True
    """False where it is looked up when it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureUse:
    """A feature service as it was when the version was deployed."""

    service: str
    project: str = "default"
    plan: Plan
    """How its features are found; later definitions do not change it."""
    asks: tuple[AskedColumn, ...]
    """What callers send: keys, values of the request, and whatever is no feature."""
    compared: int = 0
    """Keys whose features were compared, byte by byte, with training's before it was deployed."""
