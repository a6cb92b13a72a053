"""The data room's verbs over a transport."""

from athanor.data.client.data import Data

__all__ = ["Data"]
