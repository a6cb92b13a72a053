"""MLflow model folders by skops: written, checked and loaded. Needs scikit-learn: load lazily.

`read_description` (in `athanor.registry`) tells a folder's signature without these libraries.
"""

from athanor.registry.packaging.flavours import opened
from athanor.registry.packaging.frames import as_read, categories_of
from athanor.registry.packaging.loading import LoadedModel, load_model
from athanor.registry.packaging.saving import save_model
from athanor.registry.packaging.scoring import probabilities

__all__ = [
    "LoadedModel",
    "as_read",
    "categories_of",
    "load_model",
    "opened",
    "probabilities",
    "save_model",
]
