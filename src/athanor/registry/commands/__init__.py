"""`athanor model`: list, show, compare, promote, roll back, export; gates, approvals, scans."""

from athanor.registry.commands import cards, exchange, promotions, safety
from athanor.registry.commands.models import commands

__all__ = ["cards", "commands", "exchange", "promotions", "safety"]
