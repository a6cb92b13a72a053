"""The SDK: every room's client over one transport."""

from athanor.client.client import Client

__all__ = ["Client"]
