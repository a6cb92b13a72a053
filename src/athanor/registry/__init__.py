"""The registry: models, their versions, aliases and packaging.

`athanor.registry.packaging` (save_model, load_model) needs scikit-learn and is loaded by name.
"""

from athanor.registry.types import InputColumn, Label, ModelDescription, Signature, TrainedModel

__all__ = ["InputColumn", "Label", "ModelDescription", "Signature", "TrainedModel"]
