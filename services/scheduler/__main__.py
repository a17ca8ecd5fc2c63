"""`python -m services.scheduler`: composes the scheduler and runs it."""

import os
from pathlib import Path

from loupe.rpc.channel import connect
from loupe.settings import load

from services.audit import Auditor
from services.identity import token_verifier
from services.kit import telemetry
from services.kit.checking import StorageCheck
from services.kit.clock_watch import watch_clock
from services.kit.database import Database
from services.kit.grpc_server import GrpcServer
from services.kit.lifecycle import Process, every, run
from services.kit.messaging import Messaging
from services.kit.object_store import ObjectStore
from services.kit.operations import Operations
from services.kit.outbox import Relay
from services.kit.retention import DEAD_LETTERS, prune
from services.kit.retry import retry_transient
from services.kit.server_service import About, server_service
from services.kit.signals import Signals
from services.scheduler import consumers
from services.scheduler.application.bank_runs import AutomaticRuns
from services.scheduler.application.collecting import CandidateCollector
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.application.keeping import Keeping
from services.scheduler.application.leases import Leases
from services.scheduler.application.queue_metrics import QueueMetrics
from services.scheduler.application.task_commands import TaskCommands
from services.scheduler.server.services import services
from services.scheduler.settings import Settings
from services.scheduler.storage import inventory
from services.scheduler.wire.registry import RegistryClient
from services.service_tokens import SCHEDULER

MIGRATIONS = Path(__file__).parent / "migrations"

_SWEEP_S = 1.0
_BANK_RUNS_S = 2.0
_GONE_WORKERS_S = 3600.0
_ORPHANS_S = 6 * 3600.0
_PRUNE_S = 3600.0


async def _events(process: Process, settings: Settings) -> Messaging:
    """NATS with the streams of the scheduler."""
    messaging = await process.enter(
        await retry_transient(
            lambda: Messaging.connect(settings.nats.url, name="scheduler", access=settings.nats.access),
            what="connecting to NATS",
        )
    )
    await retry_transient(
        lambda: consumers.ensure_streams(messaging, settings.streams, loss_bytes=settings.loss_stream_bytes),
        what="making streams",
    )
    return messaging


async def compose(process: Process, settings: Settings) -> GrpcServer:
    """Start everything that the scheduler consists of; the server listens when this returns."""
    operations = await process.enter(Operations(settings.operations, "scheduler", settings.tls))
    database = await process.enter(Database.of("scheduler", settings.database))
    revision = await retry_transient(lambda: database.migrate(MIGRATIONS), what="migration")
    await watch_clock(process, database.sessions, settings.clock)
    signals = await process.enter(Signals(settings.database.url))
    messaging = await _events(process, settings)
    objects = await process.enter(ObjectStore(settings.objects))
    registry = await process.enter(
        connect(
            settings.registry_address,
            settings.tokens.own(SCHEDULER),
            credentials=settings.tls.channel_credentials(),
        )
    )
    dependencies = Dependencies(
        sessions=database.sessions,
        signals=signals,
        registry=RegistryClient(registry),
        links=objects,
        scheduling=settings.scheduling,
    )
    relay = Relay(database, messaging, signals, stored_in=settings.streams.unflushed_folder)
    process.background("outbox relay", relay.run)
    released = consumers.released_consumer(messaging, database.sessions)
    process.background("releases", released.run)
    process.background("bank runs", every(_BANK_RUNS_S, AutomaticRuns(dependencies).run_due))
    process.background("sweeper", every(_SWEEP_S, Leases(dependencies).sweep))
    _collect(process, dependencies, objects)
    process.background("worker list", every(_GONE_WORKERS_S, TaskCommands(dependencies).delete_gone_workers))
    QueueMetrics(dependencies).watch(operations)
    _prune(process, database, settings)
    operations.watch_folder("data", settings.scheduling.watched_folder)
    check = StorageCheck(
        database.sessions, objects, messaging, objects=inventory.objects(), announced=inventory.announced()
    )
    about = About.watching(
        *(process, operations, database, messaging, revision),
        check=check,
        consumers=[released],
        publishes=consumers.STREAMS,
    )
    auditor = Auditor.to_registry(registry)
    auditor.run(process)
    server = await process.enter(
        GrpcServer(
            [*services(dependencies), server_service("scheduler", revision, about)],
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


def _collect(process: Process, dependencies: Dependencies, objects: ObjectStore) -> None:
    """Remove objects that nothing names any more, from time to time."""
    collector = CandidateCollector(dependencies, objects)
    process.background("collector", collector.run)
    process.background(
        "orphans",
        every(
            _ORPHANS_S,
            lambda: retry_transient(collector.find_orphans, what="finding orphans"),
        ),
    )


def _prune(process: Process, database: Database, settings: Settings) -> None:
    """Delete what is older than the operator keeps it."""
    keeping = Keeping(database.sessions)

    async def prune_all() -> None:
        await prune(database.sessions, DEAD_LETTERS, settings.retention.dead_letter_days)
        await keeping.cut_logs(settings.keeping.log_days)
        await keeping.thin_curves(settings.keeping.curve_days)

    process.background("retention", every(_PRUNE_S, lambda: retry_transient(prune_all, what="pruning")))


async def main(process: Process) -> None:
    """The process."""
    settings = load(Settings, os.environ)
    telemetry.configure("scheduler", settings.log_level)
    await compose(process, settings)


if __name__ == "__main__":
    run(main)
