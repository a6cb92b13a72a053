"""What the registry is told of runs, logged models and their files."""

import json
from collections.abc import Sequence
from contextlib import suppress

from athanor.kernel import NotFound, Principal
from athanor.kernel.storage import FolderEntry
from athanor.registry import Logged
from athanor.tracking import BadArtifactPath, Homes, LoggedModels, RunFiles, in_project, place_of

_VERSIONS = "mlflow.modelVersions"
"""A JSON list of `{"name", "version"}`."""


class TrackedOrigins:
    """The registry's port to tracking."""

    def __init__(self, files: RunFiles, models: LoggedModels, homes: Homes) -> None:
        self._files = files
        self._models = models
        self._homes = homes

    def location_of_run(self, who: Principal, run_id: str) -> str | None:
        """Where a run keeps its artifacts; None where there is no such run here."""
        with suppress(NotFound):
            return self._homes.run(who, run_id).location
        return None

    def logged_model(self, who: Principal, model_id: str) -> Logged | None:
        """The logged model of this id; None where there is none here."""
        with suppress(NotFound):
            found = self._models.get(who, model_id)
            return Logged(
                location=found.location, run=found.run or None, artifact_id=found.artifact_id
            )
        return None

    def files(self, who: Principal, project: str, location: str) -> Sequence[FolderEntry]:
        """The files below an artifact location; none where that is not in our tree."""
        try:
            place = place_of(location)
        except BadArtifactPath:
            return ()
        if place.kind != "tree" or not place.path:
            return ()
        found = self._files.tree(who, place.path, project=project)
        below = in_project(place.path, project)
        entries = [
            FolderEntry(
                path=entry.path.removeprefix(f"{below}/"), digest=entry.digest, size=entry.size
            )
            for entry in found
            if entry.path != below
        ]
        return sorted(entries, key=lambda entry: entry.path.split("/"))

    def registered(self, who: Principal, model_id: str, model: str, number: int) -> None:
        """Add a version to the tag by which MLflow's clients find a logged model's versions."""
        with suppress(NotFound):
            known = self._models.get(who, model_id).tags.get(_VERSIONS, "[]")
            versions = [*json.loads(known), {"name": model, "version": number}]
            self._models.set_tags(who, model_id, {_VERSIONS: json.dumps(versions)})
