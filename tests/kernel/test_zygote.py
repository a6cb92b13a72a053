"""What only a zygote promises: warmth, safe forks, and that nobody outlives the server."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from athanor.kernel.errors import TookTooLong, Unavailable
from athanor.kernel.workers import Exit, WorkerDied
from athanor.kernel.zygote import HEAVY_MODULES, SpawnWorkers, ZygoteWorkers, choose_workers
from athanor.kernel.zygote.trimming import (
    Mapping,
    drop_file_pages,
    fold_small_pages,
    read_mappings,
)
from athanor.testing.workers import alive, eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="zygotes are Linux's")

TARGETS = "athanor.testing.targets"
MIB = 1 << 20


@pytest.fixture
def workers() -> Iterator[ZygoteWorkers]:
    workers = ZygoteWorkers()
    yield workers
    workers.close()


@pytest.fixture(scope="module")
def heavy() -> Iterator[ZygoteWorkers]:
    workers = ZygoteWorkers(HEAVY_MODULES)
    workers.start()
    assert not workers.warm
    assert eventually(lambda: workers.warm, 60)
    yield workers
    workers.close()


def zygote_of(workers: ZygoteWorkers) -> int:
    assert eventually(lambda: workers.zygote_pid is not None)
    pid = workers.zygote_pid
    assert pid is not None
    return pid


def proportional_bytes(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    line = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024


def written_pids(*files: Path) -> list[int]:
    def complete() -> bool:
        return all(file.exists() and len(file.read_text().split()) == 2 for file in files)

    assert eventually(complete)
    return [int(pid) for file in files for pid in file.read_text(encoding="utf-8").split()]


def test_the_platform_chooses() -> None:
    chosen = choose_workers()
    assert isinstance(chosen, ZygoteWorkers)
    chosen.close()


def test_modules_may_be_loaded_when_they_are_worth_it() -> None:
    workers = ZygoteWorkers(("wave",), ahead=False)
    try:
        assert "wave" not in workers.call(f"{TARGETS}:imported", {"names": ["wave"]})
        workers.warm_up()
        workers.warm_up()
        assert "wave" in workers.call(f"{TARGETS}:imported", {"names": ["wave"]})
        os.kill(zygote_of(workers), signal.SIGKILL)
        assert eventually(lambda: "wave" in _imported(workers))
    finally:
        workers.close()


def _imported(workers: ZygoteWorkers) -> list[str]:
    try:
        found: list[str] = workers.call(f"{TARGETS}:imported", {"names": ["wave"]})
    except (Unavailable, WorkerDied):
        return []
    return found


class TestWarmth:
    def test_it_is_single_threaded_after_all_libraries(self, heavy: ZygoteWorkers) -> None:
        tasks = Path(f"/proc/{zygote_of(heavy)}/task")
        assert len(list(tasks.iterdir())) == 1
        assert heavy.call(f"{TARGETS}:loaded", {})["threads"] == [1, 1]

    def test_its_forks_find_the_libraries_loaded(self, heavy: ZygoteWorkers) -> None:
        loaded = heavy.call(f"{TARGETS}:loaded", {})
        assert set(HEAVY_MODULES) <= set(loaded["modules"])
        assert loaded["frozen"] > 10_000

    def test_it_rests_in_little_memory(self, heavy: ZygoteWorkers) -> None:
        assert proportional_bytes(zygote_of(heavy)) < 170 * MIB

    @pytest.mark.parametrize("threads", [1, 2])
    def test_numeric_libraries_get_the_threads_asked_for(
        self, heavy: ZygoteWorkers, threads: int
    ) -> None:
        got = heavy.call(f"{TARGETS}:numeric_threads", {}, threads=threads, timeout=60)
        assert set(got["pools"]) == {threads}
        assert got["arrow"] == threads

    def test_forks_compute_in_parallel_without_a_hang(self, heavy: ZygoteWorkers) -> None:
        children = [heavy.spawn(f"{TARGETS}:fit_forest", {}, threads=2) for _ in range(2)]
        assert [child.result(120) for child in children] == [20, 20]

    def test_a_light_worker_is_no_fork_of_what_is_loaded(self, workers: ZygoteWorkers) -> None:
        heavy, light = (workers.call("os:getppid", {}, light=light) for light in (False, True))
        assert heavy == zygote_of(workers)
        assert light not in {heavy, os.getpid()}
        assert workers.call("os:getppid", {}, light=True) == light
        workers.close()
        assert eventually(lambda: not alive(light))

    def test_a_silent_worker_tells_how_it_ended(
        self, workers: ZygoteWorkers, tmp_path: Path
    ) -> None:
        heard: list[Exit] = []
        mark = tmp_path / "mark"
        payload = {"path": str(mark)}
        made = workers.spawn("os:mkdir", payload, silent=True, on_exit=heard.append)
        ended = made.wait(60)
        assert ended is not None
        assert ended.code == 0
        assert mark.exists()
        again = workers.spawn("os:mkdir", payload, silent=True, log=tmp_path / "log")
        failed = again.wait(60)
        assert failed is not None
        assert failed.code == 1
        assert "FileExistsError" in (tmp_path / "log").read_text()
        slow = workers.spawn(f"{TARGETS}:no_such", {}, silent=True, on_exit=heard.append)
        assert slow.wait(60) is not None
        long = workers.spawn(f"{TARGETS}:sleep", {"seconds": 600}, silent=True)
        assert long.pid
        long.kill(0)
        died = long.wait(60)
        assert died is not None
        assert died.signal == signal.SIGKILL
        assert [how.code for how in heard] == [0, 1]

    def test_sets_have_one_order(self, workers: ZygoteWorkers) -> None:
        other = SpawnWorkers()
        orders = [each.call(f"{TARGETS}:order_of_a_set", {}) for each in (workers, other)]
        other.close()
        assert orders[0] == orders[1]

    def test_a_module_that_fails_is_named_and_stops_nobody(
        self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        workers = ZygoteWorkers(["json", "no_such_module_here"])
        assert workers.call(f"{TARGETS}:echo", {"a": 1}) == {"a": 1}
        workers.close()
        assert "could not load no_such_module_here" in caplog.text
        assert "ModuleNotFoundError" in capfd.readouterr().err

    def test_time_runs_while_it_warms_up(self) -> None:
        workers = ZygoteWorkers(["athanor.testing.slow_to_load"])
        with pytest.raises(TookTooLong):
            workers.call(f"{TARGETS}:echo", {}, timeout=0.3)
        assert not workers.warm
        assert workers.call(f"{TARGETS}:echo", {"a": 1}) == {"a": 1}
        workers.close()


class TestDeaths:
    def test_a_dead_zygote_takes_its_workers_along_and_comes_back(
        self, workers: ZygoteWorkers, tmp_path: Path
    ) -> None:
        file = tmp_path / "pids"
        child = workers.spawn(
            f"{TARGETS}:sleep_with_offspring", {"path": str(file), "stubborn": True}
        )
        pids = written_pids(file)
        first = zygote_of(workers)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="its parent") as died:
            child.result(20)
        assert died.value.hint
        assert eventually(lambda: not any(alive(pid) for pid in pids))
        assert workers.call(f"{TARGETS}:echo", {"a": 1}) == {"a": 1}
        assert zygote_of(workers) != first

    def test_it_comes_back_unasked(self, workers: ZygoteWorkers) -> None:
        workers.start()
        gone: set[int] = set()
        for _ in range(3):
            assert eventually(lambda: workers.warm)
            gone.add(zygote_of(workers))
            os.kill(zygote_of(workers), signal.SIGKILL)
            assert eventually(lambda: workers.zygote_pid not in {None, *gone})

    def test_calls_from_many_threads_survive_or_fail_by_name(self, workers: ZygoteWorkers) -> None:
        ended: list[str] = []

        def ask() -> None:
            for _ in range(10):
                try:
                    workers.call(f"{TARGETS}:sleep", {"seconds": 0.01}, timeout=60)
                    ended.append("ok")
                except WorkerDied:
                    ended.append("died")

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            time.sleep(0.3)
            if pid := workers.zygote_pid:
                os.kill(pid, signal.SIGKILL)
        for thread in threads:
            thread.join(120)
        assert len(ended) == 40

    def test_the_thread_that_started_it_may_end(self, workers: ZygoteWorkers) -> None:
        starter = threading.Thread(target=workers.call, args=(f"{TARGETS}:echo", {}))
        starter.start()
        starter.join()
        pid = zygote_of(workers)
        time.sleep(0.2)
        assert alive(pid)
        assert workers.zygote_pid == pid

    def test_close_leaves_nobody(self, tmp_path: Path) -> None:
        workers = ZygoteWorkers()
        file = tmp_path / "pids"
        workers.spawn(f"{TARGETS}:sleep_with_offspring", {"path": str(file), "stubborn": True})
        pids = [*written_pids(file), zygote_of(workers)]
        workers.close(grace=0.2)
        assert eventually(lambda: not any(alive(pid) for pid in pids))
        with pytest.raises(Unavailable):
            workers.call(f"{TARGETS}:echo", {})
        workers.close()

    @pytest.mark.parametrize("kind", ["ZygoteWorkers", "SpawnWorkers"])
    @pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
    def test_nobody_outlives_the_server(
        self, kind: str, sign: signal.Signals, tmp_path: Path
    ) -> None:
        files = [tmp_path / "one", tmp_path / "two"]
        server = subprocess.Popen([sys.executable, "-c", SERVER, kind, *map(str, files)])
        try:
            pids = written_pids(*files)
            pids += [parent for pid in pids if (parent := parent_of(pid)) != server.pid]
        finally:
            server.send_signal(sign)
            server.wait()
        assert eventually(lambda: not any(alive(pid) for pid in pids))

    def test_nobody_outlives_a_server_killed_during_the_start(self, tmp_path: Path) -> None:
        server = subprocess.Popen(
            [sys.executable, "-c", STARTING_SERVER], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout
        zygote = int(server.stdout.readline())
        server.kill()
        server.wait()
        server.stdout.close()
        assert eventually(lambda: not alive(zygote))


SERVER = textwrap.dedent(
    """
    import sys, time
    from athanor.kernel import zygote
    workers = getattr(zygote, sys.argv[1])()
    for path in sys.argv[2:]:
        workers.spawn("athanor.testing.targets:sleep_with_offspring",
                      {"path": path, "stubborn": True})
    time.sleep(120)
    """
)

STARTING_SERVER = textwrap.dedent(
    """
    import time
    from athanor.kernel.zygote import ZygoteWorkers
    workers = ZygoteWorkers(["athanor.testing.slow_to_load"])
    workers.start()
    while not workers.zygote_pid:
        time.sleep(0.01)
    print(workers.zygote_pid, flush=True)
    time.sleep(120)
    """
)


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return int(stat.rpartition(") ")[2].split()[1])


class TestResting:
    SMAPS = "".join(
        f"{addresses} {permissions} 00000000 fe:00 123 {path}\n"
        f"Size: 8 kB\nAnonymous: {anonymous} kB\nVmFlags: rd mr\n"
        for addresses, permissions, path, anonymous in [
            ("1000-3000", "r-xp", "/lib/a b.so", 0),
            ("3000-4000", "r--p", "/lib/a.so", 4),
            ("4000-5000", "rw-p", "/lib/a.so", 0),
            ("5000-6000", "r-xp", "[vdso]", 0),
            ("6000-7000", "r--p", "", 0),
            ("7000-8000", "r--p", "/lib/b.so", 0),
            ("100000-500000", "rw-p", "[heap]", 4096),
            ("600000-a00000", "rw-p", "", 16),
            ("a00000-b00000", "rw-p", "", 1024),
        ]
    )

    def advised(
        self, act: Callable[[list[Mapping], Callable[[int, int, int], int]], None]
    ) -> list[tuple[int, int]]:
        advised: list[tuple[int, int]] = []

        def madvise(start: int, length: int, _advice: int) -> int:
            advised.append((start, length))
            return 0

        act(list(read_mappings(self.SMAPS)), madvise)
        return advised

    def test_only_unchanged_read_only_file_mappings_are_dropped(self) -> None:
        assert self.advised(drop_file_pages) == [(0x1000, 0x2000), (0x7000, 0x1000)]

    def test_only_a_well_filled_heap_is_folded_in_whole_huge_pages(self) -> None:
        assert self.advised(fold_small_pages) == [(0x200000, 0x200000)]
