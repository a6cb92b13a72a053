"""From a source to a receiver: experiments, runs, logged models, registered models.

Runs go in batches, and each batch is marked when it is whole: killed anywhere and started again, a
journey goes on where it was, and once more it finds nothing to do.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from athanor.app.moving.errors import NoSuchExperiments
from athanor.app.moving.parcels import Missing, bring, bring_folder
from athanor.app.moving.receiver import Receiver
from athanor.app.moving.source import Files, Owner, Source
from athanor.registry.records import ModelRecord, VersionRecord
from athanor.tracking.records import (
    ExperimentHere,
    ExperimentRecord,
    LoggedModelRecord,
    PointsRecord,
    RunRecord,
)

_TOGETHER = 4 << 20
"""Characters of packed points that one request takes."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a journey found and did."""

    source: str
    dry_run: bool = False
    experiments: int = 0
    runs: int = 0
    runs_sent: int = 0
    """Those that were not there, or that have changed."""
    runs_new: int = 0
    points: int = 0
    logged_models: int = 0
    logged_models_sent: int = 0
    files: int = 0
    bytes_sent: int = 0
    models: int = 0
    versions: int = 0
    versions_new: int = 0
    models_changed: int = 0
    missing: list[Missing] = field(default_factory=list)
    """Files that the source tells of and does not have."""
    refused: list[str] = field(default_factory=list)
    """Versions that were not taken, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which part of a source is brought."""

    experiments: tuple[str, ...] = ()
    """By name; all where none is named."""
    dry_run: bool = False
    model_prefix: str = ""
    """What the names of registered models begin with here, beside those that are here."""


class Journey:
    """One way from a source to a receiver."""

    def __init__(
        self, source: Source, receiver: Receiver, *, told: Callable[[Tally], None]
    ) -> None:
        self._source = source
        self._receiver = receiver
        self._told = told
        self._here: dict[str, ExperimentHere] = {}
        self._places: dict[str, str] = {}
        self._owners: set[str] = set()
        self._listed: dict[str, Files] = {}
        self.tally = Tally(source=source.name)

    def go(self, route: Route) -> Tally:
        """Bring everything over; `told` hears of each step.

        Raises: NoSuchExperiments, BrokenStore, StoreUnreachable; what the receiver raises.
        """
        self.tally.dry_run = route.dry_run
        experiments = _chosen(self._source.experiments(), route.experiments)
        self.tally.experiments = len(experiments)
        if not route.dry_run and experiments:
            taken = self._receiver.take_experiments(experiments)
            self._here = {one.id: one for one in taken}
        for experiment in experiments:
            for runs in self._source.runs(experiment):
                self.tally.runs += len(runs)
                self._runs(experiment, runs, dry_run=route.dry_run)
                self._told(self.tally)
        for experiment in experiments:
            for models in self._source.logged_models(experiment):
                self.tally.logged_models += len(models)
                self._logged_models(experiment, models, dry_run=route.dry_run)
                self._told(self.tally)
        for batch in self._source.models():
            for model in batch:
                chosen = _narrowed(model, self._owners) if route.experiments else model
                self._model(replace(chosen, name=f"{route.model_prefix}{chosen.name}"))
                self._told(self.tally)
        return self.tally

    def _runs(self, experiment: ExperimentRecord, runs: list[RunRecord], *, dry_run: bool) -> None:
        moved = self._source.marks(runs)
        self._listed.clear()
        marks = {run.id: self._mark(run, moved[run.id]) for run in runs}
        self._note(experiment, runs)
        wanted = set(self._receiver.wanted(marks))
        going = [run for run in runs if run.id in wanted]
        self.tally.runs_sent += len(going)
        if dry_run or not going:
            return
        points = self._source.points(going)
        self.tally.points += sum(_count(series) for every in points.values() for series in every)
        here = self._here[experiment.id].here
        records = [replace(run, experiment=here, points=points[run.id]) for run in going]
        for together in _together(records):
            self.tally.runs_new += len(self._receiver.take_runs(together))
        self._files(going)
        self._receiver.settle({run.id: marks[run.id] for run in going})

    def _logged_models(
        self, experiment: ExperimentRecord, models: list[LoggedModelRecord], *, dry_run: bool
    ) -> None:
        self._listed.clear()
        marks = {model.id: self._mark(model, "") for model in models}
        self._note(experiment, models)
        wanted = set(self._receiver.wanted(marks))
        going = [model for model in models if model.id in wanted]
        self.tally.logged_models_sent += len(going)
        if dry_run or not going:
            return
        here = self._here[experiment.id].here
        self._receiver.take_logged_models([replace(model, experiment=here) for model in going])
        self._files(going)
        self._receiver.settle({model.id: marks[model.id] for model in going})

    def _model(self, model: ModelRecord) -> None:
        self.tally.models += 1
        self.tally.versions += len(model.versions)
        if self.tally.dry_run:
            return
        versions = [self._relocated(version) for version in model.versions]
        for version in versions:
            if version.files:
                self.tally.bytes_sent += bring_folder(
                    self._source, self._receiver, model.name, version
                )
        arrival = self._receiver.take_model(replace(model, versions=versions))
        self.tally.versions_new += len(arrival.added)
        self.tally.models_changed += int(arrival.new or arrival.changed or bool(arrival.added))
        for number, why in arrival.refused.items():
            which = f"{model.name}@{number}" if number else model.name
            self.tally.refused.append(f"{which}: {why}")

    def _files(self, owners: Sequence[Owner]) -> None:
        owned = [(owner, self._listed[owner.id]) for owner in owners]
        brought = bring(self._source, self._receiver, owned)
        self.tally.files += brought.files
        self.tally.bytes_sent += brought.bytes
        self.tally.missing += brought.missing

    def _mark(self, owner: Owner, moved: str) -> str:
        """A digest of all that can change of an owner at its source."""
        files = self._listed[owner.id] = self._source.files(owner)
        told = [(file.path, file.size, file.mark) for file in files.found]
        whole = msgspec.json.encode((owner, moved, told, files.missing))
        return hashlib.sha256(whole).hexdigest()

    def _note(self, experiment: ExperimentRecord, owners: Sequence[Owner]) -> None:
        """Keep where owners lay there and lie here, for versions that name these places."""
        for owner in owners:
            self._owners.add(owner.id)
            if owner.location and experiment.id in self._here:
                root = self._here[experiment.id].location.rstrip("/")
                below = f"models/{owner.id}" if isinstance(owner, LoggedModelRecord) else owner.id
                self._places[owner.location.rstrip("/")] = f"{root}/{below}/artifacts"

    def _relocated(self, version: VersionRecord) -> VersionRecord:
        """A version whose files came along lies here now."""
        source = self._place(version.source) or version.source
        location = self._place(version.location or version.source) or version.location
        return replace(version, source=source, location=location)

    def _place(self, there: str) -> str:
        above, below = there.rstrip("/"), ""
        while above and above not in self._places:
            above, slash, last = above.rpartition("/")
            if not slash:
                return ""
            below = f"/{last}{below}"
        return f"{self._places[above]}{below}" if above else ""


