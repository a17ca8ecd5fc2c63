"""Composes a worker process: services differ in their handler and their child."""

import logging
import sys
from collections.abc import Callable, Sequence

import grpc
from loupe.rpc.channel import connect

from services.audit import Auditor
from services.identity import peoples_verifier
from services.kit import child_confinement, machine
from services.kit.clock import SystemClock
from services.kit.grpc_server import GrpcServer
from services.kit.lifecycle import Process
from services.kit.object_store import ObjectStore
from services.kit.operations import Operations
from services.worker import server
from services.worker.gpus import watch_gpus
from services.worker.handler import JobHandler
from services.worker.jobs import Jobs
from services.worker.object_share import CONNECTIONS, ObjectShare
from services.worker.settings import ChildHostSettings, WorkerSettings
from services.worker.warm_child import Hosts, WarmChild
from services.worker.worker import Worker

_log = logging.getLogger(__name__)


async def start(  # noqa: PLR0913 -- what the workers differ in
    process: Process,
    settings: WorkerSettings,
    handler: JobHandler,
    child_module: str,
    *,
    kind: str,
    token: Callable[[], str],
    arguments: Sequence[str] = (),
    group: bool = False,
    hosts: Hosts | None = None,
) -> Worker:
    """Open the parts of a worker and start it; it is drained when the process stops.

    `kind` names the worker's process to monitoring; `token` gives what this kind of worker shows the servers.
    `group`: several processes train together, over connections of their own; with those of other `hosts`.
    """
    operations = await process.enter(Operations(settings.operations, kind, settings.tls))
    operations.watch_folder("cache", settings.cache_dir)
    watch_gpus(operations)
    objects = await process.enter(ObjectStore(settings.objects))
    # Without the channel's retries: an AcquireJob that is sent twice leases two jobs.
    credentials = settings.tls.channel_credentials()
    scheduler = await process.enter(
        connect(settings.scheduler_address, token, credentials=credentials, retries=False)
    )
    registry = await process.enter(connect(settings.registry_address, token, credentials=credentials))
    clock = SystemClock()
    cache = settings.cache_dir.absolute()  # the child has another working folder
    shared = await process.enter(ObjectStore(settings.objects, threads=CONNECTIONS))
    child = confined_child(
        settings, [child_module, *arguments], ObjectShare(shared), group=group, hosts=hosts
    )
    worker = Worker(
        name=settings.name,
        compute_resource=settings.compute_resource,
        handler=handler,
        jobs=Jobs(scheduler, settings.announcement()),
        child=child,
        objects=objects,
        folder=cache / "workers" / settings.name,
        clock=clock,
        max_unreported_bytes=settings.max_unreported_bytes,
        max_idle_s=settings.max_idle_s,
    )

    operations.readiness.require("child", child.require)
    if hosts is not None:
        operations.readiness.require("hosts", hosts.require)
    operations.readiness.require("consent", worker.require_consent)

    async def work() -> None:
        await worker.run()
        process.stop()  # drained or idle: the supervisor decides whether to start another one

    process.background("child", child.run)
    process.background("worker", work)
    await _serve(process, settings, worker, registry, operations)
    process.on_stop(worker.drained)
    return worker


async def _serve(
    process: Process,
    settings: WorkerSettings,
    worker: Worker,
    registry: grpc.aio.Channel,
    operations: Operations,
) -> None:
    """Answer operators, while the worker works."""
    auditor = Auditor.to_registry(registry)
    auditor.run(process)
    await process.enter(
        GrpcServer(
            [server.service(worker)],
            verifier=peoples_verifier(registry),
            address=settings.listen,
            credentials=settings.tls.server_credentials(),
            observer=auditor,
            limits=settings.calls,
            readiness=operations.readiness,
        )
    )


def confined_child(
    settings: ChildHostSettings,
    module_and_arguments: Sequence[str],
    share: ObjectShare,
    *,
    group: bool,
    hosts: Hosts | None = None,
) -> WarmChild:
    """A warm child that is kept from what its work does not need; the log tells what this kernel lacks."""
    _tell_what_does_not_hold()
    return WarmChild(
        # -P: the working folder is no place of modules.
        [sys.executable, "-P", "-m", child_confinement.__name__, *module_and_arguments],
        settings.child_environ(),
        scratch=settings.cache_dir.absolute() / "children" / settings.name,
        share=share,
        policy=lambda folder: settings.child_policy(folder, group=group),
        hosts=hosts,
    )


def _tell_what_does_not_hold() -> None:
    if lacking := child_confinement.MEASURES - child_confinement.measures():
        if child_confinement.FILES in lacking:
            child_confinement.hide()
        _log.warning(
            "this kernel cannot keep the child process, which reads files of strangers, from all that it "
            "should; docs/security.md says from what",
            extra={"not_kept_from": sorted(lacking)},
        )
    if not machine.ends_one_process_for_memory():
        _log.warning(
            "when the memory is used up, this worker ends together with its child, and nobody is told why; "
            "set singleProcessOOMKill of the kubelet, or the container's memory.oom.group to 0"
        )
