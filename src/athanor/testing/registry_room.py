"""The registry's services over one database, without a server, and its MLflow protocol."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from athanor.kernel import Database, Events, Jobs, Principal, Storage
from athanor.kernel.events import SqlEventStore
from athanor.kernel.jobs import SqlJobStore
from athanor.kernel.permissions import OWNER, OwnerAccess
from athanor.kernel.storage import FolderEntry
from athanor.lineage import Artifact, Lineage, NewArtifact, SqlLineageStore
from athanor.registry import (
    Catalog,
    Deliveries,
    Intake,
    Locker,
    Logged,
    Models,
    Reach,
    SqlCatalogStore,
    SqlModelStore,
    SqlSearchStore,
    SqlWebhookStore,
    Webhooks,
    add_model_routes,
    add_version_routes,
    add_webhook_routes,
)
from athanor.testing.clock import FixedClock
from athanor.tracking import MlflowApp, MlflowRoutes


class FixedOrigins:
    """Runs, logged models and files that a test says are there."""

    def __init__(self) -> None:
        self.runs: dict[str, str] = {}
        """Run to location."""
        self.models: dict[str, Logged] = {}
        self.trees: dict[str, list[FolderEntry]] = {}
        """Location to files."""
        self.noted: list[tuple[str, str, int]] = []
        """Logged models that became versions."""

    def location_of_run(self, who: Principal, run_id: str) -> str | None:  # noqa: ARG002
        """As the test said."""
        return self.runs.get(run_id)

    def logged_model(self, who: Principal, model_id: str) -> Logged | None:  # noqa: ARG002
        """As the test said."""
        return self.models.get(model_id)

    def files(
        self,
        who: Principal,  # noqa: ARG002 - the port's form
        project: str,  # noqa: ARG002 - the port's form
        location: str,
    ) -> Sequence[FolderEntry]:
        """As the test said."""
        return self.trees.get(location, [])

    def registered(
        self,
        who: Principal,  # noqa: ARG002 - the port's form
        model_id: str,
        model: str,
        number: int,
    ) -> None:
        """Remembered for the test."""
        self.noted.append((model_id, model, number))


class RegistryRoom:
    """Models, catalog, webhooks and protocol."""

    def __init__(self, database: Database, folder: Path, reach: Reach | None = None) -> None:
        self.clock = FixedClock()
        self.database = database
        self.storage = Storage(str(folder / "storage"), reserve_bytes=0)
        self.events = Events(SqlEventStore(database), database, self.clock)
        self.jobs = Jobs(SqlJobStore(database), self.clock)
        self.origins = FixedOrigins()
        shared: dict[str, Any] = {
            "events": self.events,
            "access": OwnerAccess(),
            "clock": self.clock,
        }
        self.lineage = Lineage(SqlLineageStore(database), database, **shared)
        store, catalog = SqlModelStore(database), SqlCatalogStore(database)
        self.models = Models(store, database, lineage=self.lineage, storage=self.storage, **shared)
        intake = Intake(
            (store, catalog),
            lineage=self.lineage,
            storage=self.storage,
            origins=self.origins,
            clock=self.clock,
        )
        self.catalog = Catalog(
            (store, catalog, SqlSearchStore(database)), database, intake=intake, **shared
        )
        hooks = SqlWebhookStore(database)
        self.webhooks = Webhooks(
            hooks,
            database,
            locker=Locker(folder / "webhooks.key"),
            reach=reach or Reach(),
            access=OwnerAccess(),
            clock=self.clock,
        )
        self.deliveries = Deliveries(self.webhooks, hooks, store, self.jobs)
        self.routes = MlflowRoutes()
        add_model_routes(self.routes, self.models, self.catalog)
        add_version_routes(self.routes, self.models, self.catalog)
        add_webhook_routes(self.routes, self.webhooks)
        self.app = MlflowApp(self.routes, check_space=lambda: None, explain=_unexpected)

    def logged(self, location: str, files: Mapping[str, bytes]) -> None:
        """Put files at a location of the artifact tree."""
        entries = []
        for path, content in sorted(files.items()):
            blob = self.storage.put_bytes(content)
            entries.append(FolderEntry(path=path, digest=blob.digest, size=blob.size))
        self.origins.trees[location] = entries

    def artifact(self, text: str = "model") -> Artifact:
        """A model artifact, as a pipeline would record it."""
        blob = self.storage.put_bytes(text.encode())
        return self.lineage.record(
            OWNER,
            NewArtifact(
                type="model", name="model", uri=blob.uri, digest=blob.digest, size=blob.size
            ),
        )

    def ask(
        self, method: str, path: str, asked: Mapping[str, Any] | None = None, project: str = ""
    ) -> tuple[int, Any]:
        """One request of MLflow's protocol: the status and the answer's JSON."""
        return asyncio.run(self._ask(method, path, asked or {}, project))

    async def _ask(
        self, method: str, path: str, asked: Mapping[str, Any], project: str
    ) -> tuple[int, Any]:
        query = urlencode(asked, doseq=True) if method == "GET" else ""
        body = b"" if method == "GET" else orjson.dumps(asked)
        scope = {
            "type": "http",
            "method": method,
            "path": f"/api/2.0/mlflow/{path}",
            "query_string": query.encode(),
            "headers": [(b"x-mlflow-workspace", project.encode())],
            "state": {"who": OWNER},
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        told = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], orjson.loads(told)


def _unexpected(error: Exception) -> Any:
    raise error
