"""Runs are listed by their times, also those that came from elsewhere with ids of their own."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_lineage_run_started", "lineage_run", ["started_at", "id"])
