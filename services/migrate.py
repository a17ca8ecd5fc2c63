"""`python -m services.migrate SERVICE` brings the schema of one service to this release, and ends.

Each service does the same when it starts. This is for who wants to know before any process is replaced
whether a migration succeeds: a Job in front of an upgrade. It reads the settings of the database alone, and
takes the lock that services which start meanwhile take.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from loupe.settings import SettingsError, load, setting

from services.kit import telemetry
from services.kit.database import Database
from services.kit.lifecycle import Process, run
from services.kit.postgresql import DatabaseSettings
from services.kit.retry import retry_transient

SERVICES = ("registry", "scheduler", "evaluator")
"""Those with a schema, which has the name of its service."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What it reads from its environment."""

    database: DatabaseSettings
    log_level: str = setting("LOUPE_LOG_LEVEL", default="INFO", doc="DEBUG, INFO, WARNING or ERROR")


async def main(process: Process) -> None:
    """Migrate the schema that the command line names, and stop."""
    if len(sys.argv) != 2 or sys.argv[1] not in SERVICES:
        raise SettingsError((f"one argument is needed, the service: {', '.join(SERVICES)}",))
    (service,) = sys.argv[1:]
    settings = load(Settings, os.environ)
    telemetry.configure(f"migrate-{service}", settings.log_level)
    database = await process.enter(Database.of(service, settings.database))
    migrations = Path(__file__).parent / service / "migrations"
    await retry_transient(lambda: database.migrate(migrations), what="migrating")
    process.stop()


if __name__ == "__main__":
    run(main)
