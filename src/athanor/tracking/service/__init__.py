"""The verbs of tracking."""

from athanor.tracking.service.experiments import Experiments
from athanor.tracking.service.tracking import Neighbours, Tracking

__all__ = ["Experiments", "Neighbours", "Tracking"]
