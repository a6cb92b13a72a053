"""The tables of the registry."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from athanor.kernel import Instant, Json, metadata

NAME = 255
"""Characters that a model's name and an alias may have."""


def _of_model(*, primary_key: bool = False) -> "Column[str]":
    """The name of a model; it follows when the model is renamed."""
    return Column(
        "model",
        String(NAME),
        ForeignKey("registry_model.name", onupdate="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


model_table = Table(
    "registry_model",
    metadata,
    Column("name", String(NAME), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("description", Text),
    Column("last_number", Integer, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
Index("ix_registry_model_updated_at", model_table.c.updated_at)

model_tag_table = Table(
    "registry_model_tag",
    metadata,
    _of_model(primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

version_table = Table(
    "registry_version",
    metadata,
    _of_model(primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", String(255)),
    Column("artifact_id", String(32), ForeignKey("lineage_artifact.id")),
    Column("digest", String(80), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("run_id", String(255)),
    Column("flavor", String(64), nullable=False),
    Column("signature", Json, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("verdict", Json),
    Column("description", Text),
    Column("stage", String(20), nullable=False),
    Column("source", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("run_link", Text),
    Column("model_id", String(255)),
    Column("status", String(32), nullable=False),
    Column("status_message", Text),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("model", "key", name="uq_registry_version_key"),
)
Index("ix_registry_version_run_id", version_table.c.run_id)
Index("ix_registry_version_updated_at", version_table.c.updated_at)

version_tag_table = Table(
    "registry_version_tag",
    metadata,
    Column("model", String(NAME), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
    ForeignKeyConstraint(
        ["model", "number"],
        ["registry_version.model", "registry_version.number"],
        name="fk_registry_version_tag_model_registry_version",
        onupdate="CASCADE",
        ondelete="CASCADE",
    ),
)

alias_table = Table(
    "registry_alias",
    metadata,
    _of_model(primary_key=True),
    Column("alias", String(NAME), primary_key=True),
    Column("number", Integer, nullable=False),
)

move_table = Table(
    "registry_alias_move",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    _of_model(),
    Column("alias", String(NAME), nullable=False),
    Column("number", Integer),
    Column("previous", Integer),
    Column("kind", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("moved_by", String(255), nullable=False),
    Column("moved_at", Instant, nullable=False),
)
Index("ix_registry_alias_move_model", move_table.c.model)
