"""Alembic's entry: runs the migrations on the connection that it was given."""

from alembic import context

from athanor.kernel.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
