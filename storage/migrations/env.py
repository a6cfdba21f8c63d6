"""Alembic runs this file; storage/migrate.py gives it the connection, inside a transaction of its own."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
