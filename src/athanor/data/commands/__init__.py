"""`athanor data`, `athanor sql` and `athanor tables`."""

from athanor.data.commands import checks, profiles, versions
from athanor.data.commands.datasets import commands, print_tables, run_sql
from athanor.data.commands.recipes import commands as recipe_commands

__all__ = [
    "checks",
    "commands",
    "print_tables",
    "profiles",
    "recipe_commands",
    "run_sql",
    "versions",
]
