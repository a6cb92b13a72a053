"""The verbs of tracking."""

import re

from athanor.kernel import Access, Clock, Database, Principal
from athanor.lineage import Lineage
from athanor.tracking.errors import BadKey, BatchTooLarge, ParamChanged
from athanor.tracking.store import TrackingStore
from athanor.tracking.types import Batch, Metric, Param

_KEY = re.compile(r"[\w.\- :/]{1,250}")
_METRICS = 1000
_PARAMS = 100


class Tracking:
    """Parameters and metrics of runs."""

    def __init__(
        self,
        store: TrackingStore,
        database: Database,
        *,
        lineage: Lineage,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._lineage = lineage
        self._access = access
        self._clock = clock

    def log(self, who: Principal, run_id: str, batch: Batch) -> None:
        """Log points and settings together, all or nothing.

        Raises: RunNotFound, BadKey, BatchTooLarge, ParamChanged.
        """
        self._access.require(who, "tracking.log", run_id)
        for what, given, limit in (
            ("metrics", len(batch.metrics), _METRICS),
            ("params", len(batch.params), _PARAMS),
        ):
            if given > limit:
                raise BatchTooLarge(what, given, limit)
        for key in [point.key for point in batch.metrics] + list(batch.params):
            if not _KEY.fullmatch(key):
                raise BadKey(key)
        now = self._clock.now()
        points = [
            Metric(key=new.key, value=new.value, step=new.step, at=new.at or now)
            for new in batch.metrics
        ]
        with self._database.transaction():
            self._lineage.run(who, run_id)
            self._keep_params(run_id, batch.params)
            self._store.add_metrics(run_id, points)

    def params(self, who: Principal, run_id: str) -> list[Param]:
        """A run's parameters, by key.

        Raises: RunNotFound.
        """
        self._access.require(who, "tracking.params", run_id)
        self._lineage.run(who, run_id)
        return self._store.params(run_id)

    def metrics(self, who: Principal, run_id: str) -> list[Metric]:
        """Each metric's last point, by key.

        Raises: RunNotFound.
        """
        self._access.require(who, "tracking.metrics", run_id)
        self._lineage.run(who, run_id)
        return self._store.latest(run_id)

    def history(self, who: Principal, run_id: str, key: str) -> list[Metric]:
        """All points of one metric, by step.

        Raises: RunNotFound.
        """
        self._access.require(who, "tracking.history", run_id)
        self._lineage.run(who, run_id)
        return self._store.history(run_id, key)

    def _keep_params(self, run_id: str, params: dict[str, str]) -> None:
        kept = {param.key: param.value for param in self._store.params(run_id)} if params else {}
        for key, value in params.items():
            if kept.get(key, value) != value:
                raise ParamChanged(key, kept[key], value)
        self._store.add_params(run_id, params)
