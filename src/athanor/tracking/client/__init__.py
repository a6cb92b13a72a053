"""Tracking's verbs over a transport."""

from athanor.tracking.client.runs import TrackingClient

__all__ = ["TrackingClient"]
