from collections.abc import Iterator
from pathlib import Path

import pytest

from athanor.kernel.database import Database
from athanor.kernel.workers import Workers
from athanor.kernel.zygote import HEAVY_MODULES, choose_workers
from athanor.pipelines.engines.local import PRELOAD
from athanor.testing.pipelines import Room, pipelines_room


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """One warm zygote for all tests of the room."""
    found = choose_workers((*HEAVY_MODULES, *PRELOAD))
    found.start()
    yield found
    found.close()


@pytest.fixture
def room(sqlite: Database, workers: Workers, tmp_path: Path) -> Iterator[Room]:
    with pipelines_room(sqlite, tmp_path, workers) as found:
        yield found
