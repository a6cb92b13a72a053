"""Tracking's verbs over a transport."""

from athanor.tracking.client.runs import TrackingClient
from athanor.tracking.client.transfers import TransfersClient

__all__ = ["TrackingClient", "TransfersClient"]
