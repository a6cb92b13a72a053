"""SQL over whatever the rooms offer: datasets, runs, models, predictions."""

from pathlib import Path
from typing import Any

import msgspec

from athanor.data.errors import (
    BadLimits,
    BadQuery,
    BadVersionReference,
    DatasetNotFound,
    FilesGone,
    QueryTookTooLong,
    UnknownRelation,
)
from athanor.data.logic.names import parsed_reference
from athanor.data.records import SqlExport
from athanor.data.service.datasets import Datasets
from athanor.data.service.finder import Finder
from athanor.data.service.ground import Ground
from athanor.data.types import OfferedTable, Query, QueryResult
from athanor.kernel import DEFAULT_PROJECT, Column, Principal, Relation, Scan, TookTooLong

_PARSING_SECONDS = 20.0
_MEGABYTE = 1 << 20
_OVERHEAD_MB = 512
"""What the libraries themselves take, beside the query."""
_COPY_SECONDS = 6 * 3600.0
_COPY_MB = 2_048


_LIMITS = {"limit": (0, 10_000_000), "seconds": (0.001, 86_400), "memory_mb": (1, 1 << 20)}
"""What one query may ask for; a NaN is within no limits."""

_VERSION_COLUMNS = (
    Column(name="dataset", type="VARCHAR"),
    Column(name="version", type="INTEGER"),
    Column(name="state", type="VARCHAR"),
    Column(name="rows", type="BIGINT"),
    Column(name="columns", type="INTEGER"),
    Column(name="target", type="VARCHAR"),
    Column(name="file", type="VARCHAR"),
    Column(name="digest", type="VARCHAR"),
    Column(name="created_at", type="TIMESTAMPTZ"),
    Column(name="created_by", type="VARCHAR"),
)


