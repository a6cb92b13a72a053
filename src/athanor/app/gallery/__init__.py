"""Pipelines that come with the platform. Each module is one, readable from top to bottom."""

GALLERY: dict[str, tuple[str, str]] = {
    "classification": (
        "athanor.app.gallery.classification:classification",
        "Check, split, train two models in parallel, evaluate, gate, register, deploy.",
    ),
}
"""Name to (where the pipeline stands, what it does)."""
