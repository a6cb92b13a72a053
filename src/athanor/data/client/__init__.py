"""The data room's verbs over a transport."""

from athanor.data.client.checks import ChecksClient
from athanor.data.client.data import Data
from athanor.data.client.recipes import RecipesClient

__all__ = ["ChecksClient", "Data", "RecipesClient"]
