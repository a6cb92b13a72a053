"""Tracking's verbs over a transport."""

from athanor.tracking.client.debug import DebugClient
from athanor.tracking.client.experiments import ExperimentsClient
from athanor.tracking.client.files import FilesClient
from athanor.tracking.client.logged_models import InputsClient, LoggedModelsClient
from athanor.tracking.client.runs import TrackingClient
from athanor.tracking.client.transfers import TransfersClient

__all__ = [
    "DebugClient",
    "ExperimentsClient",
    "FilesClient",
    "InputsClient",
    "LoggedModelsClient",
    "TrackingClient",
    "TransfersClient",
]
