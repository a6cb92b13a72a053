"""`athanor model`: list, show, compare, promote, roll back, export."""

from athanor.registry.commands.models import commands

__all__ = ["commands"]
