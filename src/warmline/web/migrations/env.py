"""Runs the migrations on the connection that `store` hands over."""

from alembic import context

from warmline.web.store import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
