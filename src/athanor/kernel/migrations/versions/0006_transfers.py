"""Marks of runs and logged models that came whole from another store."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "tracking_transfer",
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("mark", sa.String(length=80), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_tracking_transfer")),
        sqlite_with_rowid=False,
    )
