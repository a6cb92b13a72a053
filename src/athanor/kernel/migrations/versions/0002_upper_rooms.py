"""The first tables of the upper rooms: registry, reports, serving, monitoring."""

import sqlalchemy as sa
from alembic import op

from athanor.kernel.database import Instant, Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "monitoring_alert",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=1024), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("columns", Json(), nullable=False),
        sa.Column("false_alarm_rate", sa.Float(), nullable=True),
        sa.Column("detail", Json(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("raised_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("closed_by", sa.String(length=255), nullable=False),
        sa.Column("closed_because", sa.Text(), nullable=False),
        sa.Column("open_key", sa.String(length=1400), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monitoring_alert")),
        sa.UniqueConstraint("open_key", name=op.f("uq_monitoring_alert_open_key")),
    )
    with op.batch_alter_table("monitoring_alert", schema=None) as batch_op:
        batch_op.create_index(
            "ix_monitoring_alert_state_raised_at", ["state", "raised_at"], unique=False
        )
    op.create_table(
        "monitoring_monitor",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("endpoint", sa.String(length=255), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deployment", sa.String(length=32), nullable=False),
        sa.Column("reference_id", sa.String(length=32), nullable=True),
        sa.Column("sketch", sa.String(length=80), nullable=True),
        sa.Column("settings", Json(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("read_at", Instant(), nullable=False),
        sa.Column("read_id", sa.String(length=32), nullable=False),
        sa.Column("windows", sa.Integer(), nullable=False),
        sa.Column("last_verdict", sa.String(length=16), nullable=True),
        sa.Column("last_run_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monitoring_monitor")),
        sa.UniqueConstraint("endpoint", name=op.f("uq_monitoring_monitor_endpoint")),
    )
    op.create_table(
        "registry_model",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_registry_model")),
    )
    op.create_table(
        "serving_endpoint",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("follow", sa.String(length=500), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_serving_endpoint")),
    )
    op.create_table(
        "monitoring_window",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("endpoint", sa.String(length=255), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("first_at", Instant(), nullable=True),
        sa.Column("last_at", Instant(), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("drifted", Json(), nullable=False),
        sa.Column("report_id", sa.String(length=32), nullable=True),
        sa.Column("performance", Json(), nullable=True),
        sa.Column("judged_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint"],
            ["monitoring_monitor.endpoint"],
            name=op.f("fk_monitoring_window_endpoint_monitoring_monitor"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monitoring_window")),
    )
    with op.batch_alter_table("monitoring_window", schema=None) as batch_op:
        batch_op.create_index(
            "ix_monitoring_window_endpoint_number", ["endpoint", "number"], unique=True
        )
    op.create_table(
        "registry_alias",
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("alias", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"], ["registry_model.name"], name=op.f("fk_registry_alias_model_registry_model")
        ),
        sa.PrimaryKeyConstraint("model", "alias", name=op.f("pk_registry_alias")),
    )
    op.create_table(
        "registry_alias_move",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("alias", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("moved_by", sa.String(length=255), nullable=False),
        sa.Column("moved_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["registry_model.name"],
            name=op.f("fk_registry_alias_move_model_registry_model"),
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_registry_alias_move")),
    )
    with op.batch_alter_table("registry_alias_move", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_registry_alias_move_model"), ["model"], unique=False)
    op.create_table(
        "registry_version",
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=True),
        sa.Column("artifact_id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=True),
        sa.Column("flavor", sa.String(length=64), nullable=False),
        sa.Column("signature", Json(), nullable=False),
        sa.Column("metrics", Json(), nullable=False),
        sa.Column("verdict", Json(), nullable=True),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"],
            ["lineage_artifact.id"],
            name=op.f("fk_registry_version_artifact_id_lineage_artifact"),
        ),
        sa.ForeignKeyConstraint(
            ["model"],
            ["registry_model.name"],
            name=op.f("fk_registry_version_model_registry_model"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["lineage_run.id"], name=op.f("fk_registry_version_run_id_lineage_run")
        ),
        sa.PrimaryKeyConstraint("model", "number", name=op.f("pk_registry_version")),
        sa.UniqueConstraint("model", "key", name="uq_registry_version_key"),
    )
    op.create_table(
        "responsible_report",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("project", sa.String(length=255), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("metrics", Json(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["lineage_artifact.id"], name=op.f("fk_responsible_report_id_lineage_artifact")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["lineage_run.id"], name=op.f("fk_responsible_report_run_id_lineage_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responsible_report")),
    )
    with op.batch_alter_table("responsible_report", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_responsible_report_created_at"), ["created_at"], unique=False
        )
    op.create_table(
        "serving_deployment",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("endpoint", sa.String(length=63), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("artifact", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("signature", Json(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("replicas", sa.Integer(), nullable=False),
        sa.Column("canary", Json(), nullable=True),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint"],
            ["serving_endpoint.name"],
            name=op.f("fk_serving_deployment_endpoint_serving_endpoint"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_serving_deployment")),
        sa.UniqueConstraint(
            "endpoint", "idempotency_key", name="uq_serving_deployment_idempotency_key"
        ),
        sa.UniqueConstraint(
            "endpoint", "number", name=op.f("uq_serving_deployment_endpoint_number")
        ),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("serving_deployment")
    with op.batch_alter_table("responsible_report", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_responsible_report_created_at"))
    op.drop_table("responsible_report")
    op.drop_table("registry_version")
    with op.batch_alter_table("registry_alias_move", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_registry_alias_move_model"))
    op.drop_table("registry_alias_move")
    op.drop_table("registry_alias")
    with op.batch_alter_table("monitoring_window", schema=None) as batch_op:
        batch_op.drop_index("ix_monitoring_window_endpoint_number")
    op.drop_table("monitoring_window")
    op.drop_table("serving_endpoint")
    op.drop_table("registry_model")
    op.drop_table("monitoring_monitor")
    with op.batch_alter_table("monitoring_alert", schema=None) as batch_op:
        batch_op.drop_index("ix_monitoring_alert_state_raised_at")
    op.drop_table("monitoring_alert")
