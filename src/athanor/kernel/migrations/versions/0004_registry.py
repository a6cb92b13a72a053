"""The registry over MLflow's protocol: descriptions, tags, stages, sources, longer names.

The four tables of 0002 are made anew, as foreign keys and nullability change; their rows are kept.
"""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant, Json

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OLD = ("registry_alias", "registry_alias_move", "registry_version", "registry_model")
"""Children first."""

_KEPT = {
    "registry_model": """
        INSERT INTO registry_model (name, project, protected, description, last_number,
            created_by, created_at, updated_at)
        SELECT name, project, protected, NULL,
            (SELECT COALESCE(MAX(number), 0) FROM old_registry_version WHERE model = name),
            created_by, created_at,
            (SELECT COALESCE(MAX(v.created_at), old_registry_model.created_at)
             FROM old_registry_version AS v WHERE v.model = name)
        FROM old_registry_model""",
    "registry_version": """
        INSERT INTO registry_version (model, number, key, artifact_id, digest, size, run_id,
            flavor, signature, metrics, verdict, stage, source, location, status,
            created_by, created_at, updated_at)
        SELECT model, number, key, artifact_id, digest, size, run_id,
            flavor, signature, metrics, verdict, 'None', '', '', 'READY',
            created_by, created_at, created_at
        FROM old_registry_version""",
    "registry_alias": """
        INSERT INTO registry_alias (model, alias, number)
        SELECT model, alias, number FROM old_registry_alias""",
    "registry_alias_move": """
        INSERT INTO registry_alias_move (model, alias, number, previous, kind, reason,
            moved_by, moved_at)
        SELECT model, alias, number, previous, kind, reason, moved_by, moved_at
        FROM old_registry_alias_move ORDER BY seq""",
}


def upgrade() -> None:
    """Put the old rows aside, make the tables, put the rows in."""
    for name in _OLD:
        op.execute(f"CREATE TABLE old_{name} AS SELECT * FROM {name}")  # noqa: S608
        op.drop_table(name)
    _models()
    _versions()
    _aliases()
    for statement in _KEPT.values():
        op.execute(statement)
    for name in _OLD:
        op.drop_table(f"old_{name}")


def downgrade() -> None:
    """There is no way back: versions without an artifact have no place in the older tables."""
    raise NotImplementedError


def _of_model(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["model"],
        ["registry_model.name"],
        name=op.f(f"fk_{table}_model_registry_model"),
        onupdate="CASCADE",
    )


def _models() -> None:
    op.create_table(
        "registry_model",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_registry_model")),
    )
    op.create_index("ix_registry_model_updated_at", "registry_model", ["updated_at"])
    op.create_table(
        "registry_model_tag",
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        _of_model("registry_model_tag"),
        sa.PrimaryKeyConstraint("model", "key", name=op.f("pk_registry_model_tag")),
    )


def _versions() -> None:
    op.create_table(
        "registry_version",
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=True),
        sa.Column("artifact_id", sa.String(length=32), nullable=True),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.String(length=255), nullable=True),
        sa.Column("flavor", sa.String(length=64), nullable=False),
        sa.Column("signature", Json(), nullable=False),
        sa.Column("metrics", Json(), nullable=False),
        sa.Column("verdict", Json(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("run_link", sa.Text(), nullable=True),
        sa.Column("model_id", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("status_message", sa.Text(), nullable=True),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"],
            ["lineage_artifact.id"],
            name=op.f("fk_registry_version_artifact_id_lineage_artifact"),
        ),
        _of_model("registry_version"),
        sa.PrimaryKeyConstraint("model", "number", name=op.f("pk_registry_version")),
        sa.UniqueConstraint("model", "key", name="uq_registry_version_key"),
    )
    op.create_index("ix_registry_version_run_id", "registry_version", ["run_id"])
    op.create_index("ix_registry_version_updated_at", "registry_version", ["updated_at"])
    op.create_table(
        "registry_version_tag",
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "number"],
            ["registry_version.model", "registry_version.number"],
            name="fk_registry_version_tag_model_registry_version",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model", "number", "key", name=op.f("pk_registry_version_tag")),
    )


def _aliases() -> None:
    op.create_table(
        "registry_alias",
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("alias", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _of_model("registry_alias"),
        sa.PrimaryKeyConstraint("model", "alias", name=op.f("pk_registry_alias")),
    )
    op.create_table(
        "registry_alias_move",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("alias", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("moved_by", sa.String(length=255), nullable=False),
        sa.Column("moved_at", Instant(), nullable=False),
        _of_model("registry_alias_move"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_registry_alias_move")),
    )
    op.create_index("ix_registry_alias_move_model", "registry_alias_move", ["model"])
