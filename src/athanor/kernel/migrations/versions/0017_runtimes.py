"""Deployments tell what answers for them."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Json

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("serving_deployment", sa.Column("runtime", Json(), nullable=True))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("serving_deployment", "runtime")
