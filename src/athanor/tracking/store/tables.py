"""The tables of experiments, runs, their points, settings and tags.

On SQLite those that are read by run are kept in the order of their keys (WITHOUT ROWID), so that
what belongs to a run, and the points of one metric, lie together.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from athanor.kernel import Instant, metadata

experiment_table = Table(
    "tracking_experiment",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("name", String(500), nullable=False),
    Column("artifact_location", Text, nullable=False),
    Column("lifecycle", String(8), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("project", "name"),
)
experiment_tag_table = Table(
    "tracking_experiment_tag",
    metadata,
    Column("experiment", String(32), ForeignKey("tracking_experiment.id"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)
run_table = Table(
    "tracking_run",
    metadata,
    Column("run", String(32), ForeignKey("lineage_run.id"), primary_key=True),
    Column("experiment", String(32), ForeignKey("tracking_experiment.id"), nullable=False),
    Column("lifecycle", String(8), nullable=False),
    Column("deleted_at", Instant),
    Column("user_name", Text, nullable=False),
    Column("artifact_uri", Text, nullable=False),
    # A copy of the lineage's, for the index.
    Column("started_at", Instant, nullable=False),
)
Index(
    "ix_tracking_run_order",
    run_table.c.experiment,
    run_table.c.lifecycle,
    run_table.c.started_at,
    run_table.c.run,
)
tag_table = Table(
    "tracking_tag",
    metadata,
    Column("run", String(32), ForeignKey("tracking_run.run"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
param_table = Table(
    "tracking_param",
    metadata,
    Column("run", String(32), ForeignKey("tracking_run.run"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
# The last point of each metric, and the number of its series. NaN is the value 0 with `nan` 1, so
# that it can be compared and be part of a key.
latest_table = Table(
    "tracking_latest",
    metadata,
    Column("run", String(32), ForeignKey("tracking_run.run"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("series", BigInteger, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("value", Float(53), nullable=False),
    Column("nan", SmallInteger, nullable=False),
    UniqueConstraint("series"),
    sqlite_with_rowid=False,
)
point_table = Table(
    "tracking_point",
    metadata,
    Column("series", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("value", Float(53), primary_key=True),
    Column("nan", SmallInteger, primary_key=True),
    sqlite_with_rowid=False,
)
series_numbers = Sequence("tracking_series", metadata=metadata)
"""Where Postgres takes the numbers of series from; SQLite has one writer and counts."""
