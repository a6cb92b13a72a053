"""What fires triggers: events, each exactly once, and the clock."""

import logging
from datetime import timedelta
from typing import Any

from athanor.kernel import AthanorError, Clock, Database, Event, Events, Jobs, error_to_dict
from athanor.pipelines.logic.schedule import next_time
from athanor.pipelines.logic.templates import matches
from athanor.pipelines.service import Pipelines
from athanor.pipelines.store import TriggerStore
from athanor.pipelines.types import Trigger

_log = logging.getLogger(__name__)
_SUBSCRIBER = "pipelines.triggers"
_CLOCK = "pipelines.clock"
_TICK = timedelta(seconds=15)
_FINISHED = "pipelines.run.finished"
_OF_TRIGGERS = "pipelines.trigger."


class TriggerWatch:
    """Watches events and the clock on behalf of triggers.

    A handler's transaction holds the move of the subscriber's offset and the new run together:
    each event fires a trigger once, or, in cool-down or while its run goes on, not at all.
    """

    def __init__(
        self,
        pipelines: Pipelines,
        store: TriggerStore,
        database: Database,
        *,
        events: Events,
        clock: Clock,
    ) -> None:
        self._pipelines = pipelines
        self._store = store
        self._database = database
        self._events = events
        self._clock = clock
        self._actions: set[str] | None = None
        """What any trigger waits for; None until it is read anew."""

    def attach(self, jobs: Jobs) -> None:
        """Begin to watch."""
        self._events.subscribe(_SUBSCRIBER, self.on_event, wants=self._may_fire)
        jobs.handle(_CLOCK, lambda _job: self._on_tick(jobs))
        jobs.submit(_CLOCK, {}, key=_CLOCK)

    def _may_fire(self, event: Event) -> bool:
        """Whether an event may fire something, known from memory: nearly all may not."""
        if event.action.startswith(_OF_TRIGGERS):
            self._actions = None
        if self._actions is None:
            self._actions = {trigger.action for trigger in self._store.every() if trigger.action}
        if event.action == _FINISHED and event.detail.get("trigger"):
            return True
        return event.action in self._actions

    def on_event(self, event: Event) -> None:
        """Fire the triggers that an event matches; what happened before them fires none."""
        if event.action == _FINISHED and event.detail.get("trigger"):
            self._after_run(str(event.detail["trigger"]), event.project)
        for trigger in self._store.on_action(event.action):
            detail = {"subject": event.subject, "action": event.action} | event.detail
            if trigger.created_at > event.at:
                continue
            if trigger.project == event.project and matches(trigger.match, detail):
                self._consider(trigger, detail)

    def tick(self) -> list[str]:
        """Fire the schedules that are due; the names of those that did."""
        now = self._clock.now()
        fired = []
        for trigger in self._store.every():
            due = trigger.next_fire
            if trigger.kind != "cron" or due is None or due > now:
                continue
            with self._database.transaction():
                following = next_time(trigger.cron, now)
                if self._store.move(trigger.id, due, following):
                    self._consider(trigger, {"scheduled": due.isoformat()})
                    fired.append(trigger.name)
        return fired

    def _on_tick(self, jobs: Jobs) -> dict[str, Any]:
        fired: list[str] = []
        try:
            fired = self.tick()
        except Exception:  # noqa: BLE001 - the next look is due all the same
            _log.exception("looking at the clock failed")
        jobs.submit_next(_CLOCK, _TICK)
        return {"fired": fired}

    def _consider(self, trigger: Trigger, detail: dict[str, Any]) -> None:
        now = self._clock.now()
        reason = ""
        if self._store.busy(trigger.name, trigger.project):
            reason = "its last run still goes on"
            if trigger.overlap == "latest":
                self._store.hold(trigger.id, detail)
        elif trigger.last_fired is not None and trigger.cooldown > 0:
            until = trigger.last_fired + timedelta(seconds=trigger.cooldown)
            if now < until:
                reason = f"it cools down until {until:%Y-%m-%d %H:%M:%S} UTC"
        if reason:
            self._tell(trigger, "pipelines.trigger.skipped", {"reason": reason, "event": detail})
            return
        self._fire(trigger, detail)

    def _fire(self, trigger: Trigger, detail: dict[str, Any]) -> None:
        """Fire; a trigger that can't is told of, and does not hold up the others."""
        try:
            with self._database.transaction():
                self._pipelines.fire(self._store.owner_of(trigger.id), trigger.id, detail)
        except AthanorError as error:
            _log.warning("trigger %s could not fire: %s", trigger.name, error)
            self._tell(
                trigger,
                "pipelines.trigger.failed",
                {"event": detail, **error_to_dict(error)},
            )

    def _after_run(self, name: str, project: str) -> None:
        """Fire for the latest event that came while the run went on."""
        trigger = self._store.find(name, project)
        held = self._store.held(trigger.id) if trigger is not None else None
        if trigger is not None and held is not None:
            self._store.hold(trigger.id, None)
            self._fire(trigger, held)

    def _tell(self, trigger: Trigger, action: str, detail: dict[str, Any]) -> None:
        who = self._store.owner_of(trigger.id)
        self._events.tell(who, action, trigger.name, detail, project=trigger.project)
