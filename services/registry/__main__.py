"""`python -m services.registry`: migrate, seed, serve."""

import os
from datetime import timedelta
from pathlib import Path

from loupe.settings import SettingsError, load
from loupe.signatures import BadKey, PublicKeys

from services.audit import Auditor
from services.kit import telemetry
from services.kit.auth import ServiceTokenVerifier
from services.kit.checking import StorageCheck
from services.kit.clock_watch import watch_clock
from services.kit.database import Database
from services.kit.grpc_server import GrpcServer
from services.kit.lifecycle import Process, every, run
from services.kit.messaging import Messaging
from services.kit.object_store import ObjectStore
from services.kit.operations import Operations
from services.kit.orphans import Collector
from services.kit.outbox import Relay
from services.kit.retention import DEAD_LETTERS, prune
from services.kit.retry import retry_transient
from services.kit.server_service import About, server_service
from services.kit.signals import Signals
from services.registry import seeds
from services.registry.application.collecting import FOLDERS, forget_uploads
from services.registry.application.data_bin import DataBin
from services.registry.application.datasets import DataCatalogue
from services.registry.application.identity import Accounts, StoredTokens
from services.registry.application.images import ImageCatalogue
from services.registry.application.import_reports import ImportReportLibrary
from services.registry.application.inspection import Inspector
from services.registry.application.master_data import MasterData
from services.registry.application.models import ModelCatalogue
from services.registry.application.overlap import Overlaps
from services.registry.application.question_banks import BankCatalogue
from services.registry.application.sessions import LogIns, SlowHash
from services.registry.application.storage_quotas import Quotas
from services.registry.consumers import MODELS_STREAM, ensure_streams, release_consumer
from services.registry.server.services import services
from services.registry.settings import Settings
from services.registry.storage import inventory
from services.registry.storage.identity import AUDIT_ENTRIES
from services.registry.wire.identity import audit_in
from services.vision.decoders import Decoders

SCHEMA = "registry"
_COLLECT_S = 6 * 3600.0
_PRUNE_S = 3600.0
MIGRATIONS = Path(__file__).parent / "migrations"


async def main(process: Process) -> None:
    """The composition of the registry."""
    settings = load(Settings, os.environ)
    telemetry.configure(SCHEMA, settings.log_level)
    await serve(process, settings)


async def serve(process: Process, settings: Settings) -> GrpcServer:
    """Open all resources in order; the server is last, so that SERVING means that all of them work."""
    signing_keys = _public_keys(settings.signing_public_keys)
    operations = await process.enter(Operations(settings.operations, SCHEMA, settings.tls))
    database = await process.enter(Database.of(SCHEMA, settings.database))
    revision = await retry_transient(lambda: database.migrate(MIGRATIONS), what="migrating")
    await watch_clock(process, database.sessions, settings.clock)
    await _plant(database, settings.bootstrap_admin_token)
    store = await process.enter(ObjectStore(settings.objects))
    await retry_transient(store.ensure_bucket, what="looking for the bucket")
    decoders = await process.enter(Decoders("services.registry.decoder", settings.decoders))
    inspector = await process.enter(Inspector(settings.objects, decoders))
    messaging = await _events(process, settings)
    signals = await process.enter(Signals(settings.database.url))
    relay = Relay(database, messaging, signals, stored_in=settings.streams.unflushed_folder)
    process.background("outbox relay", relay.run)
    data = DataCatalogue(database.sessions, store, inspector)
    data_bin = DataBin(database.sessions, timedelta(days=settings.data_bin_days))
    _collect(process, database, store, data_bin)
    _prune(process, database, settings)
    released = release_consumer(messaging, database.sessions)
    process.background("release consumer", released.run)
    about = About.watching(
        *(process, operations, database, messaging, revision),
        check=_check(database, store, messaging),
        consumers=[released],
        publishes=[MODELS_STREAM],
        backup_record=settings.backup_record.path,
    )
    accounts = Accounts(database.sessions)
    verifier = ServiceTokenVerifier(settings.tokens.accepted(), StoredTokens(database.sessions))
    auditor = _auditor(process, accounts)
    catalogues = services(
        images=ImageCatalogue(database.sessions),
        data=data,
        data_bin=data_bin,
        import_reports=ImportReportLibrary(database.sessions),
        banks=BankCatalogue(database.sessions, data),
        master_data=MasterData(database.sessions),
        models=ModelCatalogue(database.sessions, store),
        overlaps=Overlaps(database.sessions, store),
        quotas=Quotas(database.sessions),
        signing_keys=signing_keys,
        accounts=accounts,
        log_ins=LogIns(database.sessions, SlowHash(settings.password_memory_kib)),
        verifier=verifier,
    )
    server = await process.enter(
        GrpcServer(
            [*catalogues, server_service(SCHEMA, revision, about)],
            verifier=verifier,
            address=settings.listen,
            credentials=settings.tls.server_credentials(),
            observer=auditor,
            limits=settings.calls,
            readiness=operations.readiness,
            public=settings.public,
        )
    )
    return await about.join(process, server)


async def _events(process: Process, settings: Settings) -> Messaging:
    """NATS with the streams of the registry."""
    messaging = await process.enter(
        await Messaging.connect(settings.nats.url, name=SCHEMA, access=settings.nats.access)
    )
    await retry_transient(lambda: ensure_streams(messaging, settings.streams), what="making streams")
    return messaging


def _auditor(process: Process, accounts: Accounts) -> Auditor:
    auditor = Auditor(lambda entry: accounts.record(audit_in(entry, reporter="")))
    auditor.run(process)
    return auditor


def _check(database: Database, store: ObjectStore, messaging: Messaging) -> StorageCheck:
    return StorageCheck(
        database.sessions, store, messaging, objects=inventory.objects(), announced=inventory.announced()
    )


async def _plant(database: Database, admin_token: str | None) -> None:
    """The rows of a new installation."""
    async with database.sessions.begin() as session:
        await seeds.plant(session)
        if admin_token is not None:
            await seeds.bootstrap_admin(session, admin_token)


def _collect(process: Process, database: Database, store: ObjectStore, data_bin: DataBin) -> None:
    """Remove what nothing needs any more, from time to time."""
    collector = Collector(database.sessions, store, FOLDERS)

    async def collect() -> None:
        await retry_transient(data_bin.purge_overdue, what="purging deleted data paths")
        await retry_transient(collector.collect, what="collecting orphans")
        await retry_transient(lambda: forget_uploads(database.sessions), what="forgetting uploads")

    process.background("collection", every(_COLLECT_S, collect))


def _prune(process: Process, database: Database, settings: Settings) -> None:
    """Delete what is older than the operator keeps it."""

    async def prune_all() -> None:
        await prune(database.sessions, DEAD_LETTERS, settings.retention.dead_letter_days)
        await prune(database.sessions, AUDIT_ENTRIES, settings.audit_keep_days)

    process.background("retention", every(_PRUNE_S, lambda: retry_transient(prune_all, what="pruning")))


def _public_keys(path: Path | None) -> PublicKeys:
    """The keys that packages are known by; SettingsError where the file cannot be used."""
    try:
        return PublicKeys.read(path) if path else PublicKeys([])
    except (BadKey, OSError) as error:
        raise SettingsError((f"LOUPE_SIGNING_PUBLIC_KEYS: {error}",)) from error


if __name__ == "__main__":
    run(main)
