"""The artifact tree, logged models, and what runs used and made."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant, Json

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tracking_file",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_tracking_file")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tracking_file_digest", "tracking_file", ["digest"], unique=False)
    op.create_index("ix_tracking_file_folder", "tracking_file", ["folder"], unique=False)
    op.create_table(
        "tracking_dataset",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("experiment", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("digest", sa.String(length=36), nullable=False),
        sa.Column("source_type", sa.String(length=36), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracking_dataset")),
        sa.UniqueConstraint(
            "experiment", "name", "digest", name=op.f("uq_tracking_dataset_experiment_name_digest")
        ),
    )
    op.create_table(
        "tracking_input",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("relation", sa.String(length=16), nullable=False),
        sa.Column("target", sa.String(length=36), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("context", sa.String(length=500), nullable=True),
        sa.Column("tags", Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["lineage_run.id"], name=op.f("fk_tracking_input_run_lineage_run")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_tracking_input")),
        sa.UniqueConstraint(
            "run",
            "relation",
            "target",
            "step",
            name=op.f("uq_tracking_input_run_relation_target_step"),
        ),
    )
    op.create_index(
        "ix_tracking_input_target", "tracking_input", ["target", "relation"], unique=False
    )
    op.create_table(
        "tracking_logged_model",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("experiment", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_message", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=500), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("artifact_id", sa.String(length=32), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"],
            ["lineage_artifact.id"],
            name=op.f("fk_tracking_logged_model_artifact_id_lineage_artifact"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracking_logged_model")),
    )
    op.create_index(
        "ix_tracking_logged_model_experiment",
        "tracking_logged_model",
        ["experiment", "created_at"],
        unique=False,
    )
    op.create_index("ix_tracking_logged_model_run", "tracking_logged_model", ["run"], unique=False)
    op.create_table(
        "tracking_logged_model_param",
        sa.Column("model", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["tracking_logged_model.id"],
            name=op.f("fk_tracking_logged_model_param_model_tracking_logged_model"),
        ),
        sa.PrimaryKeyConstraint("model", "key", name=op.f("pk_tracking_logged_model_param")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_logged_model_tag",
        sa.Column("model", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["tracking_logged_model.id"],
            name=op.f("fk_tracking_logged_model_tag_model_tracking_logged_model"),
        ),
        sa.PrimaryKeyConstraint("model", "key", name=op.f("pk_tracking_logged_model_tag")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_logged_model_metric",
        sa.Column("model", sa.String(length=36), nullable=False),
        sa.Column("point", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=False),
        sa.Column("nan", sa.Boolean(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("dataset_name", sa.String(length=500), nullable=False),
        sa.Column("dataset_digest", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["tracking_logged_model.id"],
            name=op.f("fk_tracking_logged_model_metric_model_tracking_logged_model"),
        ),
        sa.PrimaryKeyConstraint("model", "point", name=op.f("pk_tracking_logged_model_metric")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_tracking_logged_model_metric_key",
        "tracking_logged_model_metric",
        ["key", "model"],
        unique=False,
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("tracking_logged_model_metric")
    op.drop_table("tracking_logged_model_tag")
    op.drop_table("tracking_logged_model_param")
    op.drop_table("tracking_logged_model")
    op.drop_table("tracking_input")
    op.drop_table("tracking_dataset")
    op.drop_table("tracking_file")
