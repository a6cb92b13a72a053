"""Batch predictions over a transport."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from athanor.kernel import nearby
from athanor.kernel.errors import TookTooLong, error_from_dict
from athanor.kernel.transport import Transport, segment
from athanor.serving.errors.batches import BatchFileElsewhere
from athanor.serving.types.batches import Batch, BatchFile, NewBatch

BatchList: TypeAlias = list[Batch]

_LOOK_SECONDS, _WAIT_SECONDS = 0.25, 20.0
_LARGE = 4 << 20
"""Bytes: smaller files are sent."""


class BatchesClient:
    """Predictions for whole tables: a dataset, a query or files in, a dataset version out."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def submit(self, new: NewBatch) -> Batch:
        """Have a model version predict rows; returns at once."""
        return self._transport.send("POST", "/batches", body=new).read(Batch)

    def add_file(self, path: Path | str, file: str = "") -> BatchFile:
        """Send a file that batches can name; a large one that the server sees is not sent."""
        sent = Path(path)
        if sent.stat().st_size >= _LARGE:
            with suppress(BatchFileElsewhere):
                return self.add_near(sent, file)
        query = {"file": file or sent.name}
        answer = self._transport.send("PUT", "/batch-files", query=query, content=sent)
        return answer.read(BatchFile)

    def add_near(self, path: Path | str, file: str = "") -> BatchFile:
        """Name a file that the server sees, too, instead of sending it.

        Raises: BatchFileElsewhere.
        """
        near = Path(path).absolute()
        query = {"file": file or near.name, "path": str(near), "seal": nearby.sealed(near)}
        found = self._transport.send("PUT", "/batch-files", query=query).read(BatchFile)
        if found.size != near.stat().st_size:  # an older server knows no paths
            raise BatchFileElsewhere(near.name)
        return found

    def get(self, batch_id: str, *, wait: float = 0.0) -> Batch:
        """One batch, and how far it is.

        With `wait`, the answer comes when it has ended, or after so many seconds (30 at most).
        """
        query = {"wait": wait or None}
        return self._transport.send("GET", f"/batches/{segment(batch_id)}", query=query).read(Batch)

    def list(self, *, state: str = "", limit: int = 100) -> BatchList:
        """Batches, newest first."""
        query = {"state": state, "limit": limit}
        return self._transport.send("GET", "/batches", query=query).read(BatchList)

    def cancel(self, batch_id: str) -> Batch:
        """Stop a batch; what it scored so far is removed."""
        return self._transport.send("POST", f"/batches/{segment(batch_id)}/cancel").read(Batch)

    def resume(self, batch_id: str) -> Batch:
        """Go on with a batch that failed or was cancelled."""
        return self._transport.send("POST", f"/batches/{segment(batch_id)}/resume").read(Batch)

    def wait(
        self,
        batch_id: str,
        timeout: float | None = None,
        told: Callable[[Batch], None] | None = None,
    ) -> Batch:
        """The batch once it is done; `told` is called on the way, a few times a second.

        Raises: TookTooLong after `timeout` seconds; why the batch failed.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            asked = time.monotonic()
            left = _WAIT_SECONDS if told is None else _LOOK_SECONDS
            if end is not None:
                left = min(left, max(0.001, end - asked))
            found = self.get(batch_id, wait=left)
            if told is not None:
                told(found)
            if found.state == "failed" and found.error is not None:
                raise error_from_dict(found.error)
            if found.ended:
                return found
            now = time.monotonic()
            if end is not None and now > end:
                raise TookTooLong(
                    f"Batch {batch_id} is {found.state} after {timeout:g} s.",
                    hint="It goes on. Look again later, or cancel it.",
                )
            # An older server answers at once.
            time.sleep(max(0.0, min(left, asked + _LOOK_SECONDS - now)))
