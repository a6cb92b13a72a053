"""Deployments tell what answers for them; endpoints what is kept of their predictions."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Json

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("serving_endpoint", sa.Column("log", Json(), nullable=False, server_default="{}"))
    op.add_column("serving_deployment", sa.Column("runtime", Json(), nullable=True))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("serving_endpoint", "log")
    op.drop_column("serving_deployment", "runtime")
