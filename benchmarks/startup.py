"""What a start costs, and what an idle server holds, with compiled bytecode and without.

    python benchmarks/startup.py [--runs 5]

CPU seconds are user and system time together: they stay the same on a busy machine. Each figure is
the least of several runs. "Without bytecode" compiles every module again at each start; its figures
are told, and only those with bytecode are judged.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from measures.processes import cpu_of, megabytes_of, tree

_ATHANOR = str(Path(sys.executable).with_name("athanor"))
_PATIENCE_SECONDS = 120
_IDLE_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One round of measurements."""

    help_cpu_seconds: float
    """`athanor --help`, the whole process."""
    import_seconds: float
    """`import athanor`, without the interpreter's own start."""
    first_answer_cpu_seconds: float
    """`athanor up` on a fresh workspace until /healthz says 200: the server's own process."""
    first_answer_tree_cpu_seconds: float
    """The same, with what warms up behind it by then."""
    warm_cpu_seconds: float
    """Until the pool is warm: all processes."""
    first_answer_wall_seconds: float
    warm_wall_seconds: float
    idle_megabytes: float
    """Proportional memory (PSS, 2^20 bytes) of all processes, some seconds after."""
    processes: int


LIMITS = {
    "help_cpu_seconds": 0.3,
    "import_seconds": 0.1,
    "first_answer_cpu_seconds": 2.5,
    "warm_cpu_seconds": 8.0,
    "idle_megabytes": 300.0,
}


def main() -> int:
    """Measure, tell; 1 when over a limit."""
    # A benchmark that is ended ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description="Measure starts and the idle server.")
    parser.add_argument("--runs", type=int, default=3, help="runs that the least is taken of")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="athanor-startup-") as folder:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ATHANOR_") and name != "PYTHONDONTWRITEBYTECODE"
        }
        compiled = environment | {"PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
        bare = environment | {
            "PYTHONPYCACHEPREFIX": f"{folder}/none",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        _measure(compiled)  # writes the bytecode
        with_bytecode = _least([_measure(compiled) for _ in range(runs)])
        without = _measure(bare)
    over = {name: limit for name, limit in LIMITS.items() if getattr(with_bytecode, name) > limit}
    print(
        json.dumps(
            {
                "with_bytecode": asdict(with_bytecode),
                "without_bytecode": asdict(without),
                "without_over_with": {
                    field.name: round(
                        getattr(without, field.name) / (getattr(with_bytecode, field.name) or 1), 2
                    )
                    for field in fields(Figures)
                },
                "limits": LIMITS,
                "over": sorted(over),
            },
            indent=2,
        )
    )
    return int(bool(over))


def _least(rounds: list[Figures]) -> Figures:
    least = {
        field.name: min(getattr(figures, field.name) for figures in rounds)
        for field in fields(Figures)
    }
    return Figures(**least)


def _measure(environment: dict[str, str]) -> Figures:
    with _server(environment) as (server, workspace, started):
        url = _wait_until_served(server, workspace)
        first_wall = time.monotonic() - started
        first, first_tree = cpu_of(server.pid), sum(map(cpu_of, tree(server.pid)))
        while not _answer(f"{url}/readyz").get("pool_warm"):
            _check_patience(started)
            time.sleep(0.05)
        warm_wall = time.monotonic() - started
        warm = sum(map(cpu_of, tree(server.pid)))
        time.sleep(_IDLE_SECONDS)
        processes = tree(server.pid)
        memory = sum(map(megabytes_of, processes))
    return Figures(
        help_cpu_seconds=round(_cpu_of_help(environment), 3),
        import_seconds=round(_import_seconds(environment), 4),
        first_answer_cpu_seconds=round(first, 2),
        first_answer_tree_cpu_seconds=round(first_tree, 2),
        warm_cpu_seconds=round(warm, 2),
        first_answer_wall_seconds=round(first_wall, 2),
        warm_wall_seconds=round(warm_wall, 2),
        idle_megabytes=round(memory, 1),
        processes=len(processes),
    )


@contextlib.contextmanager
def _server(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], Path, float]]:
    """A server on a fresh workspace, its start's instant beside it."""
    workspace = Path(tempfile.mkdtemp(prefix="athanor-startup-workspace-"))
    log = workspace.with_suffix(".log")
    with log.open("wb") as output:
        started = time.monotonic()
        server = subprocess.Popen(
            [_ATHANOR, "up", "--port", "0", "--workspace", str(workspace)],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield server, workspace, started
    except RuntimeError:
        print(log.read_text(errors="replace"), file=sys.stderr)
        raise
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(workspace, ignore_errors=True)
        log.unlink()


def _wait_until_served(server: subprocess.Popen[bytes], workspace: Path) -> str:
    """The URL, as soon as it says 200."""
    started = time.monotonic()
    while True:
        if server.poll() is not None:
            message = f"the server ended with {server.returncode}"
            raise RuntimeError(message)
        _check_patience(started)
        with contextlib.suppress(OSError, ValueError, KeyError, urllib.error.URLError):
            url = str(json.loads((workspace / "server.json").read_text())["url"])
            _answer(f"{url}/healthz")
            return url
        time.sleep(0.01)


def _check_patience(started: float) -> None:
    if time.monotonic() - started > _PATIENCE_SECONDS:
        message = f"not there after {_PATIENCE_SECONDS} seconds"
        raise RuntimeError(message)


def _answer(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own loopback URL
        return dict(json.load(answer))


def _cpu_of_help(environment: dict[str, str]) -> float:
    return _cpu_of_command([_ATHANOR, "--help"], environment)


def _cpu_of_command(command: list[str], environment: dict[str, str]) -> float:
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        message = f"{' '.join(command)} ended with {child.returncode}"
        raise RuntimeError(message)
    return used.ru_utime + used.ru_stime


def _import_seconds(environment: dict[str, str]) -> float:
    program = (
        "import time; begin = time.process_time(); import athanor; "
        "print(time.process_time() - begin)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
