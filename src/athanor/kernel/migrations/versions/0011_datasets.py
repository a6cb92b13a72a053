"""Deletion as a state; tags, notes and owners; splits."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant, Json

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the tables."""
    op.add_column("data_dataset", sa.Column("deleted_at", Instant(), nullable=True))
    op.add_column("data_version", sa.Column("deleted_at", Instant(), nullable=True))
    op.add_column("data_version", sa.Column("purged_at", Instant(), nullable=True))
    op.add_column("data_version", sa.Column("purged_for", sa.String(length=16), nullable=True))
    op.create_table(
        "data_mark",
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tags", Json(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("owners", Json(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("changed_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["data_dataset.id"], name=op.f("fk_data_mark_dataset_id_data_dataset")
        ),
        sa.PrimaryKeyConstraint("dataset_id", "number", name=op.f("pk_data_mark")),
    )
    op.create_table(
        "data_split",
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("column", sa.Text(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("parts", Json(), nullable=False),
        sa.Column("overlaps", Json(), nullable=False),
        sa.Column("assignment", sa.String(length=80), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["data_dataset.id"], name=op.f("fk_data_split_dataset_id_data_dataset")
        ),
        sa.PrimaryKeyConstraint("dataset_id", "number", "name", name=op.f("pk_data_split")),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("data_split")
    op.drop_table("data_mark")
    op.drop_column("data_version", "purged_for")
    op.drop_column("data_version", "purged_at")
    op.drop_column("data_version", "deleted_at")
    op.drop_column("data_dataset", "deleted_at")
