"""How many workers each deployment shall have by now: load, sleep, and waking."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from athanor.serving.logic.scaling import Scaler
from athanor.serving.types import RUNNING, Deployment, Endpoint
from athanor.serving.types.rollouts import ColdStart

_TRIED_AT_ONCE = 2
"""Members whose models are tried at the same time."""


@dataclass(slots=True)
class _Waking:
    """The cold starts of one deployment."""

    began: float = 0.0
    """When the start under way began, or 0."""
    seconds: list[float] = field(default_factory=list)


class Headcount:
    """Decides on numbers of workers; who carries it out is the crew."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._scalers: dict[str, Scaler] = {}
        self._waking: dict[str, _Waking] = {}
        self._in_flight: dict[str, int] = {}
        self.crowded = False
        """Whether an endpoint may not hold all of its members at once."""

    def wanted(self, endpoints: Iterable[Endpoint]) -> dict[str, int]:
        """Workers by deployment id, of every deployment that may have some."""
        now = time.monotonic()
        found: dict[str, int] = {}
        crowded = False
        with self._lock:
            for endpoint in endpoints:
                crowded = crowded or endpoint.capacity > 0
                trying = 0
                for item in reversed(endpoint.deployments):
                    if item.state not in RUNNING:
                        continue
                    count = self._count(item, now)
                    if item.state == "starting" and item.rollout.kind == "member":
                        trying += 1
                        count = count if trying <= _TRIED_AT_ONCE else 0
                    found[item.id] = count
                self._unload(endpoint, found)
            self.crowded = crowded
            for gone in [name for name in self._scalers if name not in found]:
                del self._scalers[gone]
                self._waking.pop(gone, None)
        return found

    @property
    def watches(self) -> bool:
        """Whether any deployment's number depends on its load."""
        return any(
            scaler.scaling.min == 0 or scaler.scaling.max > scaler.scaling.min
            for scaler in self._scalers.values()
        )

    def observe(self, stats: Mapping[str, list[Any]]) -> bool:
        """Take the planes' figures by deployment; whether a number changed."""
        now = time.monotonic()
        with self._lock:
            before = {name: scaler.wanted for name, scaler in self._scalers.items()}
            for name, scaler in self._scalers.items():
                series = stats.get(name, [])
                in_flight = sum(int(item.get("in_flight", 0)) for item in series)
                used = max((float(item.get("used", 0.0)) for item in series), default=0.0)
                self._in_flight[name] = in_flight
                scaler.observe(now, in_flight, used)
            return before != {name: scaler.wanted for name, scaler in self._scalers.items()}

    def wake(self, deployment: str) -> bool:
        """A request waits for a deployment without workers; whether one is to be hired."""
        now = time.monotonic()
        with self._lock:
            scaler = self._scalers.get(deployment)
            if scaler is None or not scaler.wake(now):
                return False
            waking = self._waking.setdefault(deployment, _Waking())
            waking.began = waking.began or now
            return True

    def asleep(self, deployment: str) -> bool:
        """Whether it shall have nothing running until a request comes."""
        scaler = self._scalers.get(deployment)
        return scaler is not None and scaler.asleep

    def answers(self, deployment: str, *, inside: bool = False) -> bool:
        """The planes know its worker: a cold start ends, if one was under way.

        What answers `inside` the planes is loaded, and measured, by them.
        """
        with self._lock:
            waking = self._waking.get(deployment)
            if waking is None or not waking.began:
                return False
            if not inside:
                waking.seconds.append(time.monotonic() - waking.began)
            waking.began = 0.0
            return True

    def waking(self) -> list[str]:
        """The deployments whose cold start is under way."""
        with self._lock:
            return [name for name, waking in self._waking.items() if waking.began]

    def cold_start(self, deployment: str) -> ColdStart:
        """How long its cold starts took so far."""
        with self._lock:
            seconds = self._waking[deployment].seconds if deployment in self._waking else []
            if not seconds:
                return ColdStart()
            return ColdStart(
                count=len(seconds),
                last_seconds=seconds[-1],
                mean_seconds=sum(seconds) / len(seconds),
                max_seconds=max(seconds),
            )

    def idle_seconds(self, deployment: str) -> float | None:
        """Since its last request, as far as its load is watched."""
        scaler = self._scalers.get(deployment)
        return None if scaler is None else time.monotonic() - scaler.last_request

    def _count(self, deployment: Deployment, now: float) -> int:
        scaling = deployment.scaling
        if deployment.rollout.graph is not None:
            return 0
        if scaling is None:
            self._scalers.pop(deployment.id, None)
            return deployment.replicas
        scaler = self._scalers.get(deployment.id)
        if scaler is None:
            # Its model is tried once before it may sleep.
            awake = deployment.state == "starting"
            scaler = self._scalers[deployment.id] = Scaler(scaling, now, awake=awake)
        elif scaler.scaling != scaling:
            scaler.change(scaling)
        if deployment.state in {"starting", "canary"}:
            # It is tried, or judged: its idle time begins after that.
            scaler.last_request = now
            scaler.wake(now)
        return scaler.wanted

    def _unload(self, endpoint: Endpoint, found: dict[str, int]) -> None:
        """Have the members that were used least recently sleep where too many are loaded."""
        if not endpoint.capacity:
            return
        loaded = [
            item.id
            for item in endpoint.deployments
            if item.state == "member" and found.get(item.id)
        ]
        loaded.sort(key=lambda name: (self._waited_for(name), self._scalers[name].last_request))
        for name in loaded[: max(0, len(loaded) - endpoint.capacity)]:
            self._scalers[name].sleep()
            found[name] = self._scalers[name].wanted

    def _waited_for(self, name: str) -> bool:
        waking = self._waking.get(name)
        return bool(self._in_flight.get(name)) or bool(waking and waking.began)
