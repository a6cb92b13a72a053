"""What loading a model's files would import and run, read without loading them."""

from athanor.registry.logic.pickles.files import FolderFile, scan

__all__ = ["FolderFile", "scan"]
