"""Experiments, tracked runs, tags, the last point of each metric, and points by series.

Parameters and points of before are moved; their runs belong to the experiment `Default`.
"""

import time

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_DEFAULT = """
INSERT INTO tracking_experiment
    (id, project, name, artifact_location, lifecycle, created_at, updated_at)
SELECT '0', 'default', 'Default', 'mlflow-artifacts:/0', 'active',
       COALESCE(MIN(started_at), {now}), COALESCE(MIN(started_at), {now})
FROM lineage_run
"""
_RUNS = """
INSERT INTO tracking_run
    (run, experiment, lifecycle, user_name, artifact_uri, started_at)
SELECT id, '0', 'active', created_by, 'mlflow-artifacts:/0/' || id || '/artifacts', started_at
FROM lineage_run
WHERE id IN (SELECT run FROM old_tracking_metric) OR id IN (SELECT run FROM old_tracking_param)
"""
_PARAMS = """
INSERT INTO tracking_param (run, key, value) SELECT run, key, value FROM old_tracking_param
"""
# SQLite kept NaN as NULL, Postgres as itself.
_IS_NAN = {"sqlite": "value IS NULL", "postgresql": "value = 'NaN'::float8"}
_LATEST = """
INSERT INTO tracking_latest (run, key, series, step, at, value, nan)
SELECT run, key, ROW_NUMBER() OVER (ORDER BY run, key), step, at, value, nan
FROM (
    SELECT run, key, step, at, value, nan,
           ROW_NUMBER() OVER (PARTITION BY run, key
                              ORDER BY step DESC, at DESC, value DESC) AS place
    FROM (
        SELECT run, key, step, at, CASE WHEN {is_nan} THEN 0 ELSE value END AS value,
               CASE WHEN {is_nan} THEN 1 ELSE 0 END AS nan
        FROM old_tracking_metric
    ) AS plain
) AS placed
WHERE place = 1
"""
_POINTS = """
INSERT INTO tracking_point (series, at, step, value, nan)
SELECT DISTINCT latest.series, old.at, old.step,
       CASE WHEN {is_nan} THEN 0 ELSE old.value END, CASE WHEN {is_nan} THEN 1 ELSE 0 END
FROM old_tracking_metric AS old
JOIN tracking_latest AS latest ON latest.run = old.run AND latest.key = old.key
"""


def upgrade() -> None:
    """Put the old rows aside, make the tables, put the rows in."""
    dialect = op.get_bind().dialect.name
    for name in ("tracking_metric", "tracking_param"):
        op.execute(f"CREATE TABLE old_{name} AS SELECT * FROM {name}")  # noqa: S608
        op.drop_table(name)
    _experiments()
    _runs()
    _points(dialect)
    op.execute(_DEFAULT.format(now=time.time_ns() // 1000))
    op.execute(_RUNS)
    op.execute(_PARAMS)
    op.execute(_LATEST.format(is_nan=_IS_NAN[dialect]))
    op.execute(_POINTS.format(is_nan=_IS_NAN[dialect].replace("value", "old.value", 1)))
    if dialect == "postgresql":
        op.execute(
            "SELECT setval('tracking_series', (SELECT COALESCE(MAX(series), 0) + 1"
            " FROM tracking_latest), false)"
        )
    for name in ("tracking_metric", "tracking_param"):
        op.drop_table(f"old_{name}")


def _experiments() -> None:
    op.create_table(
        "tracking_experiment",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("artifact_location", sa.Text(), nullable=False),
        sa.Column("lifecycle", sa.String(length=8), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracking_experiment")),
        sa.UniqueConstraint("project", "name", name=op.f("uq_tracking_experiment_project_name")),
    )
    op.create_table(
        "tracking_experiment_tag",
        sa.Column("experiment", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment"],
            ["tracking_experiment.id"],
            name=op.f("fk_tracking_experiment_tag_experiment_tracking_experiment"),
        ),
        sa.PrimaryKeyConstraint("experiment", "key", name=op.f("pk_tracking_experiment_tag")),
    )


def _runs() -> None:
    op.create_table(
        "tracking_run",
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("experiment", sa.String(length=32), nullable=False),
        sa.Column("lifecycle", sa.String(length=8), nullable=False),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("artifact_uri", sa.Text(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["lineage_run.id"], name=op.f("fk_tracking_run_run_lineage_run")
        ),
        sa.ForeignKeyConstraint(
            ["experiment"],
            ["tracking_experiment.id"],
            name=op.f("fk_tracking_run_experiment_tracking_experiment"),
        ),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_tracking_run")),
    )
    op.create_index(
        "ix_tracking_run_order", "tracking_run", ["experiment", "lifecycle", "started_at", "run"]
    )
    for name in ("tag", "param"):
        op.create_table(
            f"tracking_{name}",
            sa.Column("run", sa.String(length=32), nullable=False),
            sa.Column("key", sa.String(length=250), nullable=False),
            sa.Column("value", sa.Text(), nullable=False),
            sa.ForeignKeyConstraint(
                ["run"], ["tracking_run.run"], name=op.f(f"fk_tracking_{name}_run_tracking_run")
            ),
            sa.PrimaryKeyConstraint("run", "key", name=op.f(f"pk_tracking_{name}")),
            sqlite_with_rowid=False,
        )


def _points(dialect: str) -> None:
    if dialect == "postgresql":
        op.execute(sa.schema.CreateSequence(sa.Sequence("tracking_series")))
    op.create_table(
        "tracking_latest",
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("series", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=False),
        sa.Column("nan", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["tracking_run.run"], name=op.f("fk_tracking_latest_run_tracking_run")
        ),
        sa.PrimaryKeyConstraint("run", "key", name=op.f("pk_tracking_latest")),
        sa.UniqueConstraint("series", name=op.f("uq_tracking_latest_series")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_point",
        sa.Column("series", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=False),
        sa.Column("nan", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "series", "at", "step", "value", "nan", name=op.f("pk_tracking_point")
        ),
        sqlite_with_rowid=False,
    )
