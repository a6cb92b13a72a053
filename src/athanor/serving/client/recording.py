"""The prediction log's settings over a transport."""

from collections.abc import Iterable

from athanor.kernel.transport import Transport, segment
from athanor.serving.types.recording import Durability, LogPolicy, LogStatus


class RecordingClient:
    """What is kept of predictions."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def log_policy(self, name: str) -> LogPolicy:
        """How the endpoint's predictions are logged."""
        return self._transport.send("GET", _path(name)).read(LogPolicy)

    def keep_log(
        self,
        name: str,
        *,
        durability: Durability | None = None,
        sample: float | None = None,
        redact: Iterable[str] | None = None,
    ) -> LogPolicy:
        """Log the endpoint's predictions in this way from now on; what is None stays.

        `durability` is `os`, `fsync` or `off`; `sample` the part of the requests that is logged, 0
        to 1; `redact` the columns whose values are masked.
        """
        now = self.log_policy(name)
        body = LogPolicy(
            durability=now.durability if durability is None else durability,
            sample=now.sample if sample is None else sample,
            redact=now.redact if redact is None else tuple(redact),
        )
        return self._transport.send("PUT", _path(name), body=body).read(LogPolicy)

    def log_status(self, name: str) -> LogStatus:
        """How the endpoint's predictions are logged, and how far the log is behind."""
        return self._transport.send("GET", f"{_path(name)}/status").read(LogStatus)


def _path(name: str) -> str:
    return f"/endpoints/{segment(name)}/log"
