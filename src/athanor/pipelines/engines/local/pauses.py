"""Tasks that begin again after a pause."""

import heapq
import time


class Pauses:
    """The tasks that wait, each until its moment. For one thread."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, str, str]] = []

    def add(self, run: str, task: str, seconds: float) -> None:
        """Let a task wait, by its run's id and its name."""
        heapq.heappush(self._waiting, (time.monotonic() + seconds, run, task))

    def left(self, most: float) -> float:
        """Seconds until the next task's pause is over, `most` at most."""
        if not self._waiting:
            return most
        return min(most, max(0.0, self._waiting[0][0] - time.monotonic()))

    def over(self) -> list[tuple[str, str]]:
        """Take out those whose pause is over: the run and the task of each, oldest first."""
        found = []
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, run, task = heapq.heappop(self._waiting)
            found.append((run, task))
        return found

    def forget(self, run: str) -> set[str]:
        """Take out the tasks of a run."""
        found = {task for _, own, task in self._waiting if own == run}
        self._waiting = [item for item in self._waiting if item[1] != run]
        heapq.heapify(self._waiting)
        return found

    def clear(self) -> None:
        """Take out all."""
        self._waiting.clear()
