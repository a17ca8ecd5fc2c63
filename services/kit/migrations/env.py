"""Alembic runs this to upgrade a schema. It is the same for every service; the revisions are in the service.

`services.kit.database` puts the connection and the schema into the attributes of Alembic's configuration.
"""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    version_table="schema_revision",
    version_table_schema=attributes["schema"],
)
with context.begin_transaction():
    context.run_migrations()
