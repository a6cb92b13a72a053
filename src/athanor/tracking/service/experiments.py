"""The verbs of experiments."""

from collections.abc import Sequence
from dataclasses import replace

from athanor.kernel import DEFAULT_PROJECT, Access, Clock, Database, Events, Principal
from athanor.tracking.errors import (
    ExperimentDeleted,
    ExperimentExists,
    ExperimentNotFound,
    RenamedWhileDeleted,
    TagNotFound,
)
from athanor.tracking.logic import rules
from athanor.tracking.logic.search import (
    check_max_results,
    experiment_filter,
    experiment_orders,
    page_offset,
    page_token,
)
from athanor.tracking.store.experiments import ExperimentSearch, ExperimentStore
from athanor.tracking.types import (
    DEFAULT_EXPERIMENT,
    DEFAULT_EXPERIMENT_ID,
    Experiment,
    ExperimentPage,
    ExperimentQuery,
    Lifecycle,
    NewExperiment,
    View,
)

LIFECYCLES: dict[View, tuple[Lifecycle, ...]] = {
    "active": ("active",),
    "deleted": ("deleted",),
    "all": ("active", "deleted"),
}
"""What each view looks at."""
_PAGE = 50_000


class Experiments:
    """Runs that belong together, one name of its own each in a project."""

    def __init__(
        self,
        store: ExperimentStore,
        database: Database,
        *,
        events: Events,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._events = events
        self._access = access
        self._clock = clock

    def create(self, who: Principal, new: NewExperiment) -> Experiment:
        """Make an experiment.

        Raises: Unloggable, BadKey; ExperimentExists, also where a deleted one has the name.
        """
        self._access.require(who, "tracking.create_experiment", new.project)
        rules.check_experiment_name(new.name)
        rules.check_experiment_tags(new.tags)
        rules.check_location(new.artifact_location)
        now = self._clock.now()
        with self._database.transaction():
            if new.project != DEFAULT_PROJECT or new.name != DEFAULT_EXPERIMENT:
                self._default(new.project)
            made = self._store.add(
                Experiment(
                    id="",
                    project=new.project,
                    name=new.name,
                    artifact_location=new.artifact_location,
                    created_at=now,
                    updated_at=now,
                    tags=new.tags,
                )
            )
            self._tell(who, "created", made)
        return made

    def get(
        self,
        who: Principal,
        experiment_id: str,
        *,
        project: str = DEFAULT_PROJECT,
        runs: bool = False,
    ) -> Experiment:
        """The experiment with this id, deleted or not; "0" is the project's default one.

        With `runs` its newest run is a change of it.
        Raises: ExperimentNotFound.
        """
        self._access.require(who, "tracking.experiment", experiment_id)
        found = self._get(experiment_id, project)
        return self._with_runs([found])[0] if runs else found

    def by_name(self, who: Principal, name: str, *, project: str = DEFAULT_PROJECT) -> Experiment:
        """The project's experiment of this name, deleted or not.

        Raises: ExperimentNotFound.
        """
        self._access.require(who, "tracking.experiment_by_name", project)
        found = self._store.find_by_name(project, name)
        if found is None and name == DEFAULT_EXPERIMENT:
            found = self._default(project)
        if found is None:
            raise ExperimentNotFound.by_name(name)
        return found

    def projects(self, who: Principal) -> list[str]:
        """The projects that have experiments, by name; `default` is always there."""
        self._access.require(who, "tracking.projects", "*")
        return sorted({DEFAULT_PROJECT, *self._store.projects()})

    def search(
        self, who: Principal, query: ExperimentQuery, *, runs: bool = False
    ) -> ExperimentPage:
        """Experiments of a project, the newest first where no order is asked for.

        With `runs` the newest run of an experiment is a change of it.
        Raises: BadSearch.
        """
        self._access.require(who, "tracking.search_experiments", query.project)
        check_max_results(query.limit, _PAGE)
        conditions = experiment_filter(query.filter)
        order = experiment_orders(query.order_by)
        offset = page_offset(query.page_token)
        self._default(query.project)
        found = self._store.search(
            ExperimentSearch(
                query.project,
                LIFECYCLES[query.view],
                conditions,
                order,
                (query.limit + 1, offset),
            )
        )
        more = len(found) > query.limit
        shown = found[: query.limit]
        return ExperimentPage(
            experiments=self._with_runs(shown) if runs else shown,
            next_page_token=page_token(offset + query.limit) if more else "",
        )

    def rename(
        self, who: Principal, experiment_id: str, name: str, *, project: str = DEFAULT_PROJECT
    ) -> Experiment:
        """Give an experiment another name.

        Raises: ExperimentNotFound, ExperimentExists, RenamedWhileDeleted, Unloggable.
        """
        self._access.require(who, "tracking.rename_experiment", experiment_id)
        rules.check_experiment_name(name)
        with self._database.transaction():
            found = self._get(experiment_id, project)
            if found.lifecycle != "active":
                raise RenamedWhileDeleted
            other = self._store.find_by_name(found.project, name)
            if other is not None and other.id != found.id:
                raise ExperimentExists(name)
            self._store.rename(found.id, name, self._clock.now())
            renamed = self._get(found.id, project)
            self._tell(who, "renamed", renamed)
        return renamed

    def delete(
        self, who: Principal, experiment_id: str, *, project: str = DEFAULT_PROJECT
    ) -> Experiment:
        """Delete an experiment and its runs; they can be restored, and keep their names.

        Raises: ExperimentNotFound, also where it is deleted already.
        """
        self._access.require(who, "tracking.delete_experiment", experiment_id)
        return self._move(who, experiment_id, project, "deleted")

    def restore(
        self, who: Principal, experiment_id: str, *, project: str = DEFAULT_PROJECT
    ) -> Experiment:
        """Restore an experiment and all its runs, those deleted one by one before it too.

        Raises: ExperimentNotFound, also where it is not deleted.
        """
        self._access.require(who, "tracking.restore_experiment", experiment_id)
        return self._move(who, experiment_id, project, "active")

    def set_tag(
        self,
        who: Principal,
        experiment_id: str,
        key: str,
        value: str,
        *,
        project: str = DEFAULT_PROJECT,
    ) -> None:
        """Set a tag of an experiment.

        Raises: ExperimentNotFound, ExperimentDeleted, BadKey, Unloggable.
        """
        self._access.require(who, "tracking.set_experiment_tag", experiment_id)
        rules.check_experiment_tags({key: value})
        with self._database.transaction():
            found = self._active(experiment_id, project)
            self._store.set_tags(found.id, {key: value})

    def delete_tag(
        self, who: Principal, experiment_id: str, key: str, *, project: str = DEFAULT_PROJECT
    ) -> None:
        """Take a tag of an experiment away.

        Raises: ExperimentNotFound, ExperimentDeleted, TagNotFound.
        """
        self._access.require(who, "tracking.delete_experiment_tag", experiment_id)
        with self._database.transaction():
            found = self._active(experiment_id, project)
            if not self._store.remove_tag(found.id, key):
                raise TagNotFound(key, "experiment", experiment_id)

    def _move(
        self, who: Principal, experiment_id: str, project: str, lifecycle: Lifecycle
    ) -> Experiment:
        with self._database.transaction():
            found = self._get(experiment_id, project)
            if found.lifecycle == lifecycle:
                raise ExperimentNotFound.by_id(experiment_id)
            self._store.set_lifecycle(found.id, lifecycle, self._clock.now())
            moved = self._get(found.id, project)
            self._tell(who, "deleted" if lifecycle == "deleted" else "restored", moved)
        return moved

    def _active(self, experiment_id: str, project: str) -> Experiment:
        found = self._get(experiment_id, project)
        if found.lifecycle != "active":
            raise ExperimentDeleted(experiment_id)
        return found

    def _with_runs(self, found: Sequence[Experiment]) -> list[Experiment]:
        newest = self._store.newest_runs([one.id for one in found])
        return [
            replace(one, updated_at=max(one.updated_at, newest.get(one.id, one.updated_at)))
            for one in found
        ]

    def _get(self, experiment_id: str, project: str) -> Experiment:
        wanted = rules.experiment_id(experiment_id or DEFAULT_EXPERIMENT_ID)
        if wanted == DEFAULT_EXPERIMENT_ID:
            return self._default(project)
        found = self._store.find(wanted)
        if found is None or found.project != project:
            raise ExperimentNotFound.by_id(experiment_id)
        return found

    def _default(self, project: str) -> Experiment:
        """The project's default experiment, made where it is not there yet."""
        if project == DEFAULT_PROJECT:
            found = self._store.find(DEFAULT_EXPERIMENT_ID)
        else:
            found = self._store.find_by_name(project, DEFAULT_EXPERIMENT)
        if found is not None:
            return found
        now = self._clock.now()
        return self._store.add(
            Experiment(
                id=DEFAULT_EXPERIMENT_ID if project == DEFAULT_PROJECT else "",
                project=project,
                name=DEFAULT_EXPERIMENT,
                artifact_location="",
                created_at=now,
                updated_at=now,
            )
        )

    def _tell(self, who: Principal, what: str, experiment: Experiment) -> None:
        detail = {"name": experiment.name}
        action = f"tracking.experiment.{what}"
        self._events.tell(who, action, experiment.id, detail, project=experiment.project)
