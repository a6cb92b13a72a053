"""Where datasets, versions, watched folders and the leases of writers are kept."""

from datetime import datetime
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    update,
)

from athanor.data.types import (
    Dataset,
    DatasetVersion,
    Expectation,
    Watch,
    WatchedFile,
)
from athanor.kernel import Database, Instant, Json, metadata
from athanor.kernel.leases import Leases, SqlLeases, lease_table
from athanor.kernel.upserts import dialect_of


class DataStore(Protocol):
    """Datasets and their versions. Rows of versions are never changed."""

    @property
    def leases(self) -> Leases:
        """Who writes to which dataset."""
        ...

    def put_dataset(self, dataset: Dataset) -> None:
        """Add a dataset, or set the roles of the one with this project and name."""
        ...

    def find_dataset(self, project: str, name: str) -> Dataset | None:
        """The dataset of this name."""
        ...

    def list_datasets(self, project: str | None) -> list[Dataset]:
        """All datasets, by name; None: of every project."""
        ...

    def next_number(self, dataset_id: str) -> int:
        """The number that the next version gets: one more than the highest."""
        ...

    def append_version(self, dataset_id: str, version: DatasetVersion) -> None:
        """Add a version. Its number must not exist."""
        ...

    def find_version(self, dataset_id: str, number: int) -> DatasetVersion | None:
        """The version of this number."""
        ...

    def latest_version(self, dataset_id: str) -> DatasetVersion | None:
        """The newest version that is ready and not deleted."""
        ...

    def version_at(self, dataset_id: str, moment: datetime) -> DatasetVersion | None:
        """The newest version, ready and not deleted, of those made at a time or before."""
        ...

    def versions_of_digest(self, dataset_id: str, start: str) -> list[DatasetVersion]:
        """The versions, not deleted, whose digest begins so; newest first."""
        ...

    def newest_delta(self, dataset_id: str, table_uri: str) -> int | None:
        """The newest version of a Delta table that a version of the dataset mentions."""
        ...

    def set_profile(self, dataset_id: str, number: int, digest: str) -> None:
        """Say where the profile of a version lies."""
        ...

    def mark_version(self, dataset_id: str, number: int, changes: dict[str, Any]) -> None:
        """Set `deleted_at`, `purged_at` and `purged_for` of a version."""
        ...

    def mark_dataset(self, dataset_id: str, deleted_at: datetime | None) -> None:
        """Delete a dataset, or bring it back."""
        ...

    def list_versions(self, dataset_id: str) -> list[DatasetVersion]:
        """All versions, newest first."""
        ...

    def expectations(self, dataset_id: str) -> list[Expectation] | None:
        """What every new version must fulfil; None if it was never said."""
        ...

    def set_expectations(self, dataset_id: str, expectations: list[Expectation]) -> None:
        """Say what every new version must fulfil."""
        ...


class WatchStore(Protocol):
    """Watched folders, and what became of their files."""

    def put_watch(self, project: str, watch: Watch) -> None:
        """Add a watch, or change the one of this dataset and folder."""
        ...

    def remove_watch(self, project: str, dataset: str, folder: str) -> bool:
        """Remove a watch; whether there was one."""
        ...

    def list_watches(self, project: str | None = None, dataset: str = "") -> list[Watch]:
        """Watches, oldest first; of all projects, of one, or of one dataset."""
        ...

    def add_file(self, project: str, file: WatchedFile) -> bool:
        """Remember what became of a file; False if a file of this digest was there already."""
        ...

    def has_file(self, project: str, dataset: str, digest: str) -> bool:
        """Whether a file of this digest was dealt with."""
        ...

    def list_files(self, project: str, dataset: str, limit: int) -> list[WatchedFile]:
        """What became of files, newest first."""
        ...


dataset_table = Table(
    "data_dataset",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("name", String(80), nullable=False),
    Column("roles", Json, nullable=False),
    Column("expectations", Json),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("deleted_at", Instant),
    UniqueConstraint("project", "name"),
)

