"""Scans of model versions and the rule who may load what: for the services, and for serving."""

import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from athanor.kernel import SYSTEM, AthanorError
from athanor.registry.errors import BadModelFolder, PickleNotAllowed
from athanor.registry.ground import Ground
from athanor.registry.logic.mlmodel import servable
from athanor.registry.logic.pickles import FolderFile, scan
from athanor.registry.scans import (
    LEVELS,
    Consent,
    Finding,
    Level,
    Permission,
    Scan,
    ScannedFile,
    VersionScan,
)
from athanor.registry.store import ModelStore
from athanor.registry.store.safety import SafetyStore
from athanor.registry.types import InputColumn, ModelVersion

_log = logging.getLogger(__name__)
_COLUMNS = "athanor.registry.packaging.flavours:told_columns"
_TELLING = frozenset({"sklearn", "xgboost", "lightgbm"})
"""Flavours that are loaded here."""
_SECONDS = 120.0
_TOLD = 3
"""Findings that a refusal names."""
_MEANT: dict[Level, str] = {
    "safe": "safe: nothing that runs",
    "usual": "usual: parts of well-known libraries",
    "unknown": "unknown: code of its author's, which nobody vouches for",
    "dangerous": "dangerous: it may start programs, open files or reach the network",
}


class Scanner:
    """Looks into the files of versions, keeps what was found, and applies the consents to it."""

    def __init__(self, store: SafetyStore, models: ModelStore, ground: Ground) -> None:
        self._store = store
        self._models = models
        self._ground = ground

    def scan(self, version: ModelVersion) -> VersionScan:
        """The scan of a version; made now if there is none."""
        kept = self._store.find_scan(version.model, version.number)
        if kept is not None and kept.digest == version.digest:
            return kept
        found = VersionScan(
            model=version.model,
            number=version.number,
            digest=version.digest,
            scan=scan(self._files(version)) if version.artifact_id else _elsewhere(version),
            scanned_at=self._ground.clock.now(),
        )
        with self._ground.database.transaction():
            self._store.keep_scan(found)
            if found.scan.level in {"unknown", "dangerous"}:
                detail = {
                    "model": version.model,
                    "number": version.number,
                    "level": found.scan.level,
                    "runs": [_words(item) for item in found.scan.findings[:_TOLD]],
                }
                self._ground.events.tell(
                    SYSTEM,
                    "registry.pickle.found",
                    version.reference,
                    detail,
                    project=self._project(version),
                )
        return found

    def registered(self, version: ModelVersion) -> None:
        """Scan a new version; where that fails it is tried again when somebody asks."""
        try:
            self.scan(version)
        except AthanorError as error:
            _log.warning("%s was not scanned: %s", version.reference, error)

    def require(self, version: ModelVersion, *, by_name: bool = False) -> Scan:
        """Return what was found if the version may be loaded.

        `by_name` asks for a consent that names the model: serving does.

        Raises: PickleNotAllowed.
        """
        told = self.permission(version, by_name=by_name)
        if not told.allowed:
            agree = "Agree to it by name:" if by_name else "Agree to it:"
            dangerous = told.scan.level == "dangerous"
            raise PickleNotAllowed(version.reference, told.reason, agree, dangerous=dangerous)
        return told.scan

    def runs_code(self, reference: str) -> bool:
        """Whether loading a version for serving runs code, to which somebody agreed by name.

        Raises: PickleNotAllowed.
        """
        model, _, number = reference.rpartition("@")
        version = self._models.find_version(model, int(number))
        return version is not None and self.require(version, by_name=True).pickled

    def loadable(self, reference: str) -> bool:
        """Whether a version's MLmodel says that it holds a model that workers load.

        Raises: BadModelFolder, BlobNotFound.
        """
        model, _, number = reference.rpartition("@")
        version = self._models.find_version(model, int(number))
        if version is None or version.artifact_id is None:
            return False
        for file in self._files(version):
            if file.path == "MLmodel":
                with file.open() as stream:
                    return servable(stream.read().decode("utf-8", "replace"), reference)
        raise BadModelFolder(reference, "there is no MLmodel in it")

    def columns(self, reference: str) -> tuple[InputColumn, ...]:
        """What a version's estimator tells of its columns, where its files tell none.

        It is loaded in a worker for that: `feature_names_in_`, or `x0`, `x1` ... for each of
        `n_features_in_`. Empty where it tells nothing either, or only MLflow loads it.

        Raises: PickleNotAllowed, BadModelFolder, UnsafeModel, TookTooLong.
        """
        model, _, number = reference.rpartition("@")
        version = self._models.find_version(model, int(number))
        if version is None or version.artifact_id is None or version.flavor not in _TELLING:
            return ()
        found = self.require(version, by_name=True)
        artifact = self._ground.lineage.artifact(SYSTEM, version.artifact_id)
        with TemporaryDirectory(prefix="athanor-columns-") as place:
            folder = self._ground.storage.fetch_folder(artifact.folder, Path(place))
            told = self._ground.workers.call(
                _COLUMNS, {"folder": str(folder), "pickles": found.pickled}, timeout=_SECONDS
            )
        return tuple(InputColumn(**item) for item in told)

    def permission(self, version: ModelVersion, *, by_name: bool = False) -> Permission:
        """Whether a version may be loaded, and why."""
        found = self.scan(version).scan
        if not found.pickled:
            reason = "nothing in it runs when it is loaded"
            return Permission(allowed=True, reason=reason, scan=found)
        runs, consent = what_runs(found), self.consent(version)
        if consent is None or (by_name and not consent.model):
            whose = "to that for this model, by its name" if by_name else "to that"
            return Permission(allowed=False, reason=f"{runs}; nobody agreed {whose}.", scan=found)
        if not covers(consent, found):
            reason = f"{runs}; {consent.granted_by} agreed to what is {consent.level} at most."
            return Permission(allowed=False, reason=reason, scan=found)
        return Permission(allowed=True, reason=f"{runs}; {consent.granted_by} agreed.", scan=found)

    def consent(self, version: ModelVersion) -> Consent | None:
        """The consent that holds for a version: its model's own, else its project's."""
        found = {item.model: item for item in self._store.list_consents(self._project(version))}
        return found.get(version.model) or found.get("")

    def _project(self, version: ModelVersion) -> str:
        model = self._models.find_model(version.model)
        return model.project if model else ""

    def _files(self, version: ModelVersion) -> Iterator[FolderFile]:
        storage = self._ground.storage
        artifact = self._ground.lineage.artifact(SYSTEM, version.artifact_id or "")
        for entry in storage.entries(artifact.folder):
            yield FolderFile(
                path=entry.path,
                size=entry.size,
                open=lambda digest=entry.digest: storage.open(digest),  # type: ignore[misc]
            )


def covers(consent: Consent, found: Scan) -> bool:
    """Whether a consent reaches to what was found."""
    return LEVELS.index(consent.level) >= LEVELS.index(found.level)


def what_runs(found: Scan) -> str:
    """What loading would run, in one sentence without its end."""
    problems = [f"{item.path}: {item.problem}" for item in found.files if item.problem]
    told = [_words(item) for item in found.findings if item.level != "usual"][:_TOLD]
    if told:
        return f"loading it would run {', '.join(told)} ({_MEANT[found.level]})"
    if problems:
        return f"it can't be looked through ({problems[0]})"
    return "loading it runs a pickle, of usual parts alone"


def _words(finding: Finding) -> str:
    return finding.call or f"{finding.module}.{finding.name}"


def _elsewhere(version: ModelVersion) -> Scan:
    """The scan of what lies where this server does not reach."""
    place = version.source or "an unknown place"
    file = ScannedFile(path=place, format="elsewhere", size=0, problem="its files lie elsewhere")
    return Scan(level="unknown", files=[file])
