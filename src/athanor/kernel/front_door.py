"""Front doors that load what is asked for.

A room's `__init__.py` names what other rooms may use. Its clients and commands stand in the same
package and need neither its store nor its service, so each name is loaded with the module that it
stands in when it is first used.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazily(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's `__getattr__`: names and the modules below the package that they stand in."""

    def load(name: str) -> Any:
        place = places.get(name)
        if place is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f"{package}.{place}"), name)
        setattr(sys.modules[package], name, found)
        return found

    return load
