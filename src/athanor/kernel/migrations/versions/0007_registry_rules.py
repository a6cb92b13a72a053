"""The rules around models: scans, consents, protected aliases, judgements, approvals, cards."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant, Json

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = (
    "registry_scan",
    "registry_consent",
    "registry_protection",
    "registry_judgement",
    "registry_approval",
    "registry_card_section",
)


def upgrade() -> None:
    """Make the tables."""
    _scans()
    _protections()
    _approvals()
    op.create_table(
        "registry_card_section",
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("written_by", sa.String(length=255), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
        _of_version("registry_card_section"),
        sa.PrimaryKeyConstraint("model", "number", "title", name=op.f("pk_registry_card_section")),
    )


def downgrade() -> None:
    """Remove them."""
    for name in reversed(_TABLES):
        op.drop_table(name)


def _of_version(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["model", "number"],
        ["registry_version.model", "registry_version.number"],
        name=f"fk_{table}_model_registry_version",
        onupdate="CASCADE",
        ondelete="CASCADE",
    )


def _of_model(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["model"],
        ["registry_model.name"],
        name=op.f(f"fk_{table}_model_registry_model"),
        onupdate="CASCADE",
        ondelete="CASCADE",
    )


def _scans() -> None:
    op.create_table(
        "registry_scan",
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("scan", Json(), nullable=False),
        sa.Column("scanned_at", Instant(), nullable=False),
        _of_version("registry_scan"),
        sa.PrimaryKeyConstraint("model", "number", name=op.f("pk_registry_scan")),
    )
    op.create_table(
        "registry_consent",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=True),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("granted_by", sa.String(length=255), nullable=False),
        sa.Column("granted_at", Instant(), nullable=False),
        _of_model("registry_consent"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_consent")),
    )
    op.create_index("ix_registry_consent_project", "registry_consent", ["project"])


def _protections() -> None:
    op.create_table(
        "registry_protection",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=True),
        sa.Column("alias", sa.String(length=255), nullable=False),
        sa.Column("gates", Json(), nullable=False),
        sa.Column("approvals", sa.Integer(), nullable=False),
        sa.Column("by_others", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        _of_model("registry_protection"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_protection")),
    )
    op.create_index("ix_registry_protection_alias", "registry_protection", ["alias"])
    op.create_table(
        "registry_judgement",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("alias", sa.String(length=255), nullable=False),
        sa.Column("holder", sa.Integer(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("verdicts", Json(), nullable=False),
        sa.Column("artifact_id", sa.String(length=32), nullable=True),
        sa.Column("judged_by", sa.String(length=255), nullable=False),
        sa.Column("judged_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"],
            ["lineage_artifact.id"],
            name=op.f("fk_registry_judgement_artifact_id_lineage_artifact"),
        ),
        _of_model("registry_judgement"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_judgement")),
    )
    op.create_index("ix_registry_judgement_model", "registry_judgement", ["model", "number"])


def _approvals() -> None:
    op.create_table(
        "registry_approval",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("alias", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Integer(), nullable=True),
        sa.Column("judgement", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("approvals", Json(), nullable=False),
        sa.Column("by_others", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=255), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("decided_by", sa.String(length=255), nullable=False),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        _of_model("registry_approval"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_approval")),
    )
    op.create_index("ix_registry_approval_model_state", "registry_approval", ["model", "state"])