def _chosen(experiments: list[ExperimentRecord], names: tuple[str, ...]) -> list[ExperimentRecord]:
    if not names:
        return experiments
    there = [experiment.name for experiment in experiments]
    absent = [name for name in names if name not in there]
    if absent:
        raise NoSuchExperiments(absent, there)
    return [experiment for experiment in experiments if experiment.name in names]


def _narrowed(model: ModelRecord, owners: set[str]) -> ModelRecord:
    """A model with those versions alone whose run or logged model comes along."""
    kept = [
        version
        for version in model.versions
        if version.run in owners or version.logged_model in owners
    ]
    numbers = {version.number for version in kept}
    aliases = {alias: number for alias, number in model.aliases.items() if number in numbers}
    return replace(model, versions=kept, aliases=aliases)


def _together(records: list[RunRecord]) -> Iterator[list[RunRecord]]:
    """Runs that one request takes; a run with long histories goes in several records."""
    batch: list[RunRecord] = []
    size = 0
    for record in records:
        for part in _parts(record):
            length = sum(len(series.values) * 3 for series in part.points)
            if batch and size + length > _TOGETHER:
                yield batch
                batch, size = [], 0
            batch.append(part)
            size += length
    if batch:
        yield batch


def _parts(record: RunRecord) -> Iterator[RunRecord]:
    part: list[PointsRecord] = []
    size = 0
    for series in record.points:
        length = len(series.values) * 3
        if part and size + length > _TOGETHER:
            yield replace(record, points=part)
            part, size = [], 0
        part.append(series)
        size += length
    yield replace(record, points=part)


def _count(series: PointsRecord) -> int:
    """How many points are packed: eight bytes each, four characters for three of them."""
    return len(series.values) * 3 // 4 // 8
