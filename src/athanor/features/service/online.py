"""Online features: brought there from the history, read by key, compared with training."""

from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import orjson

from athanor.features.building import Building
from athanor.features.errors import BadOnlineRow, NoFeaturesNamed, NotAllOnline, ParityBroken
from athanor.features.ground import Ground, Stores
from athanor.features.lookup import (
    Enricher,
    KeyColumn,
    Plan,
    Reader,
    aware,
    instant,
    key_of,
    open_reader,
    pack,
    unpacked,
)
from athanor.features.records import (
    Materialize,
    OnlineRecord,
    OnlineRequest,
    OnlineRow,
    ParityReport,
)
from athanor.features.service.training import join_task
from athanor.features.shelf import Planned, Shelf
from athanor.features.types import Entity, FeatureView, Materialization, ViewVersion
from athanor.kernel import DEFAULT_PROJECT, SYSTEM, AthanorError, Jobs, Principal
from athanor.kernel.database import microseconds
from athanor.kernel.jobs import Job

_MOST_ROWS = 10_000
_OURS = 500
"""From this status on, it is not the view that is to blame."""
_JOB = "features.materialize"


class OnlineFeatures:
    """The newest features of each key."""

    def __init__(self, stores: Stores, ground: Ground, building: Building) -> None:
        self._stores = stores
        self._history = stores.history
        self._ground = ground
        self._access = ground.access
        self._building = building
        self._shelf = Shelf(stores.definitions, stores.history)
        self._reader: Reader | None = None
        self._jobs: Jobs | None = None

    @property
    def url(self) -> str:
        """Where online rows are read, for `open_reader`; "" where only this process can."""
        return self._stores.online.url

    def materialize(
        self, who: Principal, order: Materialize, *, project: str = DEFAULT_PROJECT
    ) -> list[Materialization]:
        """Bring the newest row of each key online, by default those that changed since.

        One that was killed goes on where it was. A row never replaces a later one. A view that
        can't be built keeps no other one from coming online, and is told at the end.
        Raises: ViewNotFound, NotAllOnline; what building a view raises.
        """
        self._access.require(who, "features.materialize", project)
        if order.views:
            views = [self._shelf.view(project, name) for name in order.views]
        else:
            views = [item for item in self._stores.definitions.listed("view", project)
                     if item.online]  # fmt: skip
        done: list[Materialization] = []
        failed: dict[str, str] = {}
        for view in views:
            try:
                done.append(self._materialize(who, view, order))
            except AthanorError as error:
                if len(views) == 1 or error.status >= _OURS:
                    raise
                failed[view.name] = error.message
        if failed:
            raise NotAllOnline(failed, [item.view for item in done])
        return done

    def materializations(
        self, who: Principal, *, project: str = DEFAULT_PROJECT
    ) -> list[Materialization]:
        """How far each view is online."""
        self._access.require(who, "features.materializations", project)
        states = [
            self._history.materialization(project, view.name)
            for view in self._stores.definitions.listed("view", project)
        ]
        return [state for state in states if state is not None]

    def read(
        self, who: Principal, request: OnlineRequest, *, project: str = DEFAULT_PROJECT
    ) -> list[OnlineRow]:
        """The features of each row's keys, now; nothing found or expired is null, and said so.

        Raises: FeatureServiceNotFound, ViewNotFound, FeatureNotFound, FeatureClash, BadOnlineRow,
        FormulaFailed.
        """
        self._access.require(who, "features.read", project)
        if not request.features:
            raise NoFeaturesNamed
        if len(request.rows) > _MOST_ROWS:
            raise BadOnlineRow(_MOST_ROWS, f"at most {_MOST_ROWS:,} rows fit into one question.")
        planned = self._shelf.planned(project, request.features, full_names=request.full_names)
        enricher = Enricher(planned.plan, self._read_by())
        now = microseconds(self._ground.clock.now())
        found = []
        for number, row in enumerate(request.rows, start=1):
            answered = enricher.answer(row, number, now)
            events = {view.partition("/")[2]: instant(at) for view, at in answered.events.items()}
            found.append(
                OnlineRow(values=answered.values, presence=answered.presence, events=events)
            )
        return found

    def parity(
        self,
        who: Principal,
        features: Sequence[str],
        *,
        rows: Sequence[dict[str, Any]] = (),
        sample: int = 200,
        project: str = DEFAULT_PROJECT,
    ) -> ParityReport:
        """Compare what a training set would hold now with what the endpoint would get, bytewise.

        Without rows, a sample of the keys of the stored versions is compared.
        Raises: FeatureServiceNotFound, ViewNotFound, FeatureNotFound, FeatureClash.
        """
        self._access.require(who, "features.parity", ", ".join(features))
        if not features:
            raise NoFeaturesNamed
        planned = self._shelf.planned(project, features)
        now = self._ground.clock.now()
        with self._ground.scratch() as scratch:
            task = self._offline(who, planned, scratch)
            task |= {
                "rows": list(rows[:_MOST_ROWS]),
                "now": microseconds(now),
                "sample": max(1, min(sample, _MOST_ROWS)),
                "request": [
                    [item.name, item.type or "number"]
                    for view in planned.on_demand
                    for item in view.request
                ],
            }
            offline = self._ground.work("comparing:compare", task)
        enricher = Enricher(planned.plan, self._read_by())
        differing = 0
        examples: list[dict[str, Any]] = []
        values = (unpacked(b64decode(packed)) for packed in offline["values"])
        for number, (row, wanted) in enumerate(zip(offline["rows"], values, strict=True)):
            got = enricher.answer(row, number + 1, microseconds(now)).values
            if pack(got) == pack(wanted):
                continue
            differing += 1
            for name, value in wanted.items():
                if len(examples) < 10 and pack(value) != pack(got.get(name)):
                    examples.append(
                        {"row": row, "feature": name, "offline": value, "online": got.get(name)}
                    )
        absent = sum(self._history.materialization(view.project, view.name) is None
                     for view in planned.views)  # fmt: skip
        keys = {key.name for lookup in planned.plan.lookups for key in lookup.keys}
        asked = [{name: row.get(name) for name in keys} for row in offline["rows"]]
        return ParityReport(
            rows=len(offline["rows"]),
            keys=len({pack(key) for key in asked if None not in key.values()}),
            differing=differing,
            examples=tuple(examples),
            not_online=absent,
        )

    def erase(
        self, who: Principal, entity: str, key: dict[str, Any], *, project: str = DEFAULT_PROJECT
    ) -> int:
        """Remove a key's online rows; how many. Stored versions and pushes stay as they are.

        Raises: EntityNotFound, BadOnlineRow.
        """
        self._access.require(who, "features.erase", entity)
        wanted = self._shelf.entity(project, entity)
        columns = [KeyColumn(name=item.name, type=item.type) for item in wanted.keys]
        text = key_of(columns, key, 1)
        with self._ground.database.transaction():
            gone = 0 if text is None else self._erased(wanted, text)
            detail = {"entity": entity, "rows": gone}
            self._ground.events.tell(who, "features.key.erased", entity, detail, project=project)
        return gone

    def plan_for(self, features: Sequence[str], *, project: str = DEFAULT_PROJECT) -> Plan:
        """How an endpoint finds a service's features.

        Raises: FeatureServiceNotFound, ViewNotFound, FeatureNotFound, FeatureClash.
        """
        return self._shelf.planned(project, features).plan

    def request_of(self, service: str, *, project: str = DEFAULT_PROJECT) -> list[tuple[str, str]]:
        """The names and types of the values that a service takes from requests."""
        planned = self._shelf.planned(project, [service])
        fields = {item.name: item.type for view in planned.on_demand for item in view.request}
        return [(name, kind or "number") for name, kind in fields.items()]

    def check_parity(self, service: str, *, project: str = DEFAULT_PROJECT) -> ParityReport:
        """Return if the endpoint would get what training had; for deployments.

        Raises: ParityBroken; what `parity` raises.
        """
        report = self.parity(SYSTEM, [service], project=project)
        if report.not_online:
            raise ParityBroken(service, f"{report.not_online} of its views are not online.")
        if report.differing:
            what = f"{report.differing} of {report.rows} sampled keys differ."
            raise ParityBroken(service, what, report.examples)
        return report

    def attach(self, jobs: Jobs) -> None:
        """Let what a killed process was bringing online go on."""
        jobs.handle(_JOB, self._resumed)
        self._jobs = jobs

    def resume(self) -> None:
        """Order again what was under way when the last process ended."""
        if self._jobs is None:
            return
        for view in self._stores.definitions.listed("view"):
            state = self._history.materialization(view.project, view.name)
            if state is not None and state.state == "running":
                payload = {"view": view.name, "project": view.project}
                self._jobs.submit(_JOB, payload, key=f"{_JOB}:{view.project}/{view.name}")

    def _resumed(self, job: Job) -> dict[str, Any] | None:
        project, name = job.payload["project"], job.payload["view"]
        with suppress(AthanorError):
            order = Materialize(views=(name,), build=False)
            self.materialize(SYSTEM, order, project=project)
        return None

    def _erased(self, entity: Entity, text: str) -> int:
        """Rows of a key, alone or among the keys of other entities."""
        online, gone = self._stores.online, 0
        wanted = orjson.loads(text)
        parts = wanted if isinstance(wanted, list) else [wanted]
        views = self._stores.definitions.listed("view", entity.project)
        for space, view in {self._shelf.space(view): view for view in views}.items():
            if view.entities == (entity.name,):
                gone += online.erase(space, text)
            elif entity.name in view.entities:
                names = [key.name for key in self._shelf.keys(view)]
                places = [names.index(name) for name in entity.columns]
                for key in online.keys(space):
                    found = orjson.loads(key)
                    if [found[place] for place in places] == parts:
                        gone += online.erase(space, key)
        return gone

    def _read_by(self) -> Reader:
        if not self.url:
            return self._stores.online
        if self._reader is None:
            self._reader = open_reader(self.url)
        return self._reader

    def _materialize(
        self, who: Principal, view: FeatureView, order: Materialize
    ) -> Materialization:
        latest = self._history.find_version(view.project, view.name, None)
        if order.build or latest is None:
            latest = self._building.fresh(who, view)
        with self._building.alone(view.project, view.name), self._ground.scratch() as scratch:
            before = self._history.materialization(view.project, view.name)
            state = self._begun(view, latest, before, order)
            try:
                task = self._task(view, latest, before, state, scratch)
                made = self._ground.work("materializing:materialize", task)
                return self._put(who, view, state, made)
            except AthanorError as error:
                failed = replace(
                    state, state="failed", error=error.message, ended_at=self._ground.clock.now()
                )
                self._history.put_materialization(failed)
                raise

    def _begun(
        self,
        view: FeatureView,
        latest: ViewVersion,
        before: Materialization | None,
        order: Materialize,
    ) -> Materialization:
        """What is to be done: what was under way goes on, as far as it is still the same."""
        now = self._ground.clock.now()
        if before is not None and before.state == "running" and before.version == latest.number:
            return before
        replaced = (
            before is None
            or before.base != latest.base
            or before.state != "done"
            # Emptied, or another store than before.
            or not self._stores.online.holds(f"{view.project}/{view.name}")
        )
        state = Materialization(
            view=view.name,
            project=view.project,
            version=latest.number,
            until=aware(order.until) if order.until else now,
            state="running",
            full=order.full or replaced,
            base=latest.base,
            ordinal=0 if before is None else before.ordinal,
            started_at=now,
        )
        if state.full:
            self._history.put_materialization(state)
        return state

    def _task(
        self,
        view: FeatureView,
        latest: ViewVersion,
        before: Materialization | None,
        state: Materialization,
        scratch: Path,
    ) -> dict[str, Any]:
        pending = self._history.pending(view.project, view.name)
        since = None if state.full or before is None else microseconds(before.until)
        return self._building.described(view, latest) | {
            "file": self._ground.local(latest.blob, scratch),
            "pending": msgspec.to_builtins(pending),
            "source": {"kind": "push"},
            "wanted": [[item.name, item.type, item.name] for item in latest.fields],
            "until": microseconds(state.until),
            "since": since,
            "ordinal": state.ordinal,
            "scratch": str(scratch),
        }

    def _put(
        self, who: Principal, view: FeatureView, state: Materialization, made: dict[str, Any]
    ) -> Materialization:
        """Put the chunks that are not there yet, each in a transaction with how far it is."""
        online, name = self._stores.online, f"{view.project}/{view.name}"
        space = self._shelf.space(view)
        for number, path in enumerate(made["chunks"]):
            if number < state.chunks:
                continue
            rows = [
                OnlineRecord(key=key, event=event, created=created, ordinal=order, packed=packed)
                for key, event, created, order, packed in msgspec.msgpack.decode(
                    Path(path).read_bytes()
                )
            ]
            with self._ground.database.transaction():
                written = online.put(space, name, state.base, rows)
                state = replace(
                    state,
                    chunks=number + 1,
                    rows=state.rows + len(rows),
                    written=state.written + written,
                )
                if state.full:
                    self._history.put_materialization(state)
        with self._ground.database.transaction():
            removed = online.remove_older(name, state.base) if state.full else 0
            state = replace(
                state,
                state="done",
                removed=removed,
                ordinal=max(state.ordinal, made["ordinal"]),
                ended_at=self._ground.clock.now(),
            )
            self._history.put_materialization(state)
            detail = {"view": view.name, "version": state.version, "rows": state.rows,
                      "written": state.written, "until": state.until.isoformat()}  # fmt: skip
            self._ground.events.tell(
                who, "features.view.materialized", view.name, detail, project=view.project
            )
        return state

    def _offline(self, who: Principal, planned: Planned, scratch: Path) -> dict[str, Any]:
        """The join of the newest versions, as a worker does it."""
        views = []
        for view in planned.views:
            version = self._building.fresh(who, view)
            pending = self._history.pending(view.project, view.name)
            views.append(
                self._building.described(view, version)
                | {
                    "ttl": round(view.ttl * 1_000_000),
                    "fields": [[item.name, item.type] for item in version.fields],
                    "pending": msgspec.to_builtins(pending),
                    "file": self._ground.local(version.blob, scratch),
                }
            )
        pins = {"views": views, "plan": msgspec.to_builtins(planned.plan)}
        return join_task(pins, "__at")
