"""Where experiments are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import delete, text, update
from sqlalchemy.exc import IntegrityError

from athanor.kernel import Database
from athanor.kernel.database import microseconds, moment
from athanor.kernel.plain import Plain, Row, marks
from athanor.tracking.errors import ExperimentExists
from athanor.tracking.searches import Comparison, Order
from athanor.tracking.store.likes import likes
from athanor.tracking.store.tables import experiment_table, experiment_tag_table
from athanor.tracking.types import Experiment, Lifecycle

_MANY = 500


class ExperimentStore(Protocol):
    """Experiments and their tags."""

    def add(self, experiment: Experiment) -> Experiment:
        """Add an experiment; "" as id or as location gets the next number and its own place.

        Raises: ExperimentExists where its project has one of that name.
        """
        ...

    def find(self, experiment_id: str) -> Experiment | None:
        """The experiment with this id."""
        ...

    def find_by_name(self, project: str, name: str) -> Experiment | None:
        """The project's experiment of this name."""
        ...

    def rename(self, experiment_id: str, name: str, at: datetime) -> None:
        """Give it another name.

        Raises: ExperimentExists.
        """
        ...

    def set_lifecycle(self, experiment_id: str, lifecycle: Lifecycle, at: datetime) -> None:
        """Delete or restore it, with all its runs."""
        ...

    def set_tags(self, experiment_id: str, tags: dict[str, str]) -> None:
        """Set tags."""
        ...

    def remove_tag(self, experiment_id: str, key: str) -> bool:
        """Take a tag away; whether there was one."""
        ...

    def search(self, query: "ExperimentSearch") -> list[Experiment]:
        """The experiments that a search finds."""
        ...

    def newest_runs(self, ids: Sequence[str]) -> dict[str, datetime]:
        """When the newest active run of each experiment began or ended; one index, no scan."""
        ...

    def projects(self) -> list[str]:
        """The projects that have experiments."""
        ...


class ExperimentSearch:
    """What to look for, once the texts of a search were read."""

    __slots__ = ("conditions", "lifecycles", "limit", "offset", "order", "project")

    def __init__(
        self,
        project: str,
        lifecycles: tuple[Lifecycle, ...],
        conditions: tuple[Comparison, ...],
        order: tuple[Order, ...],
        page: tuple[int, int],
    ) -> None:
        self.project = project
        self.lifecycles = lifecycles
        self.conditions = conditions
        self.order = order
        self.limit, self.offset = page


_COLUMNS = {
    "name": "e.name",
    "experiment_id": "CAST(e.id AS BIGINT)",
    # What callers compare is milliseconds.
    "creation_time": "e.created_at / 1000",
    "last_update_time": "e.updated_at / 1000",
}


