"""What starts often starts light."""

import json
import subprocess
import sys

from tests.architecture import house

FACES = {"__init__", "types", "errors", "store", "service", "routes", "client", "commands"}


def _loaded_by(*modules: str) -> set[str]:
    """The top-level names in sys.modules after importing in a fresh interpreter."""
    program = (
        "import importlib, json, sys\n"
        f"for name in {list(modules)!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_the_package_alone_loads_nothing_heavy() -> None:
    assert (
        _loaded_by("athanor") & (house.HEAVY | {"fastapi", "typer", "rich", "sqlalchemy"}) == set()
    )


def test_the_command_line_loads_nothing_heavy() -> None:
    assert (
        _loaded_by("athanor.app.cli") & (house.HEAVY | {"fastapi", "sqlalchemy", "rich"}) == set()
    )


def test_the_idle_server_loads_nothing_heavy() -> None:
    """Work that needs the libraries is done in forks of the zygote and in the data plane."""
    assert _loaded_by("athanor.app.server", "athanor.app.api") & house.HEAVY == set()


def test_no_face_of_a_room_loads_anything_heavy() -> None:
    """Front doors, types, stores, services, routes, clients and commands of every room."""
    modules = [
        house.module_of(file)
        for room in house.rooms()
        for file in house.python_files(house.SOURCE / room)
        if file.stem in FACES and file.parent.name in {room, *FACES}
    ]
    assert _loaded_by(*modules) & house.HEAVY == set()
