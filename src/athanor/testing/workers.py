"""What every kind of `Workers` must do, on any platform."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from athanor.kernel.errors import Invalid, NotFound, TookTooLong
from athanor.kernel.workers import BadTarget, Exit, WorkerDied, Workers, WorkFailed

_HERE = "athanor.testing.targets"
_MIB = 1 << 20
_SOON_SECONDS = 20.0


def eventually(condition: Callable[[], bool], timeout: float = _SOON_SECONDS) -> bool:
    """Whether the condition comes true in time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return not Path("/proc/self").exists()
    return state != "Z"


class WorkersContract:
    """Subclass it with a fixture `workers`."""

    def test_payload_and_result_arrive_whole(self, workers: Workers) -> None:
        payload = {"text": "ä", "n": 3, "x": [1.5, None, True], "b": b"\0\xff", "d": {"k": []}}
        assert workers.call(f"{_HERE}:echo", payload) == payload

    def test_numbers_that_json_has_no_word_for_survive(self, workers: Workers) -> None:
        got = workers.call(f"{_HERE}:echo", {"a": float("nan"), "b": float("-inf")})
        assert got["a"] != got["a"]
        assert got["b"] == float("-inf")

    def test_a_large_payload_and_result(self, workers: Workers) -> None:
        payload = {"data": "x" * (8 * _MIB)}
        assert workers.call(f"{_HERE}:echo", payload) == payload

    def test_each_call_has_a_process_group_and_session_of_its_own(self, workers: Workers) -> None:
        one, two = (workers.call(f"{_HERE}:surroundings", {"names": []}) for _ in range(2))
        assert one["pid"] == one["group"] == one["session"]
        assert one["pid"] != two["pid"]
        grouped = workers.spawn(f"{_HERE}:surroundings", {"names": []}, session=False).result()
        assert grouped["pid"] == grouped["group"] != grouped["session"]

    def test_surroundings_are_as_asked(self, workers: Workers, tmp_path: Path) -> None:
        got = workers.call(
            f"{_HERE}:surroundings",
            {"names": ["COLOUR", "OMP_NUM_THREADS"]},
            env={"COLOUR": "red", "PYTHONPATH": str(tmp_path)},
            cwd=tmp_path,
            umask=0o027,
            threads=2,
        )
        assert got["cwd"] == str(tmp_path.resolve())
        assert got["umask"] == 0o027
        assert got["env"] == {"COLOUR": "red", "OMP_NUM_THREADS": "2"}
        assert str(tmp_path) in got["path"]

    def test_output_goes_to_the_log_and_is_appended(self, workers: Workers, tmp_path: Path) -> None:
        log = tmp_path / "logs" / "task.log"
        for text in ("one", "two"):
            workers.call(f"{_HERE}:shout", {"text": text}, log=log)
        lines = log.read_text(encoding="utf-8").splitlines()
        assert sorted(lines[:2]) == ["err one", "out one"]
        assert sorted(lines[2:]) == ["err two", "out two"]

    def test_named_failures_cross(self, workers: Workers) -> None:
        with pytest.raises(NotFound, match="No such thing") as caught:
            workers.call(f"{_HERE}:fail_by_name", {})
        assert caught.value.hint == "Make one."
        assert caught.value.details == {"name": "thing"}

    def test_accidents_name_the_users_line(self, workers: Workers, tmp_path: Path) -> None:
        script = tmp_path / "users_script.py"
        script.write_text("import json\n\ndef main():\n    return json.loads('{')\n")
        with pytest.raises(WorkFailed, match="JSONDecodeError: Expecting") as caught:
            workers.call(
                f"{_HERE}:fail_by_accident",
                {"module": "users_script"},
                env={"PYTHONPATH": str(tmp_path)},
                log=tmp_path / "log",
            )
        details = caught.value.details
        assert details["type"] == "JSONDecodeError"
        assert (details["file"], details["line"]) == (str(script), 4)
        assert details["source"] == "return json.loads('{')"
        assert "line 4, in main" in caught.value.hint
        assert "JSONDecodeError" in (tmp_path / "log").read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        "target", ["no-colon", "athanor.nowhere:f", f"{_HERE}:nothing", f"{_HERE}:__doc__", ":f"]
    )
    def test_bad_targets_are_named(self, workers: Workers, target: str) -> None:
        with pytest.raises(BadTarget) as caught:
            workers.call(target, {})
        assert caught.value.hint

    def test_wrong_arguments_are_the_callers_failure(
        self, workers: Workers, tmp_path: Path
    ) -> None:
        with pytest.raises(WorkFailed, match="unexpected keyword"):
            workers.call(f"{_HERE}:sleep", {"minutes": 1}, log=tmp_path / "log")

    def test_what_is_no_data_is_refused(self, workers: Workers) -> None:
        with pytest.raises(WorkFailed, match="can't be sent"):
            workers.call(f"{_HERE}:unsendable", {})
        with pytest.raises(Invalid, match="payload"):
            workers.call(f"{_HERE}:echo", {"lock": threading.Lock()})

    def test_leaving_early(self, workers: Workers) -> None:
        assert workers.call(f"{_HERE}:leave", {"code": 0}) is None
        with pytest.raises(WorkFailed, match=r"sys.exit\(3\)"):
            workers.call(f"{_HERE}:leave", {"code": 3})

    def test_a_death_is_told(self, workers: Workers) -> None:
        with pytest.raises(WorkerDied, match="SIGKILL"):
            workers.call(f"{_HERE}:die", {"sign": int(signal.SIGKILL)})
        with pytest.raises(WorkerDied, match="exit status 7"):
            workers.call(f"{_HERE}:vanish", {"code": 7})
        assert workers.call(f"{_HERE}:echo", {"a": 1}) == {"a": 1}

    def test_its_exit_is_measured(self, workers: Workers) -> None:
        exits: list[Exit] = []
        child = workers.spawn(f"{_HERE}:burn", {"seconds": 0.3}, on_exit=exits.append)
        how = child.wait()
        assert how is not None
        assert (how.code, how.signal) == (0, None)
        assert 0.3 <= how.cpu_seconds < 2.0
        assert 5 * _MIB < how.max_rss_bytes < 4096 * _MIB
        assert eventually(lambda: exits == [how])

    def test_messages_arrive_in_order_before_the_end(self, workers: Workers) -> None:
        heard: list[int] = []
        got = workers.call(
            f"{_HERE}:count_aloud",
            {"upto": 200},
            on_message=lambda message: heard.append(message["number"]),
        )
        assert got == 200
        assert heard == list(range(1, 201))

    def test_a_listener_that_fails_does_not_stop_the_work(
        self, workers: Workers, caplog: pytest.LogCaptureFixture
    ) -> None:
        def complain(_message: dict[str, Any]) -> None:
            raise ValueError

        assert workers.call(f"{_HERE}:count_aloud", {"upto": 2}, on_message=complain) == 2
        assert "on_message" in caplog.text

    def test_time_out_ends_the_whole_group(self, workers: Workers, tmp_path: Path) -> None:
        pids = tmp_path / "pids"
        with pytest.raises(TookTooLong, match="longer than 3 s"):
            workers.call(f"{_HERE}:sleep_with_offspring", {"path": str(pids)}, timeout=3)
        # A signal that was sent is delivered a moment later.
        assert eventually(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))

    def test_kill_ends_also_the_stubborn(self, workers: Workers, tmp_path: Path) -> None:
        pids = tmp_path / "pids"
        child = workers.spawn(
            f"{_HERE}:sleep_with_offspring", {"path": str(pids), "stubborn": True}
        )
        assert eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        assert child.wait(0.05) is None
        child.kill(grace=0.3)
        how = child.wait(0)
        assert how is not None
        assert how.signal == signal.SIGKILL
        # A signal that was sent is delivered a moment later.
        assert eventually(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))
        child.kill()

    def test_another_thread_may_cancel(self, workers: Workers) -> None:
        child = workers.spawn(f"{_HERE}:sleep", {})
        assert child.pid > 0
        threading.Timer(0.2, child.kill).start()
        with pytest.raises(WorkerDied, match="SIGTERM"):
            child.result()

    def test_a_result_that_is_not_there_yet(self, workers: Workers) -> None:
        child = workers.spawn(f"{_HERE}:sleep", {"seconds": 0.5})
        with pytest.raises(TookTooLong, match="runs on"):
            child.result(timeout=0.01)
        assert child.result() == "slept"

    def test_what_it_left_behind_ends_with_it(self, workers: Workers) -> None:
        pid = workers.call(f"{_HERE}:leave_offspring", {})
        assert eventually(lambda: not alive(pid))

    def test_many_threads_at_once(self, workers: Workers) -> None:
        got: list[Any] = []

        def ask(number: int) -> None:
            got.extend(workers.call(f"{_HERE}:echo", {"n": number * 10 + i})["n"] for i in range(3))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == sorted(n * 10 + i for n in range(8) for i in range(3))

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces RLIMIT_DATA")
    def test_memory_is_limited(self, workers: Workers, tmp_path: Path) -> None:
        size = {"size_bytes": 200 * _MIB}
        assert workers.call(f"{_HERE}:take_memory", size) == 200 * _MIB
        with pytest.raises(WorkFailed, match="MemoryError") as caught:
            workers.call(
                f"{_HERE}:take_memory", size, memory_bytes=100 * _MIB, log=tmp_path / "log"
            )
        assert "more memory" in caught.value.hint

    def test_no_descriptor_or_thread_is_left(self, workers: Workers) -> None:
        def held() -> tuple[int, int]:
            return len(list(Path("/dev/fd").iterdir())), threading.active_count()

        workers.call(f"{_HERE}:echo", {})
        before = held()
        for _ in range(5):
            workers.call(f"{_HERE}:echo", {})
        assert eventually(lambda: held() <= before)
