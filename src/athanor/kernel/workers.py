"""The port to work done in processes of its own: killable, measured, and apart from the server.

A target is named "module:function" and is called with a payload of keywords. What goes in and
comes out is data (None, bool, int, float with NaN and infinities, str, bytes, lists, dicts with
string keys, dataclasses, aware datetimes); results arrive as plain lists and dicts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypedDict, Unpack

from athanor.kernel.errors import AthanorError, Unavailable


class WorkerDied(Unavailable):
    """The process ended without an answer: it crashed, was killed, or its parent died."""


class WorkFailed(AthanorError):
    """The function raised an exception that is no `AthanorError`.

    `details`: `type` and `message` of the exception, `traceback` (text), and the line of the
    user's own code that it came from: `file`, `line` (1, 2, 3 ...), `function`, `source`.
    """

    status = 500


class BadTarget(AthanorError):
    """The target names nothing that can be called."""

    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a process ended and what it used."""

    code: int | None
    """Its exit status, or None if a signal ended it or nobody could see how it ended."""
    signal: int | None = None
    """The signal that ended it."""
    cpu_seconds: float = 0.0
    """User and system time, with that of its own children that it waited for."""
    max_rss_bytes: int = 0
    """The most memory it held at once; a forked worker starts with its parent's shared pages."""


class Options(TypedDict, total=False):
    """The surroundings of a worker; each may be left out."""

    log: Path | None
    """A file that its stdout and stderr are appended to; without it they are the server's."""
    env: Mapping[str, str] | None
    """Set on top of the server's environment; PYTHONPATH goes in front of the import path."""
    cwd: Path | None
    umask: int | None
    threads: int
    """How many threads numeric libraries may use; 1 unless said."""
    memory_bytes: int | None
    """How much private memory it may take on top of what it starts with; more is a MemoryError."""
    session: bool
    """A session of its own (the default), not only a process group of its own."""
    light: bool
    """Whether it needs none of what is loaded ahead: its fork is then several times cheaper."""
    silent: bool
    """Nobody asks for its result nor for what it reports: how it ended is all. It costs less."""
    on_message: Callable[[dict[str, Any]], None] | None
    """Called with what the worker `report`s, in order, on a thread of this worker's own."""
    on_exit: Callable[[Exit], None] | None
    """Called once when the worker has ended, on the same thread, after the last message.

    Of a silent one, on a thread that all of them share.
    """


class Child(Protocol):
    """A worker that was started."""

    @property
    def pid(self) -> int:
        """The process id, which is its group's id too; waits until the process exists.

        Raises: WorkerDied.
        """
        ...

    def wait(self, timeout: float | None = None) -> Exit | None:
        """How it ended; None if it still runs after `timeout` seconds."""
        ...

    def result(self, timeout: float | None = None) -> Any:
        """What the function returned.

        Raises: TookTooLong (it runs on), WorkerDied, WorkFailed, BadTarget and whatever
        AthanorError the function raised.
        """
        ...

    def kill(self, grace: float = 5.0) -> None:
        """End it and its group: SIGTERM, and SIGKILL after `grace` seconds; waits for the end."""
        ...


class Workers(Protocol):
    """Runs functions in processes of their own. May be used from any thread."""

    @property
    def warm(self) -> bool:
        """Whether the next worker starts as fast as it ever will."""
        ...

    def start(self) -> None:
        """Make ready ahead of the first use; returns at once."""
        ...

    def warm_up(self) -> None:
        """Load what was left until it is worth it; returns at once, and the next worker waits."""
        ...

    def call(
        self,
        target: str,
        payload: Mapping[str, Any],
        *,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> Any:
        """Run "module:function" with the payload as keywords, and return what it returns.

        The process is killed with its whole group after `timeout` seconds.

        Raises: TookTooLong, WorkerDied, WorkFailed, BadTarget and whatever AthanorError the
        function raised.
        """
        ...

    def spawn(self, target: str, payload: Mapping[str, Any], **options: Unpack[Options]) -> Child:
        """Start "module:function" with the payload as keywords; it runs until it returns."""
        ...

    def close(self, grace: float = 2.0) -> None:
        """End every worker (SIGTERM, SIGKILL after `grace` seconds) and start no more."""
        ...


outbox: list[Callable[[dict[str, Any]], None]] = []
"""How a message leaves this process; filled inside a worker."""


def report(message: Mapping[str, Any]) -> None:
    """Inside a worker: send a message to `on_message` of whoever started it. Elsewhere: nothing."""
    for send in outbox:
        send(dict(message))
