"""The report service: `python -m services.evaluator`."""

import os
from pathlib import Path

from loupe import settings as loupe_settings
from loupe.rpc.channel import connect

from services.audit import RegistryAuditor
from services.evaluator import consumers, server
from services.evaluator.application import ReportLibrary
from services.evaluator.collecting import PredictedMasks
from services.evaluator.comparing import server as comparing
from services.evaluator.comparing.application import Comparisons
from services.evaluator.drilldown import server as drilldown
from services.evaluator.drilldown.application import DrillDown
from services.evaluator.drilldown.pictures import Pictures
from services.evaluator.exporting.application import Exports
from services.evaluator.relabelling import server as relabelling
from services.evaluator.relabelling.application import RelabelMarks
from services.evaluator.relabelling.registry import DataPaths, mask_codes_from
from services.evaluator.settings import Settings
from services.identity import token_verifier
from services.kit import telemetry
from services.kit.about import about
from services.kit.database import Database, retrying_transient
from services.kit.grpc_server import GrpcServer
from services.kit.messaging import Messaging
from services.kit.object_store import ObjectStore
from services.kit.process import Process, SystemClock, every, run
from services.vision.pictures import PictureStore

MIGRATIONS = Path(__file__).with_name("migrations")
_SWEEP_S = 6 * 3600.0


async def main(process: Process) -> None:
    """The composition of the report service."""
    settings = loupe_settings.load(Settings, os.environ)
    telemetry.configure("evaluator", settings.log_level)
    await serve(process, settings)


async def serve(process: Process, settings: Settings) -> GrpcServer:
    """Open what the service consists of; the server comes last."""
    database = await process.enter(Database(settings.database_url, "evaluator"))
    revision = await retrying_transient(lambda: database.migrate(MIGRATIONS), what="migration")
    messaging = await process.enter(await Messaging.connect(settings.nats_url, name="evaluator"))
    registry = await process.enter(
        connect(
            settings.registry_address,
            lambda: settings.service_token,
            credentials=settings.tls.channel_credentials(),
        )
    )
    # No bucket of its own: who imports the samples makes it.
    store = await process.enter(ObjectStore(settings.objects, threads=16))
    now = SystemClock().now
    library = ReportLibrary(database.sessions, now)
    stored = PictureStore(store, now)
    pictures = Pictures(stored)
    samples = DrillDown(
        library=library,
        sessions=database.sessions,
        store=store,
        pictures=pictures,
        mask_codes=mask_codes_from(registry),
        now=now,
    )
    process.background(
        "old pictures", every(_SWEEP_S, lambda: retrying_transient(stored.sweep, what="sweeping pictures"))
    )
    masks = PredictedMasks(database.sessions, store, now)
    process.background(
        "orphaned masks", every(_SWEEP_S, lambda: retrying_transient(masks.sweep, what="sweeping masks"))
    )
    process.background(
        "deleted tasks", lambda: consumers.follow_deleted_tasks(messaging, database.sessions, library)
    )
    return await process.enter(
        GrpcServer(
            [
                server.service(library, Exports(library, pictures.thumbnail)),
                comparing.service(Comparisons(database.sessions)),
                drilldown.service(samples, now),
                relabelling.service(
                    RelabelMarks(database.sessions, now), lambda token: DataPaths(registry, token)
                ),
                about("evaluator", revision),
            ],
            verifier=token_verifier(settings.service_token, registry),
            address=settings.listen,
            credentials=settings.tls.server_credentials(),
            observer=RegistryAuditor(registry),
        )
    )


if __name__ == "__main__":
    run(main)
