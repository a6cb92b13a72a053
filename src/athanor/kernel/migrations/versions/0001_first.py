"""The first schema: every room's tables."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant, Json

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
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


def downgrade() -> None:
    with op.batch_alter_table("lineage_edge", schema=None) as batch_op:
        batch_op.drop_index("ix_lineage_edge_artifact")

    op.drop_table("lineage_edge")
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
