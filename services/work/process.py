"""Puts a worker process together: what differs is its craft and its child."""

import sys
from collections.abc import Sequence

from loupe.rpc.channel import connect

from services.audit import RegistryAuditor
from services.identity import token_verifier
from services.kit.grpc_server import GrpcServer
from services.kit.object_store import ObjectStore
from services.kit.process import Process, SystemClock
from services.work import server
from services.work.child import WarmChild
from services.work.jobs import Jobs
from services.work.settings import WorkerSettings
from services.work.worker import Craft, Worker


async def start(
    process: Process,
    settings: WorkerSettings,
    craft: Craft,
    child_module: str,
    *,
    arguments: Sequence[str] = (),
) -> Worker:
    """Open everything that a worker consists of and let it work; it is drained when the process stops."""
    objects = await process.enter(ObjectStore(settings.objects))
    # No retries below ours: an AcquireJob that is sent twice leases two jobs.
    credentials, token = settings.tls.channel_credentials(), lambda: settings.service_token
    scheduler = await process.enter(
        connect(settings.scheduler_address, token, credentials=credentials, retries=False)
    )
    registry = await process.enter(connect(settings.registry_address, token, credentials=credentials))
    clock = SystemClock()
    child = WarmChild(
        [sys.executable, "-m", child_module, *arguments],
        settings.child_environ(),
        scratch=settings.cache_dir / "children" / settings.name,
    )
    worker = Worker(
        name=settings.name,
        compute_resource=settings.compute_resource,
        craft=craft,
        jobs=Jobs(scheduler, settings.announced(clock.now())),
        child=child,
        objects=objects,
        folder=settings.cache_dir / "workers" / settings.name,
        clock=clock,
        max_unreported_bytes=settings.max_unreported_bytes,
    )

    async def work() -> None:
        await worker.run()
        process.stop()  # drained: whoever supervises decides whether another one starts

    process.background("child", child.run)
    process.background("worker", work)
    await process.enter(
        GrpcServer(
            [server.service(worker)],
            verifier=token_verifier(settings.service_token, registry),
            address=settings.listen,
            credentials=settings.tls.server_credentials(),
            observer=RegistryAuditor(registry),
        )
    )
    process.on_stop(worker.drained)
    return worker
