"""Rooms' routes are loaded when asked for: the table that says by whom tells all of them."""

from collections import defaultdict
from importlib import import_module

from fastapi.routing import APIRoute

from athanor.app.wiring.routes import ROUTES
from athanor.kernel.transport import PREFIX
from tests.architecture import house


def _modules() -> list[str]:
    """Every module of the rooms that makes a router."""
    files = [*house.SOURCE.glob("*/routes.py"), *house.SOURCE.glob("*/routes/*.py")]
    return [
        ".".join(("athanor", *file.relative_to(house.SOURCE).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        for file in files
        if file.relative_to(house.SOURCE).parts[0] != "app" and "router = " in file.read_text()
    ]


def test_every_path_is_found_where_its_beginning_says() -> None:
    found = defaultdict(set)
    for module in _modules():
        for route in import_module(module).router.routes:
            assert isinstance(route, APIRoute)
            assert route.path.startswith(f"{PREFIX}/")
            found[route.path.removeprefix(f"{PREFIX}/").partition("/")[0]].add(module)
    assert {part: set(modules) for part, modules in ROUTES.items()} == found
