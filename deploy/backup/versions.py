"""Which revisions of the services' tables this software knows."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from alembic.script import ScriptDirectory
from loupe.translation import sentence

from deploy.backup.errors import BackupError
from deploy.backup.stores import SCHEMAS
from services.kit.about import VERSION


def _scripts(schema: str) -> ScriptDirectory:
    package = import_module(f"services.{schema}")
    folder = Path(next(iter(package.__path__))) / "migrations"
    return ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])


def newest() -> dict[str, str]:
    """The revision to which each service migrates its tables when it starts."""
    return {schema: _scripts(schema).get_current_head() or "" for schema in SCHEMAS}


def require_known(schemas: Mapping[str, str], made_by: str) -> None:
    """BackupError for tables of a later release: services only migrate forward."""
    if not schemas:
        raise BackupError(sentence("it holds no tables of Loupe; name another"))
    for schema, revision in schemas.items():
        known = {script.revision for script in _scripts(schema).walk_revisions()}
        if revision not in known:
            raise BackupError(
                sentence(
                    "the tables of {schema} are at revision {revision}, made by Loupe {made_by}, which this "
                    "version ({version}) does not know; install that version, or a later one",
                    schema=schema,
                    revision=revision,
                    made_by=made_by,
                    version=VERSION,
                )
            )
