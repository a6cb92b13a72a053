"""`athanor data`, `athanor sql` and `athanor tables`."""

from athanor.data.commands import versions
from athanor.data.commands.datasets import commands, print_tables, run_sql

__all__ = ["commands", "print_tables", "run_sql", "versions"]
