"""The verbs of the features room."""

from athanor.features.service.catalogue import Features
from athanor.features.service.online import OnlineFeatures
from athanor.features.service.training import TrainingSets
from athanor.features.service.views import FeatureViews

__all__ = ["FeatureViews", "Features", "OnlineFeatures", "TrainingSets"]