version_table = Table(
    "data_version",
    metadata,
    Column("dataset_id", String(32), ForeignKey("data_dataset.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("dataset", String(80), nullable=False),
    Column("state", String(16), nullable=False),
    Column("artifact_id", String(32), nullable=False),
    Column("run_id", String(32), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("columns", Json, nullable=False),
    Column("roles", Json, nullable=False),
    Column("left_out", Json, nullable=False),
    Column("table_uri", Text, nullable=False),
    Column("delta_version", BigInteger, nullable=False),
    Column("files", Json, nullable=False),
    Column("checks", Json, nullable=False),
    Column("source", Json, nullable=False),
    Column("notes", Json, nullable=False),
    Column("profile_digest", String(80), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("deleted_at", Instant),
    Column("purged_at", Instant),
    Column("purged_for", String(16)),
)

writers_table = lease_table("data_lease")

watch_table = Table(
    "data_watch",
    metadata,
    Column("project", String(255), primary_key=True),
    Column("dataset", String(80), primary_key=True),
    Column("folder", String(1024), primary_key=True),
    Column("mode", String(16), nullable=False),
    Column("roles", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(255), nullable=False),
)

file_table = Table(
    "data_watched_file",
    metadata,
    Column("project", String(255), primary_key=True),
    Column("dataset", String(80), primary_key=True),
    Column("digest", String(80), primary_key=True),
    Column("file", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("version", Integer),
    Column("message", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

_LIVE = (version_table.c.state == "ready") & version_table.c.deleted_at.is_(None)
_MOMENTS = ("created_at", "deleted_at", "purged_at")
_VERSION = tuple(version_table.c[name] for name in DatasetVersion.__dataclass_fields__)
_WATCH = tuple(watch_table.c[name] for name in Watch.__dataclass_fields__)
_FILE = tuple(file_table.c[name] for name in WatchedFile.__dataclass_fields__)


class SqlDataStore:
    """Datasets in the metadata database."""

    def __init__(self, database: Database) -> None:
        self.leases = SqlLeases(database, writers_table)
        self._database = database
        self._dialect: Any = dialect_of(database)

    def put_dataset(self, dataset: Dataset) -> None:
        """Add a dataset, or set the roles of the one with this project and name."""
        row = {
            "id": dataset.id,
            "project": dataset.project,
            "name": dataset.name,
            "roles": _plain(dataset.roles),
            "created_at": dataset.created_at,
            "created_by": dataset.created_by,
        }
        with self._database.connection() as connection:
            connection.execute(
                self._dialect.insert(dataset_table)
                .values(row)
                .on_conflict_do_update(
                    index_elements=["project", "name"], set_={"roles": _plain(dataset.roles)}
                )
            )

    def find_dataset(self, project: str, name: str) -> Dataset | None:
        """The dataset of this name."""
        found = self._datasets(project, name)
        return found[0] if found else None

    def list_datasets(self, project: str | None) -> list[Dataset]:
        """All datasets, by name."""
        return self._datasets(project)

    def next_number(self, dataset_id: str) -> int:
        """The number that the next version gets."""
        query = select(func.max(version_table.c.number)).where(
            version_table.c.dataset_id == dataset_id
        )
        with self._database.connection() as connection:
            return (connection.execute(query).scalar() or 0) + 1

    def append_version(self, dataset_id: str, version: DatasetVersion) -> None:
        """Add a version."""
        row = {name: _plain(getattr(version, name)) for name in DatasetVersion.__dataclass_fields__}
        row |= {name: getattr(version, name) for name in _MOMENTS} | {"dataset_id": dataset_id}
        with self._database.connection() as connection:
            connection.execute(version_table.insert().values(row))

    def find_version(self, dataset_id: str, number: int) -> DatasetVersion | None:
        """The version of this number."""
        return self._first_version(dataset_id, version_table.c.number == number)

    def latest_version(self, dataset_id: str) -> DatasetVersion | None:
        """The newest version that is ready and not deleted."""
        return self._first_version(dataset_id, _LIVE)

    def version_at(self, dataset_id: str, moment: datetime) -> DatasetVersion | None:
        """The newest live version of those made at a time or before."""
        return self._first_version(dataset_id, _LIVE & (version_table.c.created_at <= moment))

    def versions_of_digest(self, dataset_id: str, start: str) -> list[DatasetVersion]:
        """The versions whose digest begins so."""
        return [
            version
            for version in self.list_versions(dataset_id)
            if version.deleted_at is None and version.digest.startswith(start)
        ]

    def newest_delta(self, dataset_id: str, table_uri: str) -> int | None:
        """The newest version of a Delta table that is mentioned."""
        query = select(func.max(version_table.c.delta_version)).where(
            version_table.c.dataset_id == dataset_id, version_table.c.table_uri == table_uri
        )
        with self._database.connection() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else int(found)

    def set_profile(self, dataset_id: str, number: int, digest: str) -> None:
        """Say where the profile of a version lies."""
        self.mark_version(dataset_id, number, {"profile_digest": digest})

    def mark_version(self, dataset_id: str, number: int, changes: dict[str, Any]) -> None:
        """Set what may change of a version."""
        change = update(version_table).where(
            version_table.c.dataset_id == dataset_id, version_table.c.number == number
        )
        with self._database.connection() as connection:
            connection.execute(change.values(changes))

    def mark_dataset(self, dataset_id: str, deleted_at: datetime | None) -> None:
        """Delete a dataset, or bring it back."""
        change = update(dataset_table).where(dataset_table.c.id == dataset_id)
        with self._database.connection() as connection:
            connection.execute(change.values(deleted_at=deleted_at))

    def list_versions(self, dataset_id: str) -> list[DatasetVersion]:
        """All versions, newest first."""
        query = select(*_VERSION).where(version_table.c.dataset_id == dataset_id)
        with self._database.connection() as connection:
            rows = connection.execute(query.order_by(version_table.c.number.desc())).mappings()
            return [_record(row, DatasetVersion) for row in rows]

    def expectations(self, dataset_id: str) -> list[Expectation] | None:
        """What every new version must fulfil."""
        query = select(dataset_table.c.expectations).where(dataset_table.c.id == dataset_id)
        with self._database.connection() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else msgspec.convert(found, list[Expectation])

    def set_expectations(self, dataset_id: str, expectations: list[Expectation]) -> None:
        """Say what every new version must fulfil."""
        change = update(dataset_table).where(dataset_table.c.id == dataset_id)
        with self._database.connection() as connection:
            connection.execute(change.values(expectations=_plain(expectations)))

    def _datasets(self, project: str | None, name: str = "") -> list[Dataset]:
        newest = (
            select(
                version_table.c.dataset_id,
                func.count().filter(version_table.c.deleted_at.is_(None)).label("versions"),
                func.max(version_table.c.number).filter(_LIVE).label("latest"),
            )
            .group_by(version_table.c.dataset_id)
            .subquery()
        )
        latest = version_table.alias("latest_version")
        query = (
            select(
                *(dataset_table.c[column] for column in _DATASET),
                newest.c.latest,
                func.coalesce(newest.c.versions, 0).label("versions"),
                latest.c.rows,
            )
            .outerjoin(newest, newest.c.dataset_id == dataset_table.c.id)
            .outerjoin(
                latest,
                (latest.c.dataset_id == dataset_table.c.id) & (latest.c.number == newest.c.latest),
            )
            .order_by(dataset_table.c.name, dataset_table.c.project)
        )
        if project is not None:
            query = query.where(dataset_table.c.project == project)
        if name:
            query = query.where(dataset_table.c.name == name)
        with self._database.connection() as connection:
            return [_record(row, Dataset) for row in connection.execute(query).mappings()]

    def _first_version(self, dataset_id: str, condition: Any) -> DatasetVersion | None:
        query = (
            select(*_VERSION)
            .where(version_table.c.dataset_id == dataset_id, condition)
            .order_by(version_table.c.number.desc())
            .limit(1)
        )
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _record(row, DatasetVersion)


class SqlWatchStore:
    """Watched folders in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = dialect_of(database)

    def put_watch(self, project: str, watch: Watch) -> None:
        """Add a watch, or change the one of this dataset and folder."""
        row = {name: getattr(watch, name) for name in Watch.__dataclass_fields__}
        row |= {"project": project, "roles": _plain(watch.roles)}
        with self._database.connection() as connection:
            connection.execute(
                self._dialect.insert(watch_table)
                .values(row)
                .on_conflict_do_update(
                    index_elements=["project", "dataset", "folder"],
                    set_={"mode": watch.mode, "roles": _plain(watch.roles)},
                )
            )

    def remove_watch(self, project: str, dataset: str, folder: str) -> bool:
        """Remove a watch; whether there was one."""
        gone = watch_table.delete().where(
            watch_table.c.project == project,
            watch_table.c.dataset == dataset,
            watch_table.c.folder == folder,
        )
        with self._database.connection() as connection:
            return connection.execute(gone).rowcount > 0

    def list_watches(self, project: str | None = None, dataset: str = "") -> list[Watch]:
        """Watches, oldest first."""
        query = select(*_WATCH).order_by(watch_table.c.created_at)
        if project is not None:
            query = query.where(watch_table.c.project == project)
        if dataset:
            query = query.where(watch_table.c.dataset == dataset)
        with self._database.connection() as connection:
            return [_record(row, Watch) for row in connection.execute(query).mappings()]

    def add_file(self, project: str, file: WatchedFile) -> bool:
        """Remember what became of a file; False if a file of this digest was there already."""
        row = {name: getattr(file, name) for name in WatchedFile.__dataclass_fields__}
        added = (
            self._dialect.insert(file_table)
            .values(row | {"project": project})
            .on_conflict_do_nothing()
            .returning(file_table.c.digest)
        )
        with self._database.connection() as connection:
            return connection.execute(added).first() is not None

    def has_file(self, project: str, dataset: str, digest: str) -> bool:
        """Whether a file of this digest was dealt with."""
        query = select(file_table.c.digest).where(
            file_table.c.project == project,
            file_table.c.dataset == dataset,
            file_table.c.digest == digest,
        )
        with self._database.connection() as connection:
            return connection.execute(query).first() is not None

    def list_files(self, project: str, dataset: str, limit: int) -> list[WatchedFile]:
        """What became of files, newest first."""
        query = (
            select(*_FILE)
            .where(file_table.c.project == project, file_table.c.dataset == dataset)
            .order_by(file_table.c.at.desc())
            .limit(limit)
        )
        with self._database.connection() as connection:
            return [_record(row, WatchedFile) for row in connection.execute(query).mappings()]


_DATASET = ("id", "project", "name", "roles", "created_at", "created_by", "deleted_at")


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _record(row: RowMapping, kind: Any) -> Any:
    # Names that SQL reserves come as a kind of text of its own.
    return msgspec.convert({str(name): value for name, value in row.items()}, kind)
