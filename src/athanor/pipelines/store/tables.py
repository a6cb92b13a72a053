"""The tables of the pipelines room."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from athanor.kernel import Instant, Json, metadata

spec_table = Table(
    "pipelines_spec",
    metadata,
    Column("digest", String(80), primary_key=True),
    Column("body", Text, nullable=False),
)

run_table = Table(
    "pipelines_run",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("pipeline", String(255), nullable=False),
    Column("spec", String(80), ForeignKey("pipelines_spec.digest"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("parameters", Json, nullable=False),
    Column("artifacts", Json, nullable=False),
    Column("outputs", Json, nullable=False),
    Column("labels", Json, nullable=False),
    Column("cache", Boolean, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("who", Json, nullable=False),
    Column("trigger", String(255)),
    Column("key", String(255)),
    Column("error", Json),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    UniqueConstraint("project", "key"),
)
Index("ix_pipelines_run_state", run_table.c.state)
Index("ix_pipelines_run_trigger_state", run_table.c.trigger, run_table.c.state)

task_table = Table(
    "pipelines_task",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("run", String(32), ForeignKey("pipelines_run.id"), nullable=False),
    Column("name", String(1024), nullable=False),
    Column("component", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("failures", Integer, nullable=False, default=0),
    Column("parameters", Json, nullable=False, default={}),
    Column("artifacts", Json, nullable=False, default={}),
    Column("outputs", Json, nullable=False, default={}),
    Column("made", Json, nullable=False, default={}),
    Column("reason", Text, nullable=False, default=""),
    Column("error", Json),
    Column("key", String(80), nullable=False, default=""),
    Column("key_parts", Json),
    Column("resources", Json, nullable=False, default={}),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    UniqueConstraint("run", "name"),
)

cache_table = Table(
    "pipelines_cache",
    metadata,
    Column("project", String(255), primary_key=True),
    Column("key", String(80), primary_key=True),
    Column("task", String(32), nullable=False),
    Column("outputs", Json, nullable=False),
    Column("made", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)

trigger_table = Table(
    "pipelines_trigger",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("project", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("submission", Json, nullable=False),
    Column("action", String(255), nullable=False),
    Column("match", Json, nullable=False),
    Column("cron", String(255), nullable=False),
    Column("cooldown", Float, nullable=False),
    Column("overlap", String(16), nullable=False),
    Column("pending", Json),
    Column("next_fire", Instant),
    Column("last_fired", Instant),
    Column("last_run", String(32)),
    Column("who", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("project", "name"),
)
Index("ix_pipelines_trigger_action", trigger_table.c.action)
