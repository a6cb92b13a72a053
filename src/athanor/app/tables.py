"""Imports every room's tables, so that the shared metadata holds the whole schema."""

import importlib
import pkgutil

import athanor


def load_all_tables() -> None:
    """Import each module named `store` (or below a package of that name) of every room."""
    for module in pkgutil.walk_packages(athanor.__path__, "athanor."):
        parts = module.name.split(".")
        if "store" in parts[2:]:
            importlib.import_module(module.name)
    importlib.import_module("athanor.kernel.events")
    importlib.import_module("athanor.kernel.jobs")


if __name__ == "__main__":
    load_all_tables()
