"""Alembic's entry: migrates the connection that `kms_server.storage.migrate` hands over."""

from alembic import context

from kms_server.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