class Sql:
    """One SELECT at a time, in a process of its own, with limits of time and memory."""

    def __init__(self, datasets: Datasets, ground: Ground, finder: Finder) -> None:
        self._datasets = datasets
        self._finder = finder
        self._ground = ground
        self._access = ground.access
        self._offered: dict[str, Relation] = {}
        self.offer(
            Relation(
                name="datasets",
                description="every version of every dataset",
                columns=_VERSION_COLUMNS,
                scan=self._versions,
            )
        )

    def offer(self, relation: Relation) -> None:
        """Let queries read a relation by its name."""
        self._offered[relation.name.casefold()] = relation
        self._ground.relations[relation.name.casefold()] = relation.name

    def tables(self, who: Principal, *, project: str = DEFAULT_PROJECT) -> list[OfferedTable]:
        """What queries may read: the rooms' relations, then the datasets."""
        self._access.require(who, "data.tables", project)
        offered = [
            OfferedTable(name=relation.name, description=relation.description)
            for _, relation in sorted(self._offered.items())
        ]
        datasets = [
            OfferedTable(
                name=dataset.name,
                description=f"dataset, version {dataset.latest} ({dataset.rows} rows)",
            )
            for dataset in self._datasets.datasets(who, project=project)
            if dataset.latest is not None
        ]
        return offered + datasets

    def query(self, who: Principal, query: Query, *, project: str = DEFAULT_PROJECT) -> QueryResult:
        """The answer to one SELECT. Names may carry a version: churn@3, runs.

        Raises: BadLimits, BadQuery, NotReadOnly, UnknownRelation, QueryTookTooLong, QueryTooLarge.
        """
        self._access.require(who, "data.query", project)
        for what, (least, most) in _LIMITS.items():
            if not least <= getattr(query, what) <= most:
                raise BadLimits(what, least, most)
        task = {"limit": query.limit, "memory_mb": query.memory_mb}
        found, tables = self._answered(who, query, project, "sql:run", task)
        return msgspec.convert(found | {"relations": tuple(tables)}, QueryResult)

    def export(
        self, who: Principal, query: SqlExport, target: Path, *, project: str = DEFAULT_PROJECT
    ) -> int:
        """Write the whole answer to one SELECT to a file; returns the number of rows.

        Raises: as `query`.
        """
        self._access.require(who, "data.export", project)
        for what in ("seconds", "memory_mb"):
            least, most = _LIMITS[what]
            if not least <= getattr(query, what) <= most:
                raise BadLimits(what, least, most)
        task = {"memory_mb": query.memory_mb, "target": str(target), "form": query.format}
        found, _ = self._answered(who, query, project, "sql:export", task)
        return int(found["rows"])

    def copy(
        self, who: Principal, sql: str, path: Path, *, project: str = DEFAULT_PROJECT
    ) -> list[str]:
        """Write all rows of one SELECT to a Parquet file, as they come; the names that it read.

        Raises: BadQuery, NotReadOnly, UnknownRelation, QueryTookTooLong, QueryTooLarge.
        """
        self._access.require(who, "data.copy", project)
        query = Query(sql=sql, seconds=_COPY_SECONDS, memory_mb=_COPY_MB)
        task = {"path": str(path), "memory_mb": _COPY_MB}
        _, tables = self._answered(who, query, project, "sql:copy", task)
        return list(tables)

    def _versions(self, who: Principal, rest: str) -> Scan:
        """The rows of the relation `datasets`; there are no versions of it."""
        del rest
        rows = [
            {
                "dataset": version.dataset,
                "version": version.number,
                "state": version.state,
                "rows": version.rows,
                "columns": len(version.columns),
                "target": version.roles.target,
                "file": version.source.file,
                "digest": version.digest,
                "created_at": version.created_at.isoformat(),
                "created_by": version.created_by,
            }
            for dataset in self._datasets.datasets(who)
            for version in self._datasets.versions(who, dataset.name)
        ]
        return Scan(rows=rows)

    def _answered(
        self,
        who: Principal,
        query: Query | SqlExport,
        project: str,
        function: str,
        task: dict[str, Any],
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a worker makes of a query, and the tables that it read.

        Files that go between the look at them and their reading, as where a table is put in order
        meanwhile, are looked for once more.
        """
        # A copy is no caller's: it has the machine's memory.
        memory = None if function == "sql:copy" else query.memory_mb + _OVERHEAD_MB
        limits = {} if memory is None else {"memory_bytes": memory * _MEGABYTE}
        text, tables = self._read(who, query.sql, project)
        told = {"sql": text, "tables": tables} | task
        try:
            return self._call(function, told, query.seconds, **limits), tables
        except FilesGone:
            text, tables = self._read(who, query.sql, project)
        return self._call(function, told | {"tables": tables}, query.seconds, **limits), tables

    def _read(self, who: Principal, sql: str, project: str) -> tuple[str, dict[str, Any]]:
        """The query as it is run, and the tables that it names, each as where its rows lie."""
        try:
            reads = self._call("parse:tables_of", {"sql": sql}, _PARSING_SECONDS)
        except UnknownRelation as error:
            # The parser does not know what there is.
            raise UnknownRelation(error.details["relation"], self._known(who, project)) from None
        tables: dict[str, Any] = {}
        for name in reads["names"]:
            try:
                tables[name] = self._scan(who, name, project)
            except UnknownRelation:
                if name not in reads["local"]:
                    raise
        return reads["sql"], tables

    def _call(
        self, function: str, payload: dict[str, Any], seconds: float, **limits: int
    ) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._ground.workers.call(
                f"athanor.data.work.{function}",
                payload,
                timeout=seconds,
                threads=2,
                memory_bytes=limits.get("memory_bytes"),
            )
        except TookTooLong as error:
            raise QueryTookTooLong(seconds) from error
        return found

    def _scan(self, who: Principal, name: str, project: str) -> dict[str, Any]:
        """Where the rows of a table lie, as plain data; its columns, where they are fixed."""
        bare, _, rest = name.partition("@")
        relation = self._offered.get(bare.casefold())
        if relation is not None:
            scan, columns = relation.scan(who, rest), relation.columns
            return _plain_scan(scan) | {"columns": msgspec.to_builtins(columns)}
        cased = self._cased(who, bare.partition("#")[0], name, project)
        try:
            version = self._datasets.version(who, cased.partition("#")[0])
        except BadVersionReference:
            if "@" in name:
                raise
            raise UnknownRelation(name, self._known(who, project)) from None
        except DatasetNotFound:
            raise UnknownRelation(name, self._known(who, project)) from None
        uri = version.table_uri.rstrip("/")
        files = [file if file.startswith("/") else f"{uri}/{file}" for file in version.files]
        return _plain_scan(Scan(parquet=files)) | {"columns": []} | self._part(cased, project)

    def _known(self, who: Principal, project: str) -> list[str]:
        return [table.name for table in self.tables(who, project=project)]

    def _part(self, reference: str, project: str) -> dict[str, Any]:
        """Which rows of a dataset are meant, where the name ends in a part of a split."""
        asked = parsed_reference(reference)
        if not asked.part:
            return {}
        dataset, version = self._finder.of(project, reference)
        split, part = self._finder.part(dataset, version, asked.part)
        path = self._ground.storage.path_of(split.assignment)
        if path is None:
            raise BadQuery(
                "Parts of splits are read by SQL where the storage is a local folder.",
                hint="Read the part with: athanor data get " + reference,
            )
        return {"assignment": str(path), "part": part}

    def _cased(self, who: Principal, bare: str, name: str, project: str) -> str:
        """The reference with the dataset's name as it was given: SQL does not mind the case."""
        for dataset in self._datasets.datasets(who, project=project):
            if dataset.name.casefold() == bare.casefold():
                return dataset.name + name.removeprefix(bare)
        return name


def _plain_scan(scan: Scan) -> dict[str, Any]:
    return {
        "parquet": list(scan.parquet),
        "jsonl": list(scan.jsonl),
        "rows": list(scan.rows),
        "sql": scan.sql,
    }
