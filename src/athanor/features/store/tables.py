"""This room's tables in the metadata database."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, Text

from athanor.kernel import Instant, Json, metadata
from athanor.kernel.leases import lease_table

definition_table = Table(
    "features_definition",
    metadata,
    Column("project", String(255), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("body", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(255), nullable=False),
)
"""Entities, views, on-demand views and services, as they are now."""

version_table = Table(
    "features_version",
    metadata,
    Column("project", String(255), primary_key=True),
    Column("view", String(80), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("body", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)

push_table = Table(
    "features_push",
    metadata,
    Column("project", String(255), primary_key=True),
    Column("view", String(80), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("row", Json, nullable=False),
    Column("pushed_at", Instant, nullable=False),
)
"""Pushed rows that are in no version yet."""

receipt_table = Table(
    "features_receipt",
    metadata,
    Column("project", String(255), primary_key=True),
    Column("view", String(80), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("answer", Json, nullable=False),
    Column("at", Instant, nullable=False),
)
"""What was answered to pushes that may be repeated."""

counter_table = Table(
    "features_counter",
    metadata,
    Column("project", String(255), primary_key=True),
    Column("view", String(80), primary_key=True),
    Column("last", BigInteger, nullable=False),
)
"""The number of the last pushed row of each view; never given twice."""

training_table = Table(
    "features_training_set",
    metadata,
    Column("project", String(255), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)

materialization_table = Table(
    "features_materialization",
    metadata,
    Column("project", String(255), primary_key=True),
    Column("view", String(80), primary_key=True),
    Column("body", Json, nullable=False),
)
"""How far each view is online."""

workers_table = lease_table("features_lease")
"""Who builds or materializes which view."""

online_table = Table(
    "features_online",
    metadata,
    Column("space", String(400), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("view", String(340), primary_key=True),
    Column("event", BigInteger, nullable=False),
    Column("created", BigInteger),
    Column("ordinal", BigInteger, nullable=False),
    Column("base", Integer, nullable=False),
    Column("packed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""The newest row of each key and view. One key's views lie side by side."""
