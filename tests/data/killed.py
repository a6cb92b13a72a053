"""A process that adds versions, or takes them from a folder, and is killed on the way."""

import sys
from pathlib import Path

from athanor.data import NewVersion, Roles
from athanor.kernel import OWNER, Database
from athanor.testing.data import DataRoom, open_data_room
from tests.data.conftest import HereWorkers

ROLES = Roles(target="left", id="customer")


def add(room: DataRoom, files: list[str]) -> None:
    for file in files:
        new = NewVersion(path=Path(file), mode="append", roles=ROLES)
        print(f"added {room.datasets.add(OWNER, 'churn', new).number}", flush=True)


def watch(room: DataRoom) -> None:
    while True:
        room.watches.look()


def main(what: str, database: str, storage: str, *files: str) -> None:
    room = open_data_room(Database.open(database), Path(storage), HereWorkers())
    if what != "race":
        # Whoever recovers is alone: it frees what others hold.
        room.datasets.recover()
    print("ready", flush=True)
    if what in {"add", "race"}:
        add(room, list(files))
    else:
        watch(room)


if __name__ == "__main__":
    main(*sys.argv[1:])
