"""The first tables: of the kernel, the lineage, tracking, data and pipelines."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant, Json

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "data_dataset",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("roles", Json(), nullable=False),
        sa.Column("expectations", Json(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_dataset")),
        sa.UniqueConstraint("project", "name", name=op.f("uq_data_dataset_project_name")),
    )
    op.create_table(
        "data_lease",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_data_lease")),
    )
    op.create_table(
        "data_watch",
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("dataset", sa.String(length=80), nullable=False),
        sa.Column("folder", sa.String(length=1024), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("roles", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("project", "dataset", "folder", name=op.f("pk_data_watch")),
    )
    op.create_table(
        "data_watched_file",
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("dataset", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("project", "dataset", "digest", name=op.f("pk_data_watched_file")),
    )
    op.create_table(
        "kernel_event",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tx", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=1024), nullable=False),
        sa.Column("detail", Json(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_kernel_event")),
        sa.UniqueConstraint("id", name=op.f("uq_kernel_event_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("kernel_event", schema=None) as batch_op:
        batch_op.create_index("ix_kernel_event_action_seq", ["action", "seq"], unique=False)
        batch_op.create_index("ix_kernel_event_tx_seq", ["tx", "seq"], unique=False)
    op.create_table(
        "kernel_job",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=True),
        sa.Column("payload", Json(), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("run_at", Instant(), nullable=False),
        sa.Column("leased_by", sa.String(length=255), nullable=True),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("result", Json(), nullable=True),
        sa.Column("error", Json(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kernel_job")),
        sa.UniqueConstraint("open_key", name=op.f("uq_kernel_job_open_key")),
    )
    with op.batch_alter_table("kernel_job", schema=None) as batch_op:
        batch_op.create_index("ix_kernel_job_state_run_at", ["state", "run_at"], unique=False)
    op.create_table(
        "kernel_offset",
        sa.Column("subscriber", sa.String(length=255), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscriber", name=op.f("pk_kernel_offset")),
    )
    op.create_table(
        "lineage_artifact",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_artifact")),
    )
    with op.batch_alter_table("lineage_artifact", schema=None) as batch_op:
        batch_op.create_index("ix_lineage_artifact_digest", ["digest"], unique=False)
    op.create_table(
        "lineage_run",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("parent", sa.String(length=32), nullable=True),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("labels", Json(), nullable=False),
        sa.Column("resources", Json(), nullable=False),
        sa.Column("environment", Json(), nullable=False),
        sa.Column("code", Json(), nullable=False),
        sa.Column("error", Json(), nullable=True),
        sa.Column("cost", sa.Float(), nullable=True),
        sa.Column("carbon", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["parent"], ["lineage_run.id"], name=op.f("fk_lineage_run_parent_lineage_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_run")),
    )
    with op.batch_alter_table("lineage_run", schema=None) as batch_op:
        batch_op.create_index("ix_lineage_run_parent", ["parent"], unique=False)
        batch_op.create_index(
            "ix_lineage_run_project_kind", ["project", "kind", "id"], unique=False
        )
    op.create_table(
        "pipelines_cache",
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("task", sa.String(length=32), nullable=False),
        sa.Column("outputs", Json(), nullable=False),
        sa.Column("made", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("project", "key", name=op.f("pk_pipelines_cache")),
    )
    op.create_table(
        "pipelines_spec",
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_pipelines_spec")),
    )
    op.create_table(
        "pipelines_trigger",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("submission", Json(), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("match", Json(), nullable=False),
        sa.Column("cron", sa.String(length=255), nullable=False),
        sa.Column("cooldown", sa.Float(), nullable=False),
        sa.Column("overlap", sa.String(length=16), nullable=False),
        sa.Column("pending", Json(), nullable=True),
        sa.Column("next_fire", Instant(), nullable=True),
        sa.Column("last_fired", Instant(), nullable=True),
        sa.Column("last_run", sa.String(length=32), nullable=True),
        sa.Column("who", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipelines_trigger")),
        sa.UniqueConstraint("project", "name", name=op.f("uq_pipelines_trigger_project_name")),
    )
    with op.batch_alter_table("pipelines_trigger", schema=None) as batch_op:
        batch_op.create_index("ix_pipelines_trigger_action", ["action"], unique=False)
    op.create_table(
        "data_version",
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("artifact_id", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("columns", Json(), nullable=False),
        sa.Column("roles", Json(), nullable=False),
        sa.Column("left_out", Json(), nullable=False),
        sa.Column("table_uri", sa.Text(), nullable=False),
        sa.Column("delta_version", sa.BigInteger(), nullable=False),
        sa.Column("files", Json(), nullable=False),
        sa.Column("checks", Json(), nullable=False),
        sa.Column("source", Json(), nullable=False),
        sa.Column("notes", Json(), nullable=False),
        sa.Column("profile_digest", sa.String(length=80), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["data_dataset.id"],
            name=op.f("fk_data_version_dataset_id_data_dataset"),
        ),
        sa.PrimaryKeyConstraint("dataset_id", "number", name=op.f("pk_data_version")),
    )
    op.create_table(
        "lineage_edge",
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("artifact", sa.String(length=32), nullable=False),
        sa.Column("relation", sa.String(length=8), nullable=False),
        sa.Column("as_", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact"],
            ["lineage_artifact.id"],
            name=op.f("fk_lineage_edge_artifact_lineage_artifact"),
        ),
        sa.ForeignKeyConstraint(
            ["run"], ["lineage_run.id"], name=op.f("fk_lineage_edge_run_lineage_run")
        ),
        sa.PrimaryKeyConstraint("run", "artifact", "relation", "as_", name=op.f("pk_lineage_edge")),
    )
    with op.batch_alter_table("lineage_edge", schema=None) as batch_op:
        batch_op.create_index("ix_lineage_edge_artifact", ["artifact", "relation"], unique=False)
    op.create_table(
        "pipelines_run",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("pipeline", sa.String(length=255), nullable=False),
        sa.Column("spec", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("parameters", Json(), nullable=False),
        sa.Column("artifacts", Json(), nullable=False),
        sa.Column("outputs", Json(), nullable=False),
        sa.Column("labels", Json(), nullable=False),
        sa.Column("cache", sa.Boolean(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("who", Json(), nullable=False),
        sa.Column("trigger", sa.String(length=255), nullable=True),
        sa.Column("key", sa.String(length=255), nullable=True),
        sa.Column("error", Json(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["spec"], ["pipelines_spec.digest"], name=op.f("fk_pipelines_run_spec_pipelines_spec")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipelines_run")),
        sa.UniqueConstraint("project", "key", name=op.f("uq_pipelines_run_project_key")),
    )
    with op.batch_alter_table("pipelines_run", schema=None) as batch_op:
        batch_op.create_index("ix_pipelines_run_state", ["state"], unique=False)
        batch_op.create_index("ix_pipelines_run_trigger_state", ["trigger", "state"], unique=False)
    op.create_table(
        "tracking_metric",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(
            ["run"], ["lineage_run.id"], name=op.f("fk_tracking_metric_run_lineage_run")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_tracking_metric")),
    )
    with op.batch_alter_table("tracking_metric", schema=None) as batch_op:
        batch_op.create_index(
            "uq_tracking_metric_point", ["run", "key", "step", "at", "value"], unique=True
        )
    op.create_table(
        "tracking_param",
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["lineage_run.id"], name=op.f("fk_tracking_param_run_lineage_run")
        ),
        sa.PrimaryKeyConstraint("run", "key", name=op.f("pk_tracking_param")),
    )
    op.create_table(
        "pipelines_task",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=1024), nullable=False),
        sa.Column("component", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("parameters", Json(), nullable=False),
        sa.Column("artifacts", Json(), nullable=False),
        sa.Column("outputs", Json(), nullable=False),
        sa.Column("made", Json(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("error", Json(), nullable=True),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("key_parts", Json(), nullable=True),
        sa.Column("resources", Json(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run"], ["pipelines_run.id"], name=op.f("fk_pipelines_task_run_pipelines_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipelines_task")),
        sa.UniqueConstraint("run", "name", name=op.f("uq_pipelines_task_run_name")),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("pipelines_task")
    op.drop_table("tracking_param")
    with op.batch_alter_table("tracking_metric", schema=None) as batch_op:
        batch_op.drop_index("uq_tracking_metric_point")
    op.drop_table("tracking_metric")
    with op.batch_alter_table("pipelines_run", schema=None) as batch_op:
        batch_op.drop_index("ix_pipelines_run_trigger_state")
        batch_op.drop_index("ix_pipelines_run_state")
    op.drop_table("pipelines_run")
    with op.batch_alter_table("lineage_edge", schema=None) as batch_op:
        batch_op.drop_index("ix_lineage_edge_artifact")
    op.drop_table("lineage_edge")
    op.drop_table("data_version")
    with op.batch_alter_table("pipelines_trigger", schema=None) as batch_op:
        batch_op.drop_index("ix_pipelines_trigger_action")
    op.drop_table("pipelines_trigger")
    op.drop_table("pipelines_spec")
    op.drop_table("pipelines_cache")
    with op.batch_alter_table("lineage_run", schema=None) as batch_op:
        batch_op.drop_index("ix_lineage_run_project_kind")
        batch_op.drop_index("ix_lineage_run_parent")
    op.drop_table("lineage_run")
    with op.batch_alter_table("lineage_artifact", schema=None) as batch_op:
        batch_op.drop_index("ix_lineage_artifact_digest")
    op.drop_table("lineage_artifact")
    op.drop_table("kernel_offset")
    with op.batch_alter_table("kernel_job", schema=None) as batch_op:
        batch_op.drop_index("ix_kernel_job_state_run_at")
    op.drop_table("kernel_job")
    with op.batch_alter_table("kernel_event", schema=None) as batch_op:
        batch_op.drop_index("ix_kernel_event_tx_seq")
        batch_op.drop_index("ix_kernel_event_action_seq")
    op.drop_table("kernel_event")
    op.drop_table("data_watched_file")
    op.drop_table("data_watch")
    op.drop_table("data_lease")
    op.drop_table("data_dataset")