class SqlExperimentStore:
    """Experiments in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plain = Plain(database)

    def add(self, experiment: Experiment) -> Experiment:
        """Add an experiment; "" as id or as location gets the next number and its own place.

        Raises: ExperimentExists where its project has one of that name.
        """
        with self._database.transaction() as connection:
            if self._database.dialect == "postgresql":
                connection.execute(
                    text("LOCK TABLE tracking_experiment IN SHARE ROW EXCLUSIVE MODE")
                )
            if self.find_by_name(experiment.project, experiment.name) is not None:
                raise ExperimentExists(experiment.name)
            given = experiment.id or self._next_id()
            location = experiment.artifact_location or f"mlflow-artifacts:/{given}"
            connection.execute(
                experiment_table.insert().values(
                    id=given,
                    project=experiment.project,
                    name=experiment.name,
                    artifact_location=location,
                    lifecycle=experiment.lifecycle,
                    created_at=experiment.created_at,
                    updated_at=experiment.updated_at,
                )
            )
            self.set_tags(given, experiment.tags)
        found = self.find(given)
        return experiment if found is None else found

    def find(self, experiment_id: str) -> Experiment | None:
        """The experiment with this id."""
        return self._one("e.id = ?", (experiment_id,))

    def find_by_name(self, project: str, name: str) -> Experiment | None:
        """The project's experiment of this name."""
        return self._one("e.project = ? AND e.name = ?", (project, name))

    def rename(self, experiment_id: str, name: str, at: datetime) -> None:
        """Give it another name.

        Raises: ExperimentExists.
        """
        try:
            self._change(experiment_id, name=name, updated_at=at)
        except IntegrityError as error:
            raise ExperimentExists(name) from error

    def set_lifecycle(self, experiment_id: str, lifecycle: Lifecycle, at: datetime) -> None:
        """Delete or restore it, with all its runs."""
        self._change(experiment_id, lifecycle=lifecycle, updated_at=at)
        deleted_at = microseconds(at) if lifecycle == "deleted" else None
        self._plain.run(
            "UPDATE tracking_run SET lifecycle = ?, deleted_at = ? WHERE experiment = ?",
            (lifecycle, deleted_at, experiment_id),
        )

    def touch(self, experiment_id: str, at: datetime) -> None:
        """Note that something about it changed."""
        self._change(experiment_id, updated_at=at)

    def set_tags(self, experiment_id: str, tags: dict[str, str]) -> None:
        """Set tags."""
        self._plain.many(
            "INSERT INTO tracking_experiment_tag (experiment, key, value) VALUES (?, ?, ?)"
            " ON CONFLICT (experiment, key) DO UPDATE SET value = excluded.value",
            [(experiment_id, key, value) for key, value in tags.items()],
        )

    def remove_tag(self, experiment_id: str, key: str) -> bool:
        """Take a tag away; whether there was one."""
        table = experiment_tag_table.c
        with self._database.connection() as connection:
            gone = connection.execute(
                delete(experiment_tag_table).where(
                    table.experiment == experiment_id, table.key == key
                )
            )
            return bool(gone.rowcount)

    def search(self, query: ExperimentSearch) -> list[Experiment]:
        """The experiments that a search finds."""
        values: list[str | int | float] = [query.project, *query.lifecycles]
        where = ["e.project = ?", f"e.lifecycle IN ({marks(len(query.lifecycles))})"]
        for condition in query.conditions:
            clause, bound = self._condition(condition)
            where.append(clause)
            values += bound
        order = [
            f"{_COLUMNS[item.key]} {'ASC' if item.ascending else 'DESC'}" for item in query.order
        ]
        rows = self._plain.fetch(
            f"SELECT e.id FROM tracking_experiment AS e WHERE {' AND '.join(where)}"  # noqa: S608
            f" ORDER BY {', '.join(order)} LIMIT ? OFFSET ?",
            (*values, query.limit, query.offset),
        )
        ids = [str(row[0]) for row in rows]
        found: dict[str, Experiment] = {}
        for at in range(0, len(ids), _MANY):
            some = ids[at : at + _MANY]
            found |= {one.id: one for one in self._several(some)}
        return [found[one] for one in ids if one in found]

    def projects(self) -> list[str]:
        """The projects that have experiments."""
        rows = self._plain.fetch("SELECT DISTINCT project FROM tracking_experiment")
        return [row[0] for row in rows]

    def _condition(self, wanted: Comparison) -> tuple[str, list[str | int | float]]:
        values = list(wanted.value) if isinstance(wanted.value, tuple) else [wanted.value]
        bound = [value for value in values if value is not None]
        column = "t.value" if wanted.entity == "tag" else _COLUMNS[wanted.key]
        if wanted.operator in {"LIKE", "ILIKE"}:
            insensitive = wanted.operator == "ILIKE"
            clause = likes(column, insensitive=insensitive, postgres=self._plain.postgres)
        elif wanted.operator in {"IN", "NOT IN"}:
            clause = f"{column} {wanted.operator} ({marks(len(bound))})"
        elif wanted.operator in {"IS NULL", "IS NOT NULL"}:
            clause = "t.value IS NOT NULL"
        else:
            clause = f"{column} {wanted.operator} ?"
        if wanted.key == "experiment_id" and wanted.entity == "attribute":
            clause, bound = clause.replace(column, "e.id"), [str(value) for value in bound]
        if wanted.entity != "tag":
            return clause, bound
        without = "NOT " if wanted.operator == "IS NULL" else ""
        exists = (
            f"{without}EXISTS (SELECT 1 FROM tracking_experiment_tag AS t"  # noqa: S608
            f" WHERE t.experiment = e.id AND t.key = ? AND {clause})"
        )
        return exists, [wanted.key, *bound]

    def _next_id(self) -> str:
        rows = self._plain.fetch("SELECT MAX(CAST(id AS BIGINT)) FROM tracking_experiment")
        return str(max(1, (rows[0][0] or 0) + 1))

    def _change(self, experiment_id: str, **changes: object) -> None:
        with self._database.connection() as connection:
            connection.execute(
                update(experiment_table)
                .where(experiment_table.c.id == experiment_id)
                .values(**changes)
            )

    def _one(self, condition: str, values: tuple[str, ...]) -> Experiment | None:
        rows = self._plain.fetch(f"{_WITH_TAGS} WHERE {condition} ORDER BY t.key", values)
        if not rows:
            return None
        tags = {key: value for *_, key, value in rows if key is not None}
        return _experiment(rows[0][:-2], tags)

    def _several(self, ids: list[str]) -> list[Experiment]:
        given = marks(len(ids))
        with self._database.reading():
            rows = self._plain.fetch(f"{_SELECT} WHERE id IN ({given})", ids)
            told = self._plain.fetch(
                "SELECT experiment, key, value FROM tracking_experiment_tag"  # noqa: S608 - marks
                f" WHERE experiment IN ({given}) ORDER BY key",
                ids,
            )
        tags: dict[str, dict[str, str]] = {row[0]: {} for row in rows}
        for experiment, key, value in told:
            tags[experiment][key] = value
        return [_experiment(row, tags[row[0]]) for row in rows]

    def newest_runs(self, ids: Sequence[str]) -> dict[str, datetime]:
        """When the newest active run of each experiment began or ended; one index, no scan."""
        found: dict[str, datetime] = {}
        for at in range(0, len(ids), _MANY):
            some = list(ids[at : at + _MANY])
            rows = self._plain.fetch(f"{_NEWEST} WHERE e.id IN ({marks(len(some))})", some)
            found |= {id_: moment(max(started, ended or 0)) for id_, started, ended in rows}
        return found


_NEWEST = """
SELECT e.id, r.started_at, l.ended_at
FROM tracking_experiment AS e
JOIN tracking_run AS r ON r.run = (
    SELECT n.run FROM tracking_run AS n WHERE n.experiment = e.id AND n.lifecycle = 'active'
    ORDER BY n.started_at DESC, n.run DESC LIMIT 1
)
JOIN lineage_run AS l ON l.id = r.run"""
_SELECT = """
SELECT id, project, name, artifact_location, lifecycle, created_at, updated_at
FROM tracking_experiment"""
_WITH_TAGS = """
SELECT e.id, e.project, e.name, e.artifact_location, e.lifecycle, e.created_at, e.updated_at,
       t.key, t.value
FROM tracking_experiment AS e LEFT JOIN tracking_experiment_tag AS t ON t.experiment = e.id"""


def _experiment(row: Row, tags: dict[str, str]) -> Experiment:
    id_, project, name, location, lifecycle, created_at, updated_at = row
    return Experiment(
        id=id_,
        project=project,
        name=name,
        artifact_location=location,
        lifecycle=lifecycle,
        created_at=moment(created_at),
        updated_at=moment(updated_at),
        tags=tags,
    )
