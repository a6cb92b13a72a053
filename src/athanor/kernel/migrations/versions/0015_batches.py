"""Batch predictions and the tickets of asynchronous ones."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant, Json

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "serving_batch",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("artifact", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("source", Json(), nullable=False),
        sa.Column("to", sa.String(length=80), nullable=False),
        sa.Column("settings", Json(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("rows_done", sa.BigInteger(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("chunks_done", sa.Integer(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("dataset_version", sa.Integer(), nullable=True),
        sa.Column("output", sa.String(length=32), nullable=True),
        sa.Column("error", Json(), nullable=True),
        sa.Column("figures", Json(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_serving_batch")),
        sa.UniqueConstraint("open_key", name=op.f("uq_serving_batch_open_key")),
    )
    op.create_index("ix_serving_batch_project", "serving_batch", ["project", "created_at"])
    op.create_table(
        "serving_ticket",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("endpoint", sa.String(length=63), nullable=False),
        sa.Column("route", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("request", sa.String(length=80), nullable=False),
        sa.Column("request_bytes", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.String(length=80), nullable=True),
        sa.Column("answer_bytes", sa.BigInteger(), nullable=False),
        sa.Column("error", Json(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("webhook", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("told", sa.String(length=16), nullable=False),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("delivered_at", Instant(), nullable=True),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("expires_seconds", sa.Float(), nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_serving_ticket")),
        sa.UniqueConstraint("open_key", name=op.f("uq_serving_ticket_open_key")),
    )
    op.create_index("ix_serving_ticket_endpoint", "serving_ticket", ["endpoint", "state"])
    op.create_index("ix_serving_ticket_expires_at", "serving_ticket", ["expires_at"])
