"""The verbs of an endpoint's prediction log: what it keeps, and how far it is behind."""

import math
from dataclasses import asdict
from typing import get_args

from athanor.kernel.database import Database
from athanor.kernel.events import Events
from athanor.kernel.permissions import Access, Principal
from athanor.serving.errors import EndpointNotFound
from athanor.serving.errors.recording import LogPolicyInvalid, RedactedColumnUnknown
from athanor.serving.log import ServingLog
from athanor.serving.ports import Fleet
from athanor.serving.store import EndpointStore
from athanor.serving.types import Endpoint
from athanor.serving.types.recording import Durability, LogPolicy, LogStatus


class Recording:
    """What is kept of predictions."""

    def __init__(
        self,
        store: EndpointStore,
        database: Database,
        *,
        events: Events,
        access: Access,
        log: ServingLog,
        fleet: Fleet,
    ) -> None:
        self._store = store
        self._database = database
        self._events = events
        self._access = access
        self._log = log
        self._fleet = fleet

    def log_policy(self, who: Principal, name: str) -> LogPolicy:
        """How the endpoint's predictions are logged.

        Raises: EndpointNotFound.
        """
        self._access.require(who, "serving.get", name)
        return self._found(name).log

    def keep_log(self, who: Principal, name: str, policy: LogPolicy) -> LogPolicy:
        """Log the endpoint's predictions in this way from now on.

        Raises: EndpointNotFound, LogPolicyInvalid, RedactedColumnUnknown.
        """
        self._access.require(who, "serving.keep_log", name)
        with self._database.transaction():
            endpoint = self._found(name)
            _check(endpoint, policy)
            self._store.change_endpoint(name, {"log": policy})
            self._events.tell(
                who,
                "serving.log.changed",
                name,
                detail=asdict(policy),
                project=endpoint.project,
            )
        self._database.after_commit(self._fleet.changed)
        return self._found(name).log

    def log_status(self, who: Principal, name: str) -> LogStatus:
        """How the endpoint's predictions are logged, and how far the log is behind.

        Raises: EndpointNotFound.
        """
        self._access.require(who, "serving.get", name)
        lag = self._log.lag()
        return LogStatus(
            endpoint=name,
            policy=self._found(name).log,
            hot_segments=lag.segments,
            hot_bytes=lag.bytes,
            oldest_hot_seconds=lag.seconds,
        )

    def _found(self, name: str) -> Endpoint:
        endpoint = self._store.find(name)
        if endpoint is None:
            raise EndpointNotFound(name, [item.name for item in self._store.all()])
        return endpoint


def _check(endpoint: Endpoint, policy: LogPolicy) -> None:
    if policy.durability not in get_args(Durability):
        raise LogPolicyInvalid(f"its durability is {policy.durability!r}")
    if not math.isfinite(policy.sample) or not 0.0 <= policy.sample <= 1.0:
        raise LogPolicyInvalid(f"a sample of {policy.sample!r} is no share")
    known = {name for item in endpoint.deployments for name in item.signature.names}
    for column in policy.redact:
        if known and column not in known:
            raise RedactedColumnUnknown(endpoint.name, column, known)
