"""What is wrong with trainings, by run and rule."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant, Json

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "tracking_hint",
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("metric", sa.String(length=250), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.Column("measured", Json(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["tracking_run.run"], name=op.f("fk_tracking_hint_run_tracking_run")
        ),
        sa.PrimaryKeyConstraint("run", "rule", name=op.f("pk_tracking_hint")),
        sqlite_with_rowid=False,
    )
