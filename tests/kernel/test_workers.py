"""Both kinds of workers keep the same contract."""

from collections.abc import Iterator

import pytest

from athanor.kernel.workers import Workers, report
from athanor.kernel.zygote import SpawnWorkers, ZygoteWorkers
from athanor.testing.workers import WorkersContract


class TestSpawnWorkers(WorkersContract):
    @pytest.fixture(scope="class")
    @classmethod
    def workers(cls) -> Iterator[Workers]:
        workers = SpawnWorkers()
        yield workers
        workers.close()


class TestZygoteWorkers(WorkersContract):
    @pytest.fixture(scope="class")
    @classmethod
    def workers(cls) -> Iterator[Workers]:
        workers = ZygoteWorkers()
        yield workers
        workers.close()


def test_outside_of_a_worker_a_report_goes_nowhere() -> None:
    report({"number": 1})
