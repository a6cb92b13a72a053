"""Who looks after running steps: logs stay in bounds, time limits are kept, ends are explained."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread

from athanor.kernel import AthanorError
from athanor.kernel.workers import Child, Exit
from athanor.pipelines.engines.local.leftovers import descendants, shorten_log
from athanor.pipelines.errors import StepDied

_LOOK_SECONDS = 1.0
_GRACE_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Guarded:
    """A step under way, for whoever looks after it."""

    log: Path
    began: float
    limit: float | None
    """Seconds that it may take."""
    child: Child | None = None
    late: bool = False
    """Whether it was ended because it took too long."""
    over: bool = False


class Guard:
    """Looks after running steps: their logs stay in bounds, and their time limits are kept."""

    def __init__(self) -> None:
        self._running: dict[str, Guarded] = {}
        self._changed = Condition()
        self._thread: Thread | None = None
        self._until = 0.0

    def watch(self, task_id: str, guarded: Guarded) -> None:
        """Begin to look after a step."""
        with self._changed:
            if guarded.over:
                return
            self._running[task_id] = guarded
            if self._thread is None:
                self._thread = Thread(target=self._look, name="steps' guard", daemon=True)
                self._thread.start()
            elif guarded.limit is not None or self._until == 0.0:
                self._changed.notify_all()

    def leave(self, task_id: str) -> None:
        """It has ended."""
        with self._changed:
            self._running.pop(task_id, None)

    def _look(self) -> None:
        while True:
            with self._changed:
                pause = self._pause()
                self._until = time.monotonic() + pause if pause else 0.0
                self._changed.wait(pause)
                running = list(self._running.values())
            now = time.monotonic()
            for guarded in running:
                if guarded.limit is not None and not guarded.late and guarded.child is not None:
                    guarded.late = now >= guarded.began + guarded.limit
                    if guarded.late:
                        Thread(target=end_step, args=(guarded.child,), daemon=True).start()
                with contextlib.suppress(OSError):
                    shorten_log(guarded.log)

    def _pause(self) -> float | None:
        """Seconds until the next look; None while nothing runs."""
        if not self._running:
            return None
        now = time.monotonic()
        limits = (
            item.began + item.limit - now
            for item in self._running.values()
            if item.limit is not None and not item.late
        )
        return max(0.001, min(_LOOK_SECONDS, *limits, _LOOK_SECONDS))


def end_step(child: Child) -> None:
    """End a step and all that it started, those with a session of their own, too."""
    try:
        started = list(descendants(child.pid))
    except AthanorError:  # it has not begun
        started = []
    child.kill(_GRACE_SECONDS)
    for pid in started:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def death_of(step: str, ended: Exit) -> StepDied:
    """Why a step's process ended before its function did."""
    if ended.signal is None:
        code = "for reasons unknown" if ended.code is None else f"with exit status {ended.code}"
        return StepDied(
            step, f"ended {code} before its function returned", "Read its log for the last words."
        )
    try:
        name = signal.Signals(ended.signal).name
    except ValueError:
        name = f"signal {ended.signal}"
    hint = "Read its log for the last words."
    if name == "SIGKILL":
        hint = "Most likely the machine ran out of memory: give the step less data, or more room."
    elif name in {"SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL"}:
        hint = "A native library crashed; the log may name it. Try another version of it."
    return StepDied(step, f"was ended by {name}", hint)
