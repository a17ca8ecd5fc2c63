"""Composes a worker process: services differ in their handler and their child."""

import sys
from collections.abc import Sequence

from loupe.rpc.channel import connect

from services.audit import RegistryAuditor
from services.identity import token_verifier
from services.kit.clock import SystemClock
from services.kit.grpc_server import GrpcServer
from services.kit.lifecycle import Process
from services.kit.object_store import ObjectStore
from services.worker import server
from services.worker.handler import JobHandler
from services.worker.jobs import Jobs
from services.worker.settings import WorkerSettings
from services.worker.warm_child import WarmChild
from services.worker.worker import Worker


async def start(
    process: Process,
    settings: WorkerSettings,
    handler: JobHandler,
    child_module: str,
    *,
    arguments: Sequence[str] = (),
) -> Worker:
    """Open the parts of a worker and start it; it is drained when the process stops."""
    objects = await process.enter(ObjectStore(settings.objects))
    # Without the channel's retries: an AcquireJob that is sent twice leases two jobs.
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
        handler=handler,
        jobs=Jobs(scheduler, settings.announcement()),
        child=child,
        objects=objects,
        folder=settings.cache_dir / "workers" / settings.name,
        clock=clock,
        max_unreported_bytes=settings.max_unreported_bytes,
    )

    async def work() -> None:
        await worker.run()
        process.stop()  # drained: the supervisor decides whether to start another one

    process.background("child", child.run)
    process.background("worker", work)
    auditor = RegistryAuditor(registry)
    auditor.run(process)
    await process.enter(
        GrpcServer(
            [server.service(worker)],
            verifier=token_verifier(settings.service_token, registry),
            address=settings.listen,
            credentials=settings.tls.server_credentials(),
            observer=auditor,
            limits=settings.calls,
        )
    )
    process.on_stop(worker.drained)
    return worker
