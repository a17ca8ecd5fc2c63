"""What Alembic runs to upgrade a schema: the same for every service, whose revisions are in its own folder.

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
