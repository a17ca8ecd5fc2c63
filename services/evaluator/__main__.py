"""The evaluator: `python -m services.evaluator`."""

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from loupe import settings as loupe_settings
from loupe.rpc.channel import connect

from services.audit import Auditor
from services.evaluator.application.collecting import FOLDERS
from services.evaluator.application.comparing import Comparisons
from services.evaluator.application.drilldown import DrillDown
from services.evaluator.application.exporting import ReportExports
from services.evaluator.application.leaderboards import Leaderboards
from services.evaluator.application.pictures import Pictures
from services.evaluator.application.relabelling import RelabelMarks
from services.evaluator.application.reports import Reports
from services.evaluator.consumers import consumers
from services.evaluator.server.services import services
from services.evaluator.settings import Settings
from services.evaluator.storage import inventory
from services.evaluator.wire.registry import Banks, RegistryClient, mask_codes_from
from services.identity import token_verifier
from services.kit import telemetry
from services.kit.checking import StorageCheck
from services.kit.clock_watch import watch_clock
from services.kit.consumer import Consumer
from services.kit.database import Database
from services.kit.grpc_server import GrpcServer
from services.kit.lifecycle import Process, every, run
from services.kit.messaging import Messaging
from services.kit.object_store import ObjectStore
from services.kit.operations import Operations
from services.kit.orphans import Collector
from services.kit.retention import DEAD_LETTERS, prune
from services.kit.retry import retry_transient
from services.kit.server_service import About, server_service
from services.service_tokens import EVALUATOR
from services.vision.decoders import Decoders
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
    operations = await process.enter(Operations(settings.operations, "evaluator", settings.tls))
    database = await process.enter(Database.of("evaluator", settings.database))
    revision = await retry_transient(lambda: database.migrate(MIGRATIONS), what="migration")
    await watch_clock(process, database.sessions, settings.clock)
    messaging = await process.enter(
        await Messaging.connect(settings.nats.url, name="evaluator", access=settings.nats.access)
    )
    registry = await process.enter(
        connect(
            settings.registry_address,
            settings.tokens.own(EVALUATOR),
            credentials=settings.tls.channel_credentials(),
        )
    )
    # The bucket is made by the registry.
    store = await process.enter(ObjectStore(settings.objects, threads=16))
    reports = Reports(database.sessions)
    decoders = await process.enter(Decoders("services.evaluator.decoder", settings.decoders))
    picture_store = PictureStore(store, decoders)
    pictures = Pictures(picture_store)
    _sweep(process, database, store, picture_store, settings.retention.dead_letter_days)
    followed = _follow(process, messaging, database, reports)
    about = About.watching(
        *(process, operations, database, messaging, revision),
        check=StorageCheck(database.sessions, store, messaging, objects=inventory.objects()),
        consumers=followed,
    )
    mask_codes = mask_codes_from(registry)
    samples = DrillDown(
        reports=reports, sessions=database.sessions, store=store, pictures=pictures, mask_codes=mask_codes
    )
    auditor = Auditor.to_registry(registry)
    auditor.run(process)
    server = await process.enter(
        GrpcServer(
            [
                *services(
                    reports=reports,
                    exports=ReportExports(reports, pictures.thumbnail),
                    comparisons=Comparisons(database.sessions),
                    leaderboards=Leaderboards(database.sessions, Banks(registry)),
                    samples=samples,
                    marks=RelabelMarks(database.sessions),
                    registry=lambda token: RegistryClient(registry, token),
                ),
                server_service("evaluator", revision, about),
            ],
            verifier=token_verifier(settings.tokens, registry),
            address=settings.listen,
            credentials=settings.tls.server_credentials(),
            observer=auditor,
            limits=settings.calls,
            readiness=operations.readiness,
            public=settings.public,
        )
    )
    return await about.join(process, server)


def _follow(
    process: Process, messaging: Messaging, database: Database, reports: Reports
) -> Sequence[Consumer]:
    """Handle the events of others in the background."""
    followed = consumers(messaging, database.sessions, reports)
    for name, consumer in followed.items():
        process.background(name, consumer.run)
    return list(followed.values())


def _sweep(
    process: Process,
    database: Database,
    store: ObjectStore,
    picture_store: PictureStore,
    dead_letter_days: int,
) -> None:
    """Delete old pictures, masks that no report names, and old dead letters, in the background."""

    async def sweep_pictures() -> None:
        await picture_store.sweep(await database.sessions.time())

    def sweep(name: str, once: Callable[[], Awaitable[object]]) -> None:
        process.background(name, every(_SWEEP_S, lambda: retry_transient(once, what=f"sweeping {name}")))

    sweep("old pictures", sweep_pictures)
    sweep("dead letters", lambda: prune(database.sessions, DEAD_LETTERS, dead_letter_days))
    sweep("orphans", Collector(database.sessions, store, FOLDERS).collect)


if __name__ == "__main__":
    run(main)
