"""`athanor pipeline`."""

from athanor.pipelines.commands import debugging, secrets, shipping
from athanor.pipelines.commands.runs import commands

__all__ = ["commands", "debugging", "secrets", "shipping"]
