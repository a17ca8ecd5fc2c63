"""The report service: `python -m services.evaluator`."""

import os
from pathlib import Path

from loupe import settings as loupe_settings
from loupe.rpc.channel import connect

from services.audit import RegistryAuditor
from services.evaluator import consumers
from services.evaluator.application.collecting import PredictedMasks
from services.evaluator.application.comparing import Comparisons
from services.evaluator.application.drilldown import DrillDown
from services.evaluator.application.exporting import ReportExports
from services.evaluator.application.pictures import Pictures
from services.evaluator.application.relabelling import RelabelMarks
from services.evaluator.application.reports import Reports
from services.evaluator.server.services import services
from services.evaluator.settings import Settings
from services.evaluator.storage import inventory
from services.evaluator.wire.registry import RegistryClient, mask_codes_from
from services.identity import token_verifier
from services.kit import telemetry
from services.kit.about import about
from services.kit.checking import StorageCheck
from services.kit.clock import SystemClock
from services.kit.database import Database
from services.kit.grpc_server import GrpcServer
from services.kit.lifecycle import Process, every, run
from services.kit.messaging import Messaging
from services.kit.object_store import ObjectStore
from services.kit.retry import retry_transient
from services.vision.pictures import PictureStore

MIGRATIONS = Path(__file__).with_name("migrations")
_SWEEP_S = 6 * 3600.0


async def main(process: Process) -> None:
    """Read the settings and serve."""
    settings = loupe_settings.load(Settings, os.environ)
    telemetry.configure("evaluator", settings.log_level)
    await serve(process, settings)


async def serve(process: Process, settings: Settings) -> GrpcServer:
    """Open everything in order; the server comes last, so that it answers only when all of it works."""
    database = await process.enter(Database(settings.database_url, "evaluator"))
    revision = await retry_transient(lambda: database.migrate(MIGRATIONS), what="migration")
    messaging = await process.enter(await Messaging.connect(settings.nats_url, name="evaluator"))
    registry = await process.enter(
        connect(
            settings.registry_address,
            lambda: settings.service_token,
            credentials=settings.tls.channel_credentials(),
        )
    )
    # The bucket is made by the registry.
    store = await process.enter(ObjectStore(settings.objects, threads=16))
    now = SystemClock().now
    reports = Reports(database.sessions, now)
    picture_store = PictureStore(store, now)
    pictures = Pictures(picture_store)
    masks = PredictedMasks(database.sessions, store, now)
    process.background(
        "old pictures",
        every(_SWEEP_S, lambda: retry_transient(picture_store.sweep, what="sweeping pictures")),
    )
    process.background(
        "orphaned masks", every(_SWEEP_S, lambda: retry_transient(masks.sweep, what="sweeping masks"))
    )
    process.background(
        "deleted tasks", lambda: consumers.follow_deleted_tasks(messaging, database.sessions, reports)
    )
    check = StorageCheck(database.sessions, store, messaging, objects=inventory.objects())
    samples = DrillDown(
        reports=reports,
        sessions=database.sessions,
        store=store,
        pictures=pictures,
        mask_codes=mask_codes_from(registry),
        now=now,
    )
    return await process.enter(
        GrpcServer(
            [
                *services(
                    reports=reports,
                    exports=ReportExports(reports, pictures.thumbnail),
                    comparisons=Comparisons(database.sessions),
                    samples=samples,
                    marks=RelabelMarks(database.sessions, now),
                    registry=lambda token: RegistryClient(registry, token),
                    now=now,
                ),
                about("evaluator", revision, check),
            ],
            verifier=token_verifier(settings.service_token, registry),
            address=settings.listen,
            credentials=settings.tls.server_credentials(),
            observer=RegistryAuditor(registry),
        )
    )


if __name__ == "__main__":
    run(main)
