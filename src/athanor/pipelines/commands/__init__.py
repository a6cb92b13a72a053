"""`athanor pipeline`."""

from athanor.pipelines.commands import debugging, secrets, shipping, triggers
from athanor.pipelines.commands.runs import commands

__all__ = ["commands", "debugging", "secrets", "shipping", "triggers"]
