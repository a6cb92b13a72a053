"""Where runs, artifacts and edges are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    RowMapping,
    String,
    Table,
    Text,
    bindparam,
    func,
    select,
    text,
    tuple_,
)

from athanor.kernel import Database, Instant, Json, metadata
from athanor.kernel.database import microseconds, moment, to_json
from athanor.kernel.plain import Columns, Plain, Row, marks
from athanor.lineage.types import (
    ENDED,
    Artifact,
    Direction,
    Edge,
    Link,
    Node,
    Run,
    RunEnd,
    RunFilter,
)


class LineageStore(Protocol):
    """The one graph."""

    def add_run(self, run: Run) -> Run:
        """Add a run; one with the same id is returned as it stands."""
        ...

    def add_runs(self, runs: Sequence[Run]) -> None:
        """Add runs whose ids are new."""
        ...

    def find_run(self, run_id: str) -> Run | None:
        """The run with this id."""
        ...

    def has_run(self, run_id: str) -> bool:
        """Whether there is a run with this id."""
        ...

    def runs_beginning(self, beginning: str, limit: int) -> list[str]:
        """Ids that begin with some hex digits."""
        ...

    def change_run(self, run_id: str, changes: dict[str, Any]) -> None:
        """Set fields of a run."""
        ...

    def end_runs(self, ends: Sequence[RunEnd], at: datetime) -> None:
        """Close runs; those that have ended stay as they are."""
        ...

    def list_runs(self, query: RunFilter) -> list[Run]:
        """Runs, newest first."""
        ...

    def add_artifact(self, artifact: Artifact) -> Artifact:
        """Add an artifact; one with the same id is returned as it stands."""
        ...

    def find_artifact(self, artifact_id: str) -> Artifact | None:
        """The artifact with this id."""
        ...

    def find_by_digest(self, digest: str, type_: str | None = None) -> list[Artifact]:
        """The artifacts of this content, oldest first."""
        ...

    def add_edge(self, edge: Edge) -> None:
        """Add an edge; the same one twice is one."""
        ...

    def edges_of(self, run_id: str) -> list[tuple[Edge, Artifact]]:
        """What a run consumed and produced."""
        ...

    def trace(self, root: str, direction: Direction, depth: int) -> tuple[list[Node], list[Link]]:
        """All that lies up or down of a run or an artifact, nearest first."""
        ...


run_table = Table(
    "lineage_run",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("name", String(500), nullable=False),
    Column("state", String(16), nullable=False),
    Column("parent", String(32), ForeignKey("lineage_run.id")),
    Column("created_by", String(255), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("labels", Json, nullable=False),
    Column("resources", Json, nullable=False),
    Column("environment", Json, nullable=False),
    Column("code", Json, nullable=False),
    Column("error", Json),
    Column("cost", Float),
    Column("carbon", Float),
)
Index("ix_lineage_run_project_kind", run_table.c.project, run_table.c.kind, run_table.c.id)
Index("ix_lineage_run_parent", run_table.c.parent)
# Runs that were brought in have ids of their own: their order is that of their times.
Index("ix_lineage_run_started", run_table.c.started_at, run_table.c.id)

artifact_table = Table(
    "lineage_artifact",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("type", String(64), nullable=False),
    Column("name", String(500), nullable=False),
    Column("uri", Text, nullable=False),
    Column("digest", String(80), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)
Index("ix_lineage_artifact_digest", artifact_table.c.digest)

edge_table = Table(
    "lineage_edge",
    metadata,
    Column("run", String(32), ForeignKey("lineage_run.id"), primary_key=True),
    Column("artifact", String(32), ForeignKey("lineage_artifact.id"), primary_key=True),
    Column("relation", String(8), primary_key=True),
    Column("as_", String(255), primary_key=True),
)
Index("ix_lineage_edge_artifact", edge_table.c.artifact, edge_table.c.relation)

_RUN = tuple(run_table.c[name] for name in Run.__dataclass_fields__)
_ARTIFACT = tuple(artifact_table.c[name] for name in Artifact.__dataclass_fields__)

_CHANGED = Columns(run_table, Run.__dataclass_fields__)
_ITEM = Columns(artifact_table, Artifact.__dataclass_fields__)
_EDGE = Columns(edge_table, Edge.__dataclass_fields__)
_FIND_ARTIFACT = f"SELECT {_ITEM.listed} FROM lineage_artifact WHERE id = ?"  # noqa: S608 - same
_EDGES = f"""
SELECT {_EDGE.listed}, {_ITEM.listed}
FROM lineage_edge JOIN lineage_artifact ON lineage_artifact.id = lineage_edge.artifact
WHERE lineage_edge.run = ?
ORDER BY lineage_edge.relation, lineage_edge.as_, lineage_artifact.id
"""  # noqa: S608 - names are our own
_NAMES = ", ".join(Run.__dataclass_fields__)
_ADD_RUN = (
    f"INSERT INTO lineage_run ({_NAMES})"  # noqa: S608 - names are our own
    f" VALUES ({marks(len(Run.__dataclass_fields__))}) ON CONFLICT DO NOTHING"
)
_END_RUN = f"""
UPDATE lineage_run SET state = ?, ended_at = ?, resources = ?, error = ?
WHERE id = ? AND state NOT IN ({", ".join(f"'{state}'" for state in sorted(ENDED))})
"""  # noqa: S608 - same
_FIND_RUN = f"SELECT {_NAMES} FROM lineage_run WHERE id = ?"  # noqa: S608 - names are our own

# Walks from one node to the next: a run leads up to what it consumed and down to what it produced,
# an artifact up to the run that produced it and down to the runs that consumed it. UNION removes
# repeated (node, depth) pairs, the depth limit ends cycles. A run that took an artifact from the
# cache is not where it came from.
_TRACE = """
WITH RECURSIVE walk(node, depth) AS (
    SELECT CAST(:root AS VARCHAR(32)), 0
    UNION
    SELECT CASE WHEN edge.run = walk.node THEN edge.artifact ELSE edge.run END, walk.depth + 1
    FROM walk JOIN lineage_edge AS edge
      ON (edge.run = walk.node AND edge.relation = :from_run)
      OR (edge.artifact = walk.node AND edge.relation = :from_artifact)
    WHERE walk.depth < :depth
      AND (edge.run = walk.node OR edge.relation = 'consumed' OR NOT EXISTS (
          SELECT 1 FROM lineage_run WHERE lineage_run.id = edge.run AND state = 'cached'))
)
SELECT node, MIN(depth) AS depth FROM walk GROUP BY node
"""


class SqlLineageStore:
    """The graph in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plain = Plain(database)

    def add_run(self, run: Run) -> Run:
        """Add a run; one with the same id is returned as it stands."""
        added = self._plain.run(_ADD_RUN, _row_of(run))
        return run if added else self.find_run(run.id) or run

    def add_runs(self, runs: Sequence[Run]) -> None:
        """Add runs whose ids are new."""
        self._plain.many(_ADD_RUN, [_row_of(run) for run in runs])

    def find_run(self, run_id: str) -> Run | None:
        """The run with this id."""
        row = self._plain.first(_FIND_RUN, (run_id,))
        return None if row is None else _run(row)

    def has_run(self, run_id: str) -> bool:
        """Whether there is a run with this id."""
        return self._plain.first("SELECT 1 FROM lineage_run WHERE id = ?", (run_id,)) is not None

    def runs_beginning(self, beginning: str, limit: int) -> list[str]:
        """Ids that begin with some hex digits."""
        rows = self._plain.fetch(
            "SELECT id FROM lineage_run WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
            # No digit follows "f": "g" ends the range.
            (beginning, f"{beginning}g", limit),
        )
        return [row[0] for row in rows]

    def change_run(self, run_id: str, changes: dict[str, Any]) -> None:
        """Set fields of a run."""
        text, values = _CHANGED.changes(changes)
        query = f"UPDATE lineage_run {text} WHERE id = ?"
        self._plain.run(query, (*values, run_id))

    def end_runs(self, ends: Sequence[RunEnd], at: datetime) -> None:
        """Close runs that are open."""
        moment_ = microseconds(at)
        self._plain.many(
            _END_RUN,
            [
                (
                    end.state,
                    moment_,
                    to_json(end.resources),
                    None if end.error is None else to_json(end.error),
                    end.id,
                )
                for end in ends
            ],
        )

    def list_runs(self, query: RunFilter) -> list[Run]:
        """Runs, newest first."""
        newest = (run_table.c.started_at.desc(), run_table.c.id.desc())
        found = select(*_RUN).order_by(*newest).limit(query.limit)
        for name in ("project", "kind", "state", "parent", "name"):
            wanted = getattr(query, name)
            if wanted is not None:
                found = found.where(run_table.c[name] == wanted)
        if query.before is not None:
            at = select(run_table.c.started_at).where(run_table.c.id == query.before)
            place = tuple_(run_table.c.started_at, run_table.c.id)
            found = found.where(place < tuple_(at.scalar_subquery(), query.before))
        with self._database.connection() as connection:
            return [Run(**row) for row in connection.execute(found).mappings()]

    def count_runs(self) -> int:
        """How many runs there are."""
        with self._database.connection() as connection:
            return connection.execute(select(func.count()).select_from(run_table)).scalar_one()

    def add_artifact(self, artifact: Artifact) -> Artifact:
        """Add an artifact; one with the same id is returned as it stands."""
        added = self._plain.run(_ITEM.insert, _ITEM.values(artifact))
        return artifact if added else self.find_artifact(artifact.id) or artifact

    def find_artifact(self, artifact_id: str) -> Artifact | None:
        """The artifact with this id."""
        row = self._plain.first(_FIND_ARTIFACT, (artifact_id,))
        return None if row is None else Artifact(**_ITEM.read(row))

    def find_by_digest(self, digest: str, type_: str | None = None) -> list[Artifact]:
        """The artifacts of this content, oldest first."""
        query = select(*_ARTIFACT).where(artifact_table.c.digest == digest)
        if type_ is not None:
            query = query.where(artifact_table.c.type == type_)
        with self._database.connection() as connection:
            found = connection.execute(query.order_by(artifact_table.c.id)).mappings()
            return [Artifact(**row) for row in found]

    def add_edge(self, edge: Edge) -> None:
        """Add an edge; the same one twice is one."""
        self._plain.run(_EDGE.insert, _EDGE.values(edge))

    def edges_of(self, run_id: str) -> list[tuple[Edge, Artifact]]:
        """What a run consumed and produced."""
        parted = len(_EDGE.names)
        return [
            (Edge(**_EDGE.read(row[:parted])), Artifact(**_ITEM.read(row[parted:])))
            for row in self._plain.fetch(_EDGES, (run_id,))
        ]

    def trace(self, root: str, direction: Direction, depth: int) -> tuple[list[Node], list[Link]]:
        """All that lies up or down of a run or an artifact, nearest first."""
        upwards = direction == "up"
        walk = text(_TRACE).bindparams(
            bindparam("root", root),
            bindparam("from_run", "consumed" if upwards else "produced"),
            bindparam("from_artifact", "produced" if upwards else "consumed"),
            bindparam("depth", depth),
        )
        with self._database.connection() as connection:
            depths = {row.node: row.depth for row in connection.execute(walk)}
            nodes = [
                *self._run_nodes(connection, depths),
                *self._artifact_nodes(connection, depths),
            ]
            edges = connection.execute(
                select(edge_table)
                .where(edge_table.c.run.in_(depths), edge_table.c.artifact.in_(depths))
                .order_by(edge_table.c.run, edge_table.c.as_)
            ).mappings()
            links = [_link(row) for row in edges]
        return sorted(nodes, key=lambda node: (node.depth, node.at, node.id)), links

    def _run_nodes(self, connection: Any, depths: dict[str, int]) -> list[Node]:
        found = connection.execute(
            select(
                run_table.c.id,
                run_table.c.kind,
                run_table.c.name,
                run_table.c.state,
                run_table.c.started_at,
            ).where(run_table.c.id.in_(depths))
        )
        return [
            Node(id=id_, kind="run", type=kind, name=name, state=state, depth=depths[id_], at=at)
            for id_, kind, name, state, at in found
        ]

    def _artifact_nodes(
        self,
        connection: Any,
        depths: dict[str, int],
    ) -> list[Node]:
        found = connection.execute(
            select(
                artifact_table.c.id,
                artifact_table.c.type,
                artifact_table.c.name,
                artifact_table.c.digest,
                artifact_table.c.created_at,
            ).where(artifact_table.c.id.in_(depths))
        )
        return [
            Node(
                id=id_,
                kind="artifact",
                type=type_,
                name=name,
                digest=digest,
                depth=depths[id_],
                at=at,
            )
            for id_, type_, name, digest, at in found
        ]


