"""Pipelines that come with the platform. Each module is one, readable from top to bottom."""

PRELOAD: tuple[str, ...] = (
    "sklearn.model_selection",
    "athanor.registry.packaging.materializer",
    "athanor.responsible.logic.evaluation",
)
"""What a warm worker loads ahead for the steps of the gallery.

skops alone costs each fork half a CPU second otherwise: it looks at every estimator of
scikit-learn to know which types are safe.
"""
