"""Training sets: features as of each row's instant, made again bit for bit from their pins."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from athanor.data import DatasetVersion, NewVersion, Roles
from athanor.features.building import Building
from athanor.features.errors import (
    NoFeaturesNamed,
    NoSpine,
    TrainingSetErased,
    TrainingSetNotFound,
    ViewVersionNotFound,
)
from athanor.features.ground import Ground, Stores
from athanor.features.records import Rebuilt
from athanor.features.shelf import Planned, Shelf
from athanor.features.types import (
    FeatureView,
    SpineSource,
    TrainingRequest,
    TrainingSet,
    ViewVersion,
)
from athanor.kernel import DEFAULT_PROJECT, SYSTEM, AthanorError, Principal
from athanor.lineage import NewRun


class TrainingSets:
    """Point-in-time joins, and what was made of them."""

    def __init__(self, stores: Stores, ground: Ground, building: Building) -> None:
        self._history = stores.history
        self._ground = ground
        self._access = ground.access
        self._building = building
        self._shelf = Shelf(stores.definitions, stores.history)

    def create(
        self,
        who: Principal,
        name: str,
        request: TrainingRequest,
        *,
        upload: Path | None = None,
        project: str = DEFAULT_PROJECT,
    ) -> TrainingSet:
        """Look features up for each row of a dataset, query or table; the next version of `name`.

        Raises: NoSpine, FeatureServiceNotFound, ViewNotFound, FeatureNotFound, FeatureClash,
        FeatureColumnMissing, InstantMissing, BadInstant, KeyTypeMismatch, FormulaFailed; what
        building a view and adding to a dataset raise.
        """
        self._access.require(who, "features.create", name)
        with self._ground.scratch() as scratch:
            planned = self._planned(project, request)
            spine, pins = self._spine(who, request.spine, upload, scratch, project)
            views, consumed = self._views(who, planned, request.versions)
            pins |= {"views": views, "plan": msgspec.to_builtins(planned.plan)}
            made = self._joined(request, pins, scratch, "parquet")
            version = self._ground.datasets.add(
                who,
                name,
                NewVersion(
                    path=scratch / "joined.parquet",
                    file_name=f"{name}.parquet",
                    roles=Roles(
                        target=request.target or self._target(who, request.spine, project),
                        time=request.at,
                    ),
                ),
                project=project,
            )
            with self._ground.database.transaction():
                made_set = self._record(
                    who, (project, request, pins), made, (version, spine | consumed)
                )
        return made_set

    def sets(
        self, who: Principal, name: str = "", *, project: str = DEFAULT_PROJECT
    ) -> list[TrainingSet]:
        """Training sets, newest first; of one name, or all."""
        self._access.require(who, "features.sets", name or project)
        return self._marked(self._history.training_sets(project, name or None))

    def rebuild(self, who: Principal, reference: str, *, project: str = DEFAULT_PROJECT) -> Rebuilt:
        """Make NAME@VERSION again from its pins, and say whether every bit is the same.

        Raises: TrainingSetNotFound, TrainingSetErased; BlobNotFound where a version was vacuumed.
        """
        self._access.require(who, "features.rebuild", reference)
        (found,) = self._marked([self._found(project, reference)])
        if found.erased:
            raise TrainingSetErased(f"{found.name}@{found.version}", found.erased)
        with self._ground.scratch() as scratch:
            made = self._joined(found.request, found.pins, scratch, "parquet")
        return Rebuilt(
            name=found.name,
            version=found.version,
            identical=made["digest"] == found.digest,
            digest=made["digest"],
            expected=found.digest,
        )

    @contextmanager
    def historical(
        self,
        who: Principal,
        request: TrainingRequest,
        *,
        upload: Path | None = None,
        project: str = DEFAULT_PROJECT,
    ) -> Iterator[Path]:
        """The features of each row as an Arrow stream's file, which goes when the context ends.

        Nothing is kept of it. Raises: as `create`.
        """
        self._access.require(who, "features.historical", project)
        with self._ground.scratch() as scratch:
            planned = self._planned(project, request)
            _, pins = self._spine(who, request.spine, upload, scratch, project, keep=False)
            views, _ = self._views(who, planned, request.versions)
            pins |= {"views": views, "plan": msgspec.to_builtins(planned.plan)}
            self._joined(request, pins, scratch, "arrow")
            yield scratch / "joined.arrow"

    def upload(self) -> AbstractContextManager[Path]:
        """A folder for a table that is on its way in; it goes when the context ends.

        Raises: StorageFull.
        """
        self._ground.storage.check_space()
        return self._ground.scratch()

    def _planned(self, project: str, request: TrainingRequest) -> Planned:
        if not request.features:
            raise NoFeaturesNamed
        try:
            return self._shelf.planned(project, request.features, full_names=request.full_names)
        except ViewVersionNotFound:
            return self._after_first_build(project, request)

    def _after_first_build(self, project: str, request: TrainingRequest) -> Planned:
        """Views whose columns nobody has seen yet are read first."""
        for view in self._shelf.unread(project, request.features):
            self._building.build(SYSTEM, view)
        return self._shelf.planned(project, request.features, full_names=request.full_names)

    def _target(self, who: Principal, spine: SpineSource, project: str) -> str:
        """What the dataset that gives the rows is trained to predict, if it is said."""
        if not spine.dataset:
            return ""
        version = self._ground.datasets.version(who, spine.dataset, project=project)
        return self._ground.datasets.dataset(who, version.dataset, project=project).roles.target

    def _spine(
        self,
        who: Principal,
        spine: SpineSource,
        upload: Path | None,
        scratch: Path,
        project: str,
        *,
        keep: bool = True,
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """What the rows to look up come from: artifacts by name, and pins."""
        if upload is not None:
            if not keep:
                return {}, {"spine": {"kind": "upload", "path": str(upload)}}
            blob = self._ground.storage.put_file(upload)
            return {}, {"spine": {"kind": "upload", "blob": blob.digest}}
        if spine.dataset:
            version = self._ground.datasets.version(who, spine.dataset, project=project)
            uri = version.table_uri.rstrip("/")
            files = [f"{uri}/{file}" for file in version.files]
            title = f"{version.dataset}@{version.number}"
            pin = {"kind": "files", "files": files, "dataset": title, "digest": version.digest}
            return {title: version.artifact_id}, {"spine": pin}
        if not spine.sql:
            raise NoSpine
        path = scratch / "spine.parquet"
        names = self._ground.sql.copy(who, spine.sql, path, project=project)
        if not keep:
            return {}, {"spine": {"kind": "upload", "path": str(path)}}
        consumed = self._building.pins(who, project, names)
        blob = self._ground.storage.put_file(path)
        return consumed, {"spine": {"kind": "upload", "blob": blob.digest, "sql": spine.sql}}

    def _views(
        self, who: Principal, planned: Planned, versions: Mapping[str, int]
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """Per view: its version and pushed rows, pinned; and the artifacts by name."""
        pins, consumed = [], {}
        for view in planned.views:
            number = versions.get(view.name)
            pending: list[Any] = []
            if number is None:
                version = self._building.fresh(who, view)
                pending = self._history.pending(view.project, view.name)
            else:
                version = self._version(view, number)
            pin = self._building.described(view, version) | {
                "version": version.number,
                "blob": version.blob,
                "ttl": round(view.ttl * 1_000_000),
                "fields": [[item.name, item.type] for item in version.fields],
                "pending": "",
            }
            if pending:
                kept = msgspec.json.encode(pending)
                pin["pending"] = self._ground.storage.put_bytes(kept).digest
            pins.append(pin)
            consumed[f"{view.name}@{version.number}"] = version.artifact_id
        return pins, consumed

    def _version(self, view: FeatureView, number: int) -> ViewVersion:
        found = self._history.find_version(view.project, view.name, number)
        if found is None:
            raise ViewVersionNotFound(view.name, number)
        return found

    def _joined(
        self, request: TrainingRequest, pins: dict[str, Any], scratch: Path, format: str
    ) -> dict[str, Any]:
        """Have a worker join what the pins say."""
        spine = dict(pins["spine"])
        if spine["kind"] == "upload":
            spine["path"] = spine.get("path") or self._ground.local(spine["blob"], scratch)
        task = join_task(pins, request.at, known_at=request.known_at) | {
            "spine": spine,
            "format": format,
            "path": str(scratch / f"joined.{format}"),
        }
        for view in task["views"]:
            view["file"] = self._ground.local(view["blob"], scratch)
            stored = view["pending"]
            view["pending"] = (
                msgspec.json.decode(self._ground.storage.read(stored)) if stored else []
            )
        return self._ground.work("join:join", task)

    def _marked(self, found: list[TrainingSet]) -> list[TrainingSet]:
        """Training sets, each with what of it was erased."""
        views: dict[str, set[int]] = {}
        marked = []
        for item in found:
            gone = [
                name
                for name in (f"{item.name}@{item.version}", item.pins["spine"].get("dataset", ""))
                if name and self._is_erased(name, item.project)
            ]
            if self._is_gone(item.pins["spine"].get("blob", "")):
                gone.append("the rows to look up")
            for pin in item.pins["views"]:
                if self._is_gone(pin["pending"]):
                    gone.append(f"rows pushed to {pin['view']}")
                title = pin["name"]
                if title not in views:
                    versions = self._history.versions(*title.split("/", 1))
                    views[title] = {each.number for each in versions if each.state == "erased"}
                if pin["version"] in views[title]:
                    gone.append(f"{pin['view']}@{pin['version']}")
            marked.append(replace(item, erased=tuple(dict.fromkeys(gone))) if gone else item)
        return marked

    def _is_gone(self, digest: str) -> bool:
        return bool(digest) and not self._ground.storage.exists(digest)

    def _is_erased(self, dataset: str, project: str) -> bool:
        """Whether a dataset's version went with the rows of a person."""
        try:
            self._ground.datasets.version(SYSTEM, dataset, project=project)
        except AthanorError as error:
            return error.details.get("gone_for") == "erased"
        return False

    def _found(self, project: str, reference: str) -> TrainingSet:
        name, _, number = reference.partition("@")
        number = number.removeprefix("v")
        for item in self._history.training_sets(project, name):
            if number in {"", "latest", str(item.version)}:
                return item
        raise TrainingSetNotFound(reference)

    def _record(
        self,
        who: Principal,
        asked: tuple[str, TrainingRequest, dict[str, Any]],
        made: dict[str, Any],
        result: tuple[DatasetVersion, dict[str, str]],
    ) -> TrainingSet:
        (project, request, pins), (version, consumed) = asked, result
        run_id, _ = self._ground.recorded(
            who,
            NewRun(
                kind="training_set",
                name=f"{version.dataset}@{version.number}",
                project=project,
                labels={"dataset": version.dataset, "version": str(version.number)},
            ),
            consumed,
            None,
            made["cpu_seconds"],
        )
        self._ground.lineage.produced(who, run_id, version.artifact_id, "training_set")
        kept = TrainingSet(
            name=version.dataset,
            version=version.number,
            project=project,
            request=request,
            pins=pins,
            digest=made["digest"],
            rows=made["rows"],
            columns=tuple(made["columns"]),
            artifact_id=version.artifact_id,
            run_id=run_id,
            missing=made["missing"],
            warnings=tuple(made["warnings"]),
            state=version.state,
            reasons=tuple(
                check.message
                for check in version.checks
                if version.state == "quarantined" and not check.passed and check.severity == "fail"
            ),
            created_at=self._ground.clock.now(),
            created_by=who.name,
        )
        self._history.add_training_set(kept)
        detail = {"dataset": version.dataset, "version": version.number, "rows": made["rows"],
                  "artifact": version.artifact_id, "features": list(request.features)}  # fmt: skip
        subject = f"{version.dataset}@{version.number}"
        self._ground.events.tell(
            who, "features.training_set.created", subject, detail, project=project
        )
        return kept


def join_task(pins: Mapping[str, Any], at: str, *, known_at: bool | None = None) -> dict[str, Any]:
    """What a join is to do, by its pins; where the files lie is filled in by the caller."""
    plan = pins["plan"]
    lookups = {lookup["view"]: lookup for lookup in plan["lookups"]}
    views = []
    for pin in pins["views"]:
        lookup, types = lookups[pin["name"]], dict(pin["fields"])
        wanted = [
            [feature, types.get(feature) or "number", name]
            for feature, name in zip(lookup["features"], lookup["names"], strict=True)
        ]
        # Pins that do not say so are of views that had no choice.
        known = pin.get("known_at", True) if known_at is None else known_at
        views.append({**pin, "wanted": wanted, "known_at": known, "source": {"kind": "push"}})
    return {
        "at": at,
        "views": views,
        "on_demand": plan["on_demand"],
        "columns": list(plan["columns"]),
    }
