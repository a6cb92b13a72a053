"""The verbs by which endpoints are taken elsewhere."""

import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from athanor.data import Datasets
from athanor.kernel.errors import AthanorError
from athanor.kernel.permissions import Access, Principal
from athanor.kernel.storage import Storage
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage
from athanor.serving.errors import EndpointNotFound
from athanor.serving.errors.exports import BadManifest, ExportImpossible, ExportUnknown
from athanor.serving.exporting import folder as folders
from athanor.serving.logic import dashboard, manifests, snippets
from athanor.serving.logic.examples import example_in, typed_example
from athanor.serving.model_folders import ModelFolders
from athanor.serving.ports import Loading
from athanor.serving.service.signatures import asked_of_callers
from athanor.serving.standalone.settings import Bundle
from athanor.serving.store import EndpointStore
from athanor.serving.types import Deployment, Endpoint, InputColumn
from athanor.serving.types.exports import FOLDERS, ExampleRow, ManifestRequest

_COMPILER = "athanor.serving.runtimes.compiling:compile_model"
_SECONDS = 300.0
_PIECE = 1 << 20
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MOST_EXAMPLE_BYTES = 4 << 20
_MOST_REPLICAS = 10_000
_SOME_KEY = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportGround:
    """What exports are made with."""

    storage: Storage
    lineage: Lineage
    datasets: Datasets
    workers: Workers
    loading: Loading
    workspace: Path
    url: Callable[[], str]
    """Where the data plane listens, or ""."""
    token: bool = False
    """Whether callers must send a token."""


class Exports:
    """An endpoint as a folder, a container, manifests, a dashboard, programs that ask it."""

    def __init__(self, store: EndpointStore, ground: ExportGround, *, access: Access) -> None:
        self._store = store
        self._ground = ground
        self._access = access
        self._folders = ModelFolders(ground.storage, ground.workspace)

    def export(
        self, who: Principal, endpoint: str, kind: str = "folder", number: int | None = None
    ) -> Iterator[bytes]:
        """A zip archive that serves a deployment without the platform; the live one unless named.

        Raises: EndpointNotFound, ExportUnknown, ExportImpossible, PickleNotAllowed.
        """
        self._access.require(who, "serving.export", endpoint)
        if kind not in FOLDERS:
            raise ExportUnknown("form of export", kind, (*FOLDERS, *manifests.MANIFESTS, "grafana"))
        found = self._endpoint(endpoint)
        deployment = _chosen(found, number)
        if deployment.features is not None:
            raise ExportImpossible(
                endpoint, "its features are looked up online, where the platform keeps them"
            )
        place = Path(tempfile.mkdtemp(prefix="athanor-export-"))
        try:
            self._write(who, found, deployment, place / endpoint, container=kind == "container")
            archive = _zipped(place / endpoint, place / "export.zip")
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return _pieces(archive, place)

    def manifest(self, who: Principal, endpoint: str, request: ManifestRequest) -> str:
        """YAML for Kubernetes, KServe or Seldon of a container made from an export.

        Raises: EndpointNotFound, ExportUnknown, ExportImpossible, BadManifest.
        """
        self._access.require(who, "serving.manifest", endpoint)
        if request.kind not in manifests.MANIFESTS:
            raise ExportUnknown("manifest", request.kind, manifests.MANIFESTS)
        deployment = _chosen(self._endpoint(endpoint), None)
        _check_manifest(request)
        documents = manifests.documents(
            request.kind,
            manifests.Wanted(
                name=endpoint.rstrip("-"),
                image=request.image or f"{endpoint}:{deployment.number}",
                version=f"{deployment.model}@{deployment.version}",
                namespace=request.namespace,
                min_replicas=request.min_replicas,
                max_replicas=request.max_replicas,
                cpu=request.cpu,
                memory=request.memory,
            ),
        )
        return str(yaml.safe_dump_all(documents, sort_keys=False))

    def dashboard(self, who: Principal, endpoint: str) -> dict[str, Any]:
        """A Grafana dashboard of the endpoint's metrics, to be imported.

        Raises: EndpointNotFound.
        """
        self._access.require(who, "serving.dashboard", endpoint)
        return dashboard.dashboard(self._endpoint(endpoint).name)

    def example(self, who: Principal, endpoint: str) -> ExampleRow:
        """A row that the live model was trained on, as a record.

        Raises: EndpointNotFound, ExportImpossible.
        """
        self._access.require(who, "serving.example", endpoint)
        return self._example(who, self._endpoint(endpoint))

    def snippet(self, who: Principal, endpoint: str, language: str = "curl") -> str:
        """A program that asks the endpoint with a row that its model was trained on.

        Raises: EndpointNotFound, ExportUnknown, ExportImpossible.
        """
        self._access.require(who, "serving.snippet", endpoint)
        if language not in snippets.LANGUAGES:
            raise ExportUnknown("language", language, snippets.LANGUAGES)
        found = self._endpoint(endpoint)
        row = self._example(who, found)
        base = self._ground.url() or "http://127.0.0.1:8080"
        url = f"{base}/endpoints/{endpoint}/predict"
        return snippets.snippet(language, url, row.record, token=self._ground.token)

    def _endpoint(self, name: str) -> Endpoint:
        found = self._store.find(name)
        if found is None:
            raise EndpointNotFound(name, [item.name for item in self._store.all()])
        return found

    def _write(
        self,
        who: Principal,
        endpoint: Endpoint,
        deployment: Deployment,
        target: Path,
        *,
        container: bool,
    ) -> None:
        ground = self._ground
        model = self._folders.of(ground.lineage.artifact(who, deployment.artifact))
        pickles = ground.loading.runs_code(f"{deployment.model}@{deployment.version}")
        kind, runtime = "native", target.with_name("runtime")
        if deployment.runtime is None or deployment.runtime.kind != "native":
            runtime.mkdir(parents=True)
            task = {"folder": str(model), "into": str(runtime), "pickles": pickles}
            kind = str(ground.workers.call(_COMPILER, task, timeout=_SECONDS)["kind"])
        bundle = Bundle(
            endpoint=endpoint.name,
            model=deployment.model,
            version=deployment.version,
            number=deployment.number,
            deployment=deployment.id,
            signature=deployment.signature,
            key=endpoint.key,
            runtime=kind,
            pickles=pickles,
        )
        folders.write(
            target,
            bundle,
            model=model,
            runtime=None if kind == "native" else runtime,
            container=container,
        )

    def _example(self, who: Principal, endpoint: Endpoint) -> ExampleRow:
        """A row of what callers send; the key, where it is no input, is beside it."""
        deployment = _chosen(endpoint, None)
        columns = asked_of_callers(deployment)
        if deployment.features is not None:
            columns = [column for column in columns if column.required]
        names = tuple(column.name for column in columns)
        row = self._row(who, deployment, columns, names)
        if not endpoint.key or endpoint.key in row.record:
            return row
        told = self._trained_on(who, deployment, (endpoint.key,)) or {}
        key = str(told.get(endpoint.key, _SOME_KEY))
        return ExampleRow(record={**row.record, endpoint.key: key}, source=row.source)

    def _row(
        self,
        who: Principal,
        deployment: Deployment,
        columns: Sequence[InputColumn],
        names: tuple[str, ...],
    ) -> ExampleRow:
        kept = self._kept_with_model(who, deployment)
        record = example_in(kept, names) if kept is not None else None
        if record is not None:
            return ExampleRow(record=record, source="model")
        record = self._trained_on(who, deployment, names)
        if record is not None:
            return ExampleRow(record=record, source="dataset")
        return ExampleRow(record=typed_example(columns), source="types")

    def _kept_with_model(self, who: Principal, deployment: Deployment) -> Any:
        """The input example of the model's folder, as JSON."""
        storage = self._ground.storage
        artifact = self._ground.lineage.artifact(who, deployment.artifact)
        files = {item.path: item for item in storage.entries(artifact.folder)}
        for name in ("input_example.json", "serving_input_example.json"):
            entry = files.get(name)
            if entry is not None and entry.size <= _MOST_EXAMPLE_BYTES:
                try:
                    return msgspec.json.decode(storage.read(entry.digest))
                except msgspec.DecodeError:
                    continue
        return None

    def _trained_on(
        self, who: Principal, deployment: Deployment, names: Sequence[str]
    ) -> dict[str, Any] | None:
        """The first row of a dataset version that the model comes from."""
        graph = self._ground.lineage.trace(who, deployment.artifact, "up")
        for node in graph.nodes:
            if node.kind != "artifact" or node.type != "dataset":
                continue
            try:
                rows = self._ground.datasets.rows(who, node.name, limit=1)
            except AthanorError:
                continue
            record = example_in(rows, names)
            if record is not None:
                return record
        return None


