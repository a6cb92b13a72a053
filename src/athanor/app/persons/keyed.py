"""Which input column was an endpoint's key, and when: what the log's keys are values of."""

from datetime import datetime
from typing import Any

from athanor.kernel import Database
from athanor.kernel.events import SqlEventStore
from athanor.serving import SqlEndpointStore

_ALL = 1 << 40


class KeyHistory:
    """The key columns of every endpoint, as its deployments told them."""

    def __init__(self, database: Database) -> None:
        self._events = SqlEventStore(database)
        self._endpoints = SqlEndpointStore(database)

    def spans(self) -> list[dict[str, Any]]:
        """`endpoint`, `column` ("" for none), and from when to when: None where it is open.

        Endpoints that were removed are told, too; of what no deployment tells, the key is that of
        now.
        """
        told: dict[str, list[tuple[datetime, str]]] = {}
        for event in self._events.since(0, _ALL, ("serving.deployment.created",)):
            changes = told.setdefault(event.subject, [])
            column = str(event.detail.get("key") or "")
            if not changes or changes[-1][1] != column:
                changes.append((event.at, column))
        found = []
        for endpoint, changes in told.items():
            begins = [None, *(at for at, _ in changes[1:])]
            for (_, column), begin, end in zip(changes, begins, [*begins[1:], None], strict=True):
                found.append({"endpoint": endpoint, "column": column, "since": begin, "until": end})
        found += [
            {"endpoint": item.name, "column": item.key, "since": None, "until": None}
            for item in self._endpoints.all()
            if item.name not in told
        ]
        return found
