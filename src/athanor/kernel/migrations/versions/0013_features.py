"""Features: definitions, versions of views, pushed rows, training sets, online rows."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant, Json

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "features_definition",
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("project", "kind", "name", name=op.f("pk_features_definition")),
    )
    op.create_table(
        "features_version",
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("view", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("project", "view", "number", name=op.f("pk_features_version")),
    )
    op.create_table(
        "features_push",
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("view", sa.String(length=80), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("row", Json(), nullable=False),
        sa.Column("pushed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("project", "view", "seq", name=op.f("pk_features_push")),
    )
    op.create_table(
        "features_receipt",
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("view", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("answer", Json(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("project", "view", "key", name=op.f("pk_features_receipt")),
    )
    op.create_table(
        "features_counter",
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("view", sa.String(length=80), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project", "view", name=op.f("pk_features_counter")),
    )
    op.create_table(
        "features_training_set",
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint(
            "project", "name", "version", name=op.f("pk_features_training_set")
        ),
    )
    op.create_table(
        "features_materialization",
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("view", sa.String(length=80), nullable=False),
        sa.Column("body", Json(), nullable=False),
        sa.PrimaryKeyConstraint("project", "view", name=op.f("pk_features_materialization")),
    )
    op.create_table(
        "features_lease",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_features_lease")),
    )
    op.create_table(
        "features_online",
        sa.Column("space", sa.String(length=400), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("view", sa.String(length=340), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=True),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("space", "key", "view", name=op.f("pk_features_online")),
        sqlite_with_rowid=False,
    )
    op.add_column("serving_deployment", sa.Column("features", Json(), nullable=True))
