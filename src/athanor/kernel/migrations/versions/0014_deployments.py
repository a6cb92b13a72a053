"""Deployments come to their traffic in several ways, sleep and scale; endpoints have rules."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Json

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their columns."""
    op.add_column(
        "serving_endpoint", sa.Column("rules", Json(), nullable=False, server_default="[]")
    )
    op.add_column(
        "serving_endpoint",
        sa.Column("sticky", sa.String(length=255), nullable=False, server_default=""),
    )
    op.add_column(
        "serving_endpoint", sa.Column("capacity", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column(
        "serving_endpoint", sa.Column("earlier", Json(), nullable=False, server_default="{}")
    )
    op.add_column(
        "serving_deployment", sa.Column("rollout", Json(), nullable=False, server_default="{}")
    )
    op.add_column("serving_deployment", sa.Column("scaling", Json(), nullable=True))


def downgrade() -> None:
    """Remove them."""
    for name in ("scaling", "rollout"):
        op.drop_column("serving_deployment", name)
    for name in ("earlier", "capacity", "sticky", "rules"):
        op.drop_column("serving_endpoint", name)
