"""A process that adds a version and is killed somewhere on the way."""

import sys
from pathlib import Path

from athanor.data import NewVersion, Roles
from athanor.kernel import OWNER, Database
from athanor.testing.data import open_data_room
from tests.data.conftest import HereWorkers


def main(database: str, storage: str, *files: str) -> None:
    room = open_data_room(Database.open(database), Path(storage), HereWorkers())
    room.datasets.recover()
    print("ready", flush=True)
    for file in files:
        version = room.datasets.add(
            OWNER,
            "churn",
            NewVersion(path=Path(file), mode="append", roles=Roles(target="left", id="customer")),
        )
        print(f"added {version.number}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
