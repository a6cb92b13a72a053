"""One deployment that the plane answers from: inside the plane, or through its workers."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from athanor.kernel.errors import AthanorError
from athanor.serving.errors import ModelRefusedInput, WorkerUnavailable
from athanor.serving.logic.exposition import Labels
from athanor.serving.logic.frames import Body, Hello, Reply
from athanor.serving.logic.routing import Cold, Route, Target
from athanor.serving.logic.rows import Recorder
from athanor.serving.logic.signature import Row
from athanor.serving.plane.links import Call, Pool, deadline_in
from athanor.serving.runtimes.compiled import CompiledRuntime, load

logger = logging.getLogger(__name__)

_INLINE_ROWS = 512
"""Rows that are predicted on the loop; more go to a thread."""
_FOLDED = "folded"

Then: TypeAlias = Callable[[Reply | AthanorError, Hello | None], None]
"""Called once, with the reply and the model's hello, or with a failure and None."""


class Served:
    """One deployment, with whatever answers for it."""

    def __init__(
        self, route: Route, target: Target, ring: Callable[[str], None] = lambda _: None
    ) -> None:
        self._ring = ring
        self.used = 0.0
        """time.monotonic() of its last request."""
        self.pool = Pool(target.sockets)
        self.compiled: CompiledRuntime | None = None
        self.wakes = Cold()
        """Its loads for requests that came while it slept."""
        self._woken_at = 0.0
        self._loading: asyncio.Future[CompiledRuntime] | None = None
        self._gathered: list[tuple[list[Row], Then]] = []
        self._waiting: list[tuple[list[Row], Then, float]] = []
        self.update(route, target)

    def update(self, route: Route, target: Target) -> None:
        """Take a new table's word for it."""
        self.route = route
        self.target = target
        self.recorder = Recorder(target.signature, route.log.redact)
        self.labels: Labels = (route.name, target.id, target.model, str(target.version))
        self.batched = target.runtime.get("kind", _FOLDED) != _FOLDED

        if target.asleep and not (self._gathered or self._waiting):
            self.compiled = None  # the next request loads it again

    def connect(self) -> None:
        """Begin to make the links; load what answers inside the plane, beside the loop."""
        self.pool.connect()
        if not self.target.asleep:
            self._load()

    def _load(self) -> bool:
        """Begin to load what answers inside the plane; False where nothing is to be loaded."""
        folder = self.target.runtime.get("folder")
        if not folder or self.compiled is not None or self._loading is not None:
            return False
        loop = asyncio.get_running_loop()
        self._loading = loop.run_in_executor(None, load, Path(folder))
        self._loading.add_done_callback(self._loaded)
        return True

    def close(self) -> None:
        """Let it go once nothing is under way."""
        self.pool.close()

    @property
    def ready(self) -> bool:
        """Whether a request would be answered at once."""
        return self.compiled is not None or self.pool.ready

    @property
    def hello(self) -> Hello | None:
        """What the model says about itself, if it is loaded."""
        return self.pool.hello if self.compiled is None else self.compiled.hello

    @property
    def described(self) -> Hello | None:
        """What its answers look like, as far as that is known."""
        return self.hello

    @property
    def unheard(self) -> bool:
        """Whether only a worker that is not there yet can say what its model is."""
        target = self.target
        return self.hello is None and not target.runtime.get("folder") and target.graph is None

    def submit(self, rows: list[Row], then: Then, seconds: float, body: Body | None = None) -> None:
        """Have these rows, or those of a body, predicted within so many seconds."""
        self.used = time.monotonic()
        if self.compiled is None:
            if self.target.asleep:
                self._awake()
            if self._loading is None:
                self.pool.submit(Call(rows, then, deadline_in(seconds), body=body))
            else:
                self._waiting.append((rows, then, seconds))
        elif len(rows) > _INLINE_ROWS:
            self._beside(self.compiled, rows, then)
        elif self.batched:
            if not self._gathered:
                asyncio.get_running_loop().call_soon(self._together)
            self._gathered.append((rows, then))
        else:
            then(_answered(self.compiled, rows), self.compiled.hello)

    def _awake(self) -> None:
        """Load what answers inside the plane; the server is told, who has the rest started."""
        self._ring(self.target.id)
        if self._load():
            self._woken_at = time.monotonic()

    def _loaded(self, done: "asyncio.Future[CompiledRuntime]") -> None:
        self._loading = None
        if done.exception() is None:
            self.compiled = done.result()
            if self._woken_at:
                took, before = time.monotonic() - self._woken_at, self.wakes
                self._woken_at = 0.0
                self.wakes = Cold(count=before.count + 1, last=took, total=before.total + took)
        else:
            logger.error(
                "Deployment %s is left to its workers: %s", self.target.id, done.exception()
            )
        waiting, self._waiting = self._waiting, []
        for rows, then, seconds in waiting:
            self.submit(rows, then, seconds)

    def _together(self) -> None:
        """Predict what came in one tick of the loop with one call."""
        gathered, self._gathered = self._gathered, []
        model = self.compiled
        if model is None:  # it went away in between
            for _, then in gathered:
                then(WorkerUnavailable("its deployment was taken away"), None)
            return
        replies: list[Reply | AthanorError] = []
        if len(gathered) > 1:
            whole = _answered(model, [row for rows, _ in gathered for row in rows])
            if isinstance(whole, Reply):
                replies += _divided(whole, [len(rows) for rows, _ in gathered])
        if not replies:
            replies += [_answered(model, rows) for rows, _ in gathered]
        for (_, then), reply in zip(gathered, replies, strict=True):
            then(reply, model.hello)

    def _beside(self, model: CompiledRuntime, rows: list[Row], then: Then) -> None:
        """Predict many rows on a thread, so that other requests do not wait for them."""
        work = asyncio.get_running_loop().run_in_executor(None, _answered, model, rows)
        work.add_done_callback(lambda done: then(done.result(), model.hello))


def _answered(model: CompiledRuntime, rows: list[Row]) -> Reply | AthanorError:
    try:
        return model.predict(rows)
    except AthanorError as error:
        return error
    except (TypeError, ValueError, OverflowError) as error:
        # Python's words for a value that a step can't read: who sent it is told.
        logger.warning("A compiled model could not read a request: %r", error)
        return ModelRefusedInput(f"{type(error).__name__}: {error}")
    except Exception as error:
        logger.exception("A compiled model failed")
        return ModelRefusedInput(f"{type(error).__name__}: {error}")


def _divided(whole: Reply, counts: list[int]) -> list[Reply]:
    width = len(whole.numbers) // sum(counts)
    replies, start = [], 0
    for count in counts:
        end = start + count
        numbers = whole.numbers[start * width : end * width]
        replies.append(Reply(whole.labels[start:end], numbers))
        start = end
    return replies
