"""The report service: `python -m services.evaluator`."""

import os
from pathlib import Path

from services.evaluator import consumers, server
from services.evaluator.application import ReportLibrary
from services.evaluator.settings import Settings
from services.identity import token_verifier
from services.kit import settings as kit_settings
from services.kit import telemetry
from services.kit.database import Database, retrying_transient
from services.kit.grpc_client import connect
from services.kit.grpc_server import GrpcServer
from services.kit.messaging import Messaging
from services.kit.process import Process, SystemClock, run

_MIGRATIONS = Path(__file__).with_name("migrations")


async def main(process: Process) -> None:
    """Open what the service consists of."""
    settings = kit_settings.load(Settings, os.environ)
    telemetry.configure("evaluator", settings.log_level)
    database = await process.enter(Database(settings.database_url, "evaluator"))
    await retrying_transient(lambda: database.migrate(_MIGRATIONS), what="migration")
    messaging = await process.enter(await Messaging.connect(settings.nats_url, name="evaluator"))
    registry = await process.enter(connect(settings.registry_address, lambda: settings.service_token))
    library = ReportLibrary(database.sessions, SystemClock().now)
    process.background(
        "deleted tasks", lambda: consumers.follow_deleted_tasks(messaging, database.sessions, library)
    )
    await process.enter(
        GrpcServer(
            [server.service(library)],
            verifier=token_verifier(settings.service_token, registry),
            address=settings.listen,
        )
    )


if __name__ == "__main__":
    run(main)