def _chosen(endpoint: Endpoint, number: int | None) -> Deployment:
    if endpoint.graph is not None:
        raise ExportImpossible(endpoint.name, "it is a graph of other endpoints: export those")
    if number is not None:
        found = next((item for item in endpoint.deployments if item.number == number), None)
        if found is None:
            raise ExportImpossible(endpoint.name, f"it has no deployment {number}")
        return found
    chosen = endpoint.live or endpoint.candidate
    if chosen is None:
        raise ExportImpossible(endpoint.name, "no deployment of it is live")
    return chosen


def _check_manifest(request: ManifestRequest) -> None:
    for name in ("cpu", "memory"):
        if not _QUANTITY.fullmatch(getattr(request, name)):
            raise BadManifest(
                f"{name} {getattr(request, name)!r} is no quantity of Kubernetes.",
                "Write it as 500m or 2 (cpu), 512Mi or 2Gi (memory).",
            )
    if not 0 <= request.min_replicas <= request.max_replicas <= _MOST_REPLICAS:
        raise BadManifest(
            f"{request.min_replicas} to {request.max_replicas} replicas make no sense.",
            "Give 0 <= min_replicas <= max_replicas.",
        )
    if request.kind != "kserve" and request.min_replicas < 1:
        raise BadManifest(
            "Kubernetes' autoscaler does not scale to zero.", "Give min_replicas of 1 or more."
        )
    if request.max_replicas < 1:
        raise BadManifest("max_replicas is 0.", "Give 1 or more.")
    if request.namespace and not _NAME.fullmatch(request.namespace):
        raise BadManifest(
            f"{request.namespace!r} can't name a namespace.", "Use small letters, digits, hyphens."
        )


def _zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return target


def _pieces(archive: Path, place: Path) -> Iterator[bytes]:
    try:
        with archive.open("rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece
    finally:
        shutil.rmtree(place, ignore_errors=True)
