"""MLflow's model registry protocol: requests, translated into verbs of the registry's services."""

from athanor.registry.mlflow.models import add_model_routes
from athanor.registry.mlflow.versions import add_version_routes, location_of
from athanor.registry.mlflow.webhooks import add_webhook_routes

__all__ = ["add_model_routes", "add_version_routes", "add_webhook_routes", "location_of"]
