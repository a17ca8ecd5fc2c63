"""A dump of the database before its tables are changed by a new version, kept in the data folder."""

import asyncio
import contextlib
import logging
import time
from pathlib import Path

from loupe.translation import joined, sentence

from deploy.backup import database
from deploy.backup.errors import BackupError
from deploy.backup.stores import stack_settings
from deploy.backup.versions import newest, require_known
from deploy.embedded.postgres import Postgres

_log = logging.getLogger("loupe.embedded")


def dump_before_migration(postgres: Postgres, folder: Path) -> Path | None:
    """Dump the database if the services that are about to start will change its tables; blocks.

    The dump's name is the time. None where nothing changes, or `LOUPE_DUMPS_KEPT` is 0; BackupError where it
    cannot be made: then nothing is changed either.
    """
    settings = stack_settings()
    present = asyncio.run(_present(postgres))
    wanted = newest()
    behind = sorted(schema for schema, revision in present.items() if revision != wanted[schema])
    if not behind or not settings.dumps_kept:
        return None
    try:
        require_known(present, "a later version")
    except BackupError:
        # An older version on newer tables changes nothing.
        return None
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / time.strftime("%Y%m%dT%H%M%SZ.dump", time.gmtime())
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            partial.chmod(0o600)
            asyncio.run(database.dump(postgres, None, file, settings.programs))
        partial.rename(path)
    except (OSError, BackupError) as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise BackupError(
            sentence(
                "no dump can be made before the tables of {schemas} change: {error}; LOUPE_DUMPS_KEPT=0 goes "
                "on without one",
                schemas=joined(behind),
                error=error,
            )
        ) from error
    _log.warning("the tables of %s change; %s is a dump from before", ", ".join(behind), path)
    for old in sorted(folder.glob("*.dump"))[: -settings.dumps_kept]:
        old.unlink()
    return path


async def _present(postgres: Postgres) -> dict[str, str]:
    async with database.connected(postgres) as connection:
        return await database.revisions(connection)
