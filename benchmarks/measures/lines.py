"""One line of a benchmark: a figure and what it may be; and what a piece of work costs."""

import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A measured figure."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    """The most that it may be; None: it is told, not judged."""
    note: str = ""

    def kept(self) -> bool:
        """Whether it is within its limit."""
        return self.limit is None or self.value <= self.limit

    def __str__(self) -> str:
        limit = "" if self.limit is None else f" (limit {self.limit:g})"
        mark = "" if self.kept() else "  NOT KEPT"
        note = f"  [{self.note}]" if self.note else ""
        return f"{self.name:<58} {self.value:10.3f} {self.unit}{limit}{mark}{note}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a piece of work took."""

    cpu_seconds: float
    """User and system, of the process and its children."""
    megabytes: float
    """Peak resident memory of the process, in 2^20 bytes."""


def spent(work: Callable[[], object]) -> Spent:
    """Do work in a fork of this process, with what is imported here, and tell what it took.

    Raises: RuntimeError where the work failed.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - told here; the parent sees the code
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"the measured work failed: status {status}")
    cpu = usage.ru_utime + usage.ru_stime
    return Spent(cpu_seconds=cpu, megabytes=usage.ru_maxrss / 1024)


def least(work: Callable[[], object], runs: int) -> Spent:
    """The least that several runs took."""
    found = [spent(work) for _ in range(runs)]
    return Spent(
        cpu_seconds=min(item.cpu_seconds for item in found),
        megabytes=min(item.megabytes for item in found),
    )
