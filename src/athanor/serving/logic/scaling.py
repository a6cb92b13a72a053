"""How many workers a deployment shall have, from how many requests are under way.

The rule of concurrency (Knative's autoscaler has the same): as many workers as the requests under
way need at so many each. More come as soon as the mean over a short window asks for them; they
leave once nothing within the cooldown asked for them, so that a pause between two waves keeps them.
Where none may be left, the last one leaves after the idle time, and the next request wakes it.
"""

import math
from collections import deque

from athanor.serving.types.rollouts import Scaling

_WINDOW_SECONDS = 1.0


class Scaler:
    """One deployment's number of workers. Times are seconds of any steady clock."""

    def __init__(self, scaling: Scaling, now: float, *, awake: bool) -> None:
        self.scaling = scaling
        self.last_request = now
        """When a request was under way last."""
        self._count = max(1, scaling.min) if awake or scaling.min else 0
        self._recent: deque[tuple[float, int]] = deque()
        self._asked: deque[tuple[float, int]] = deque()

    @property
    def wanted(self) -> int:
        """Workers that there shall be by now."""
        return self._count

    @property
    def asleep(self) -> bool:
        """Whether there shall be none until a request comes."""
        return self._count == 0

    def change(self, scaling: Scaling) -> None:
        """Follow other bounds from now on."""
        self.scaling = scaling
        if self._count:
            self._count = self._bounded(self._count)
        elif scaling.min:
            self._count = scaling.min

    def wake(self, now: float) -> bool:
        """A request waits: have a worker; False where there is one already."""
        self.last_request = now
        if self._count:
            return False
        self._count = 1
        self._asked.clear()
        return True

    def sleep(self) -> None:
        """Have no worker until a request comes; without effect where one is wanted always."""
        if not self.scaling.min:
            self._count = 0

    def observe(self, now: float, in_flight: int, used: float = 0.0) -> None:
        """Take what was seen: requests under way, and when the last one came."""
        self.last_request = now if in_flight else max(self.last_request, used)
        if not self._count:
            return
        self._recent.append((now, in_flight))
        while self._recent[0][0] < now - _WINDOW_SECONDS:
            self._recent.popleft()
        mean = sum(count for _, count in self._recent) / len(self._recent)
        asked = self._bounded(math.ceil(mean / self.scaling.concurrency))
        while self._asked and self._asked[-1][1] <= asked:
            self._asked.pop()
        self._asked.append((now, asked))
        while self._asked[0][0] < now - self.scaling.cooldown_seconds:
            self._asked.popleft()
        # What stands first is the most that was asked for within the cooldown.
        self._count = self._asked[0][1]
        if not self.scaling.min and now - self.last_request >= self.scaling.idle_seconds:
            self._count = 0
            self._recent.clear()

    def _bounded(self, count: int) -> int:
        return min(self.scaling.max, max(1, self.scaling.min, count))
