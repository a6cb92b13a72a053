"""`athanor model`: list, show, compare, promote, roll back, export; gates, approvals, scans."""

from athanor.registry.commands import cards, catalog, exchange, promotions, safety
from athanor.registry.commands.models import commands

__all__ = ["cards", "catalog", "commands", "exchange", "promotions", "safety"]
