"""The features room's verbs over a transport."""

import importlib
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from athanor.features.authoring import Definition, collected
from athanor.features.errors import BadPush, NotNames
from athanor.features.records import (
    DriftReport,
    Dropped,
    FeastFiles,
    FeastImport,
    Freshness,
    Materialize,
    OnlineRow,
    ParityReport,
    Push,
    Pushed,
    Rebuilt,
)
from athanor.features.types import (
    Applied,
    Definitions,
    Entity,
    FeatureService,
    FeatureView,
    Found,
    Materialization,
    OnDemandView,
    TrainingRequest,
    TrainingSet,
    ViewVersion,
)
from athanor.kernel import DEFAULT_PROJECT, Transport
from athanor.kernel.sending import rows_of
from athanor.kernel.transport import Answer, segment

_ABROAD = {".venv", "venv", "site-packages", "__pycache__", "node_modules"}
Kind = Literal["entity", "view", "on_demand", "service"]


class FeaturesClient:
    """Entities, feature views, training sets, online features."""

    def __init__(self, transport: Transport, project: str = DEFAULT_PROJECT) -> None:
        self._transport = transport
        self._project = project

    def of(self, project: str) -> "FeaturesClient":
        """The same verbs over another project's features."""
        return FeaturesClient(self._transport, project)

    def apply(self, *definitions: Definitions | Definition) -> Applied:
        """Define entities, views and services together, or nothing of it."""
        whole = [item for item in definitions if isinstance(item, Definitions)]
        parts = collected(item for item in definitions if not isinstance(item, Definitions))
        body = Definitions(
            entities=sum((item.entities for item in whole), parts.entities),
            views=sum((item.views for item in whole), parts.views),
            on_demand=sum((item.on_demand for item in whole), parts.on_demand),
            services=sum((item.services for item in whole), parts.services),
        )
        return self._send("POST", "/definitions", body=body).read(Applied)

    def entities(self) -> list[Entity]:
        """All entities, by name."""
        return self._send("GET", "/entities").read(list[Entity])

    def entity(self, name: str) -> Entity:
        """One entity."""
        return self._send("GET", f"/entities/{segment(name)}").read(Entity)

    def views(self) -> list[FeatureView]:
        """All feature views, by name."""
        return self._send("GET", "/views").read(list[FeatureView])

    def view(self, name: str) -> FeatureView:
        """One feature view."""
        return self._send("GET", f"/views/{segment(name)}").read(FeatureView)

    def on_demand_views(self) -> list[OnDemandView]:
        """All on-demand views, by name."""
        return self._send("GET", "/on-demand").read(list[OnDemandView])

    def on_demand_view(self, name: str) -> OnDemandView:
        """One on-demand view."""
        return self._send("GET", f"/on-demand/{segment(name)}").read(OnDemandView)

    def services(self) -> list[FeatureService]:
        """All feature services, by name."""
        return self._send("GET", "/services").read(list[FeatureService])

    def service(self, name: str) -> FeatureService:
        """One feature service."""
        return self._send("GET", f"/services/{segment(name)}").read(FeatureService)

    def remove(self, kind: Kind, name: str) -> None:
        """Remove a definition that nothing else uses."""
        self._send("DELETE", f"/definitions/{segment(kind)}/{segment(name)}")

    def search(self, text: str = "", *, project: str = "") -> list[Found]:
        """Entities, views, features and services that hold every word, in any project."""
        answer = self._transport.send(
            "GET", "/features/search", query={"text": text, "project": project}
        )
        return answer.read(list[Found])

    def import_feast(
        self, folder: str | Path, *, data: bool = True, apply: bool = True
    ) -> FeastImport:
        """Bring in a Feast repository: its definitions, and the files of its sources as datasets.

        Its Python is read and not run. Without `data`, datasets of the sources' names must exist.
        """
        root = Path(folder)
        texts = {
            path.relative_to(root).as_posix(): path.read_text("utf-8", errors="replace")
            for path in sorted(root.rglob("*.py"))
            if not _ABROAD & set(path.relative_to(root).parts)
        }
        seen = self._imported(FeastFiles(files=texts, apply=False))
        if not apply:
            return seen
        if data:
            times = {view.source.dataset: view.event_time for view in seen.definitions.views}
            for dataset, told in seen.sources.items():
                self._upload(dataset, root, told, times.get(dataset, ""))
        return self._imported(FeastFiles(files=texts))

    def _imported(self, files: FeastFiles) -> FeastImport:
        return self._send("POST", "/import/feast", body=files).read(FeastImport)

    def _upload(self, dataset: str, root: Path, told: str, time: str) -> None:
        """Send a source's file as a dataset's next version, where it is at hand."""
        # Feast reads paths from where its settings lie.
        bases = [root, *(path.parent for path in root.rglob("feature_store.yaml")), Path()]
        found = next((base / told for base in bases if (base / told).is_file()), None)
        if found is not None:
            query = {"file": found.name, "mode": "replace", "time": time}
            self._transport.send(
                "PUT", f"/datasets/{segment(dataset)}/versions", query=query, content=found
            )

    def build(self, view: str, *, force: bool = False) -> ViewVersion:
        """Read a view's source as its next version."""
        path = f"/views/{segment(view)}/versions"
        return self._send("POST", path, {"force": force}).read(ViewVersion)

    def versions(self, view: str) -> list[ViewVersion]:
        """All versions of a view, newest first."""
        return self._send("GET", f"/views/{segment(view)}/versions").read(list[ViewVersion])

    def rows(
        self, view: str, *, version: int | None = None, limit: int = 20
    ) -> list[dict[str, Any]]:
        """The newest rows of a version."""
        query: dict[str, Any] = {"limit": limit}
        if version is not None:
            query["version"] = version
        found: list[dict[str, Any]] = self._send(
            "GET", f"/views/{segment(view)}/rows", query
        ).json()
        return found

    def push(
        self,
        view: str,
        rows: Sequence[Mapping[str, Any]] | Any,
        *,
        to: Literal["both", "online", "offline"] = "both",
        idempotency_key: str = "",
    ) -> Pushed:
        """Take fresh rows of a stream, or any DataFrame: at once in the history and online."""
        given = rows_of(rows)
        for number, row in enumerate(given, start=1):
            if not isinstance(row, Mapping):
                raise BadPush(view, number, f"it is no row but {type(row).__name__}.")
        body = Push(rows=tuple(map(dict, given)), to=to, idempotency_key=idempotency_key)
        return self._send("POST", f"/views/{segment(view)}/push", body=body).read(Pushed)

    def drop(self, view: str, rows: Sequence[int]) -> Dropped:
        """Take pushed rows back, by their numbers, that no version holds yet."""
        return self._send("DELETE", f"/views/{segment(view)}/pushes", {"row": list(rows)}).read(
            Dropped
        )

    def freshness(self, view: str = "") -> list[Freshness]:
        """How old the newest rows of a view are, or of all."""
        return self._send("GET", "/freshness", {"view": view}).read(list[Freshness])

    def drift(
        self, view: str, *, since: datetime | str | None = None, threshold: float = 0.1
    ) -> DriftReport:
        """A view's newest values against those before."""
        query: dict[str, Any] = {"threshold": threshold}
        if since is not None:
            query["since"] = since if isinstance(since, str) else since.isoformat()
        return self._send("GET", f"/views/{segment(view)}/drift", query).read(DriftReport)

    def create(
        self, name: str, request: TrainingRequest, *, rows: Any | None = None
    ) -> TrainingSet:
        """Look features up for each row of a dataset or query, or of `rows`, any DataFrame.

        The result is the next version of dataset `name`.
        """
        if rows is None:
            body = {"name": name, "request": request}
            return self._send("POST", "/training-sets", body=body).read(TrainingSet)
        with tempfile.TemporaryDirectory(prefix="athanor-") as folder:
            path = _written(rows, Path(folder))
            query = {"request": msgspec.json.encode(request).decode()}
            answer = self._send("PUT", f"/training-sets/{segment(name)}", query, content=path)
        return answer.read(TrainingSet)

    def sets(self, name: str = "") -> list[TrainingSet]:
        """Training sets, newest first; of one name, or all."""
        return self._send("GET", "/training-sets", {"name": name}).read(list[TrainingSet])

    def rebuild(self, reference: str) -> Rebuilt:
        """Make NAME@VERSION again from its pins, and say whether every bit is the same."""
        name, _, version = reference.partition("@")
        path = f"/training-sets/{segment(name)}/versions/{segment(version or 'latest')}/rebuild"
        return self._send("POST", path).read(Rebuilt)

    def historical(
        self,
        features: Sequence[str] | str,
        rows: Any | None = None,
        *,
        at: str = "event_timestamp",
        known_at: bool | None = None,
        full_names: bool | None = None,
    ) -> Any:
        """The features of each of `rows`, any DataFrame, as a `pyarrow.Table`; nothing is kept.

        What looks wrong, such as a view that answers no row, is given as a Python warning.
        """
        named = _named(features)
        request = TrainingRequest(features=named, at=at, known_at=known_at, full_names=full_names)
        query = {"request": msgspec.json.encode(request).decode()}
        with tempfile.TemporaryDirectory(prefix="athanor-") as folder:
            path = _written([] if rows is None else rows, Path(folder))
            answer = self._send("PUT", "/historical", query, content=path)
        return _frames().read(answer.content)

    def materialize(
        self,
        views: Sequence[str] | str = (),
        *,
        until: datetime | None = None,
        full: bool = False,
        build: bool = True,
    ) -> list[Materialization]:
        """Bring the newest row of each key online, by default those that changed since."""
        named = (views,) if isinstance(views, str) else tuple(views)
        body = Materialize(views=named, until=until, full=full, build=build)
        return self._send("POST", "/materializations", body=body).read(list[Materialization])

    def materializations(self) -> list[Materialization]:
        """How far each view is online."""
        return self._send("GET", "/materializations").read(list[Materialization])

    def read(
        self,
        features: Sequence[str] | str,
        rows: Sequence[Mapping[str, Any]] | Any,
        *,
        full_names: bool | None = None,
    ) -> list[OnlineRow]:
        """The features of each row's keys, now; rows are dicts, or any DataFrame."""
        named = _named(features)
        body = {"features": named, "rows": rows_of(rows), "full_names": full_names}
        return self._send("POST", "/online", body=body).read(list[OnlineRow])

    def parity(
        self,
        features: Sequence[str] | str,
        *,
        rows: Sequence[Mapping[str, Any]] | Any = (),
        sample: int = 200,
    ) -> ParityReport:
        """Compare what a training set would hold with what the endpoint would get, bytewise."""
        named = _named(features)
        body = {"features": named, "rows": rows_of(rows), "sample": sample}
        return self._send("POST", "/parity", body=body).read(ParityReport)

    def erase(self, entity: str, key: Mapping[str, Any]) -> int:
        """Remove a key's online rows; how many."""
        path = f"/entities/{segment(entity)}/erase"
        return int(self._send("POST", path, body=dict(key)).json()["rows"])

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        *,
        body: object = None,
        content: bytes | Path | None = None,
    ) -> Answer:
        asked = {"project": self._project, **(query or {})}
        return self._transport.send(
            method, f"/features{path}", query=asked, body=body, content=content
        )


def _named(features: Sequence[str] | str) -> tuple[str, ...]:
    """The names as they are sent. Raises: NotNames."""
    named = (features,) if isinstance(features, str) else tuple(features)
    # The columns' names are what a DataFrame gives, one by one.
    if hasattr(features, "columns") or not all(isinstance(name, str) for name in named):
        raise NotNames(features)
    return named


def _written(rows: Any, folder: Path) -> Path:
    path = folder / "rows"
    _frames().written(rows, path)
    return path


def _frames() -> Any:
    # What has to do with tables is loaded with the first of them.
    return importlib.import_module("athanor.features.frames")
