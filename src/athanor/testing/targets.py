"""Functions for workers to run in tests. Light, since fresh interpreters load it each time."""

import gc
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from athanor.kernel.errors import NotFound
from athanor.kernel.workers import report


def echo(**payload: object) -> dict[str, object]:
    """The payload again."""
    return payload


def surroundings(names: list[str]) -> dict[str, Any]:
    """Where it runs."""
    mask = os.umask(0)
    os.umask(mask)
    return {
        "pid": os.getpid(),
        "group": os.getpgrp(),
        "session": os.getsid(0),
        "cwd": str(Path.cwd()),
        "umask": mask,
        "env": {name: os.environ.get(name) for name in names},
        "path": sys.path[:3],
    }


def imported(names: list[str]) -> list[str]:
    """Which of these modules were loaded before."""
    return [name for name in names if name in sys.modules]


def shout(text: str) -> None:
    """Write to both outputs."""
    sys.stdout.write(f"out {text}\n")
    sys.stderr.write(f"err {text}\n")


def fail_by_name() -> None:
    """Raise a failure of Athanor's."""
    raise NotFound("No such thing.", hint="Make one.", details={"name": "thing"})


def fail_by_accident(module: str) -> object:
    """Run a user's module that raises."""
    found: object = __import__(module).main()
    return found


def leave(code: int) -> None:
    """Call sys.exit."""
    sys.exit(code)


def die(sign: int) -> None:
    """End by a signal."""
    os.kill(os.getpid(), sign)
    time.sleep(60)


def vanish(code: int) -> None:
    """End without an answer."""
    os._exit(code)


def unsendable() -> object:
    """Something that is no data."""
    return threading.Lock()


def sleep(seconds: float = 60.0) -> str:
    """Take time."""
    time.sleep(seconds)
    return "slept"


def sleep_with_offspring(path: str, *, stubborn: bool = False) -> None:
    """Take time, and have a child that does too; both ids are written to the path."""
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["/bin/sleep", "60"])
    Path(path).write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    child.wait()
    time.sleep(60)


def leave_offspring() -> int:
    """Start a process and leave it behind."""
    return subprocess.Popen(["/bin/sleep", "60"], close_fds=False).pid


def burn(seconds: float) -> None:
    """Use the processor."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def take_memory(size_bytes: int) -> int:
    """Hold that much memory."""
    return len(bytearray(b"x") * size_bytes)


def count_aloud(upto: int) -> int:
    """Report 1, 2 ... upto."""
    for number in range(1, upto + 1):
        report({"number": number})
    return upto


def loaded() -> dict[str, object]:
    """What was there before the fork: modules, frozen objects, and threads of both counts."""
    tasks = len(list(Path("/proc/self/task").iterdir()))
    return {
        "modules": sorted(sys.modules),
        "frozen": gc.get_freeze_count(),
        "threads": [threading.active_count(), tasks],
    }


def numeric_threads() -> dict[str, object]:
    """How many threads each numeric library that is loaded would use."""
    pools = importlib.import_module("threadpoolctl").threadpool_info()
    arrow = importlib.import_module("pyarrow")
    return {"pools": [pool["num_threads"] for pool in pools], "arrow": arrow.cpu_count()}


def fit_forest() -> int:
    """Train by OpenMP and multiply by OpenBLAS, which hang after a careless fork."""
    numpy = importlib.import_module("numpy")
    lightgbm = importlib.import_module("lightgbm")
    random = numpy.random.default_rng(0)
    features = random.normal(size=(400, 300))
    features @ features.T
    model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1)
    model.fit(features, features[:, 0] > 0)
    trees: int = model.n_estimators_
    return trees


def order_of_a_set() -> list[str]:
    """The order of a set of strings, which hash randomisation would shuffle."""
    return list({f"name {number}" for number in range(20)})
