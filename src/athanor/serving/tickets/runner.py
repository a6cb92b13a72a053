"""A ticket from the queue to its answer, and the message that tells of it.

The answer and the order to tell of it are written in one transaction; each message has the ticket's
id, so that a receiver knows a repetition.
"""

import http.client
import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from athanor.kernel.clock import Clock
from athanor.kernel.database import Database
from athanor.kernel.errors import AthanorError, error_to_dict
from athanor.kernel.events import Events
from athanor.kernel.jobs import Job
from athanor.kernel.permissions import SYSTEM
from athanor.kernel.storage import Storage
from athanor.registry import BadWebhook, Messenger
from athanor.serving.batches.desk import Desk
from athanor.serving.errors.tickets import ReceiverFailed, TicketEnded
from athanor.serving.store.tickets import KeptTicket, TicketStore
from athanor.serving.tickets.asking import Asker

_log = logging.getLogger(__name__)

TICKET = "serving.ticket"
TELLING = "serving.ticket.told"
"""The kinds of job."""
_ASKS = 60
"""How often a ticket's endpoint is asked while it is busy: about an hour."""
_MESSAGES = 12
"""Rounds of attempts to reach a webhook: about eight minutes of silence are bridged."""
_QUICK_PAUSES = (0.1, 0.3, 0.6)
"""Seconds between the attempts of one round."""
_SLOW_SECONDS = 1.0
"""A receiver that fails after longer is tried again in the next round: others wait, too."""
_TELLERS = 8
"""Messages on their way at once."""
_INLINE_BYTES = 256 << 10
"""An answer up to this size stands in the message itself."""
_CLIENT_FAULT = 500
_GONE = 410
_SWEEP_SECONDS = 60.0
_OPEN = ("queued", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketGround:
    """What tickets are worked through with."""

    database: Database
    storage: Storage
    events: Events
    clock: Clock
    messenger: Messenger


class TicketRunner:
    """Does the jobs of tickets."""

    def __init__(self, store: TicketStore, ground: TicketGround, desk: Desk, asker: Asker) -> None:
        self._store = store
        self._ground = ground
        self._desk = desk
        self._asker = asker
        self._sweep_at = 0.0
        desk.lane(TICKET, self.answer, threads=4, max_attempts=_ASKS)
        desk.lane(TELLING, self.tell, threads=_TELLERS, max_attempts=_MESSAGES)

    def answer(self, job: Job) -> None:
        """Ask the endpoint, and keep what it says.

        Raises: EndpointBusy, after which it is asked again; DeskClosed.
        """
        kept = self._store.find(str(job.payload["ticket"]))
        if kept is None or kept.ticket.ended:
            return
        ticket = kept.ticket
        begun = {
            "state": "running",
            "attempts": ticket.attempts + 1,
            "started_at": ticket.started_at or self._ground.clock.now(),
        }
        self._store.change(ticket.id, begun, while_in=_OPEN)
        try:
            request = self._ground.storage.read(kept.request)
            body = self._asker.ask(
                ticket.endpoint,
                ticket.route,
                ticket.id,
                request,
                lambda: self._goes_on(ticket.id),
                again=ticket.attempts > 0,
            )
            blob = self._ground.storage.put_bytes(body)
        except TicketEnded:
            return
        except AthanorError as error:
            if error.status >= _CLIENT_FAULT and job.attempts < job.max_attempts:
                raise
            self._end(kept, {"state": "failed", "error": error_to_dict(error)})
            return
        self._end(
            kept,
            {"state": "done", "answer": blob.digest, "answer_bytes": blob.size, "error": None},
        )

    def tell(self, job: Job) -> None:
        """One round of attempts to reach the webhook.

        Raises: ReceiverFailed, after which there is another round; DeskClosed.
        """
        kept = self._store.find(str(job.payload["ticket"]))
        if kept is None or kept.ticket.told != "waiting":
            return
        body = self._message(kept)
        reason = ""
        for pause in (*_QUICK_PAUSES, 0.0):
            self._desk.check()
            began = time.monotonic()
            try:
                status = self._ground.messenger.send(
                    kept.ticket.webhook, kept.ticket.id, body, kept.secret
                )
            except (BadWebhook, ValueError) as error:
                self._told(kept, "undelivered", str(error))
                return
            except (OSError, http.client.HTTPException) as error:
                status, reason = 0, f"{type(error).__name__}: {error}"
            if 200 <= status < 300:
                self._told(kept, "delivered", "")
                return
            if status == _GONE:
                self._told(kept, "undelivered", "it answered 410")
                return
            reason = reason if not status else f"it answered {status}"
            self._count(kept)
            if time.monotonic() - began > _SLOW_SECONDS:
                break
            self._desk.wait(pause)
        if job.attempts >= job.max_attempts:
            self._told(kept, "undelivered", reason)
            return
        raise ReceiverFailed(kept.ticket.webhook, reason)

    def _goes_on(self, ticket_id: str) -> None:
        self._desk.check()
        found = self._store.find(ticket_id)
        if found is None or found.ticket.ended:
            raise TicketEnded(ticket_id, "withdrawn", "answered")

    def _end(self, kept: KeptTicket, changes: dict[str, Any]) -> None:
        """Write the outcome and, where somebody is to be told, the order to do so."""
        ground, ticket = self._ground, kept.ticket
        now = ground.clock.now()
        whole = changes | {
            "ended_at": now,
            "expires_at": now + timedelta(seconds=kept.expires_seconds),
            "told": "waiting" if ticket.webhook else "",
        }
        with ground.database.transaction():
            if not self._store.change(ticket.id, whole, while_in=_OPEN):
                return
            if ticket.webhook:
                payload = {"ticket": ticket.id}
                key = f"told:{ticket.id}"
                self._desk.jobs.submit(TELLING, payload, key=key, project=ticket.project)
            state = changes["state"]
            action = "serving.ticket.answered" if state == "done" else "serving.ticket.failed"
            detail = {"ticket": ticket.id, "endpoint": ticket.endpoint, "state": state}
            ground.events.tell(SYSTEM, action, ticket.id, detail, project=ticket.project)
        self._sweep()

    def _message(self, kept: KeptTicket) -> bytes:
        ticket = kept.ticket
        data: dict[str, Any] = {
            "id": ticket.id,
            "endpoint": ticket.endpoint,
            "state": ticket.state,
            "result": f"/api/v1/tickets/{ticket.id}/result",
            "error": ticket.error,
        }
        if ticket.answer is not None and ticket.answer_bytes <= _INLINE_BYTES:
            answer = self._ground.storage.read(ticket.answer)
            if _is_json(answer):
                data["answer"] = orjson.Fragment(answer)
        ended = ticket.ended_at or self._ground.clock.now()
        told = {
            "type": f"prediction.{ticket.state}",
            "timestamp": ended.isoformat(),
            "data": data,
        }
        return orjson.dumps(told)

    def _count(self, kept: KeptTicket) -> None:
        found = self._store.find(kept.ticket.id)
        if found is not None:
            self._store.change(kept.ticket.id, {"deliveries": found.ticket.deliveries + 1})

    def _told(self, kept: KeptTicket, outcome: str, reason: str) -> None:
        changes: dict[str, Any] = {"told": outcome}
        if outcome == "delivered":
            changes["delivered_at"] = self._ground.clock.now()
            self._count(kept)
        else:
            _log.warning("The webhook of ticket %s was not told: %s", kept.ticket.id, reason)
        self._store.change(kept.ticket.id, changes)

    def _sweep(self) -> None:
        """Let tickets go whose answers have expired."""
        now = time.monotonic()
        if now < self._sweep_at:
            return
        self._sweep_at = now + _SWEEP_SECONDS
        for ticket_id in self._store.expired(self._ground.clock.now()):
            self._store.remove(ticket_id)


def _is_json(answer: bytes) -> bool:
    """Whether it may stand in a message: raw tensors do not, nor does NaN."""
    try:
        orjson.loads(answer)
    except orjson.JSONDecodeError:
        return False
    return True