def _run(row: Row) -> Run:
    """A run from its columns, in the order of its fields."""
    ended_at, error = row[8], row[13]
    return Run(
        id=row[0],
        project=row[1],
        kind=row[2],
        name=row[3],
        state=row[4],
        parent=row[5],
        created_by=row[6],
        started_at=moment(row[7]),
        ended_at=None if ended_at is None else moment(ended_at),
        labels=orjson.loads(row[9]),
        resources=orjson.loads(row[10]),
        environment=orjson.loads(row[11]),
        code=orjson.loads(row[12]),
        error=None if error is None else orjson.loads(error),
        cost=row[14],
        carbon=row[15],
    )


def _link(row: RowMapping) -> Link:
    if row["relation"] == "consumed":
        return Link(source=row["artifact"], target=row["run"], as_=row["as_"])
    return Link(source=row["run"], target=row["artifact"], as_=row["as_"])


def _row_of(run: Run) -> Row:
    return (
        run.id,
        run.project,
        run.kind,
        run.name,
        run.state,
        run.parent,
        run.created_by,
        microseconds(run.started_at),
        None if run.ended_at is None else microseconds(run.ended_at),
        to_json(run.labels),
        to_json(run.resources),
        to_json(run.environment),
        to_json(run.code),
        None if run.error is None else to_json(run.error),
        run.cost,
        run.carbon,
    )
