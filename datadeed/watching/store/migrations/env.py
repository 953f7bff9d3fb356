"""Alembic runs this for each upgrade, on a connection whose transaction is already open."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["versions"],
)
context.run_migrations()
