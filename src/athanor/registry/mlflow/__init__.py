"""MLflow's model registry protocol: requests, translated into verbs of the registry's services."""

from athanor.registry.mlflow.models import add_model_routes
from athanor.registry.mlflow.versions import add_version_routes, location_of

__all__ = ["add_model_routes", "add_version_routes", "location_of"]
