"""The scheduler's callers, and the scheduler as a caller, each with a token of its own (A1 to A3)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from loupe.errors import PermissionDenied, Unauthenticated
from loupe.registry.v1 import identity_service_pb2
from loupe.rpc.channel import connect
from loupe.scheduler.v1 import job_pb2, job_service_pb2, task_service_pb2

from deploy.embedded import service_tokens
from gateway.contracts import all_services
from services.service_tokens import ServiceTokenSettings
from tests.integration.scheduler.conftest import Bench, Caller, Stack
from tests.support.tokens import token_of
from tests.support.waiting import eventually

TRAINER = "services/trainer"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module_service_environment(
    module_service_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """With tokens that only these tests rotate."""
    folder = tmp_path_factory.mktemp("service-tokens")
    service_tokens.create(folder)
    return {**module_service_environment, "LOUPE_SERVICE_TOKENS_DIR": str(folder)}


def tokens_of(stack: Stack) -> Path:
    return Path(stack.environment["LOUPE_SERVICE_TOKENS_DIR"])


def process(stack: Stack, name: str) -> Caller:
    """A process that shows the token that its file has at each call."""
    token = ServiceTokenSettings(folder=tokens_of(stack)).own(name)
    return Caller(
        f"services/{name}",
        connect(stack.registry_address, token, deadline_s=60),
        connect(stack.address, token, deadline_s=60),
    )


class Stream:
    """Calls that follow each other without a pause."""

    def __init__(self, call: Callable[[], Awaitable[object]]) -> None:
        self._call = call
        self._answers = 0
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await self._call()
            self._answers += 1

    async def renewed(self) -> None:
        """Return when a call has been answered that began after this one; raise what a call raised."""
        wanted = self._answers + 2
        await eventually(lambda: self.task.done() or self._answers >= wanted)
        if self.task.done():
            self.task.result()


async def test_a1_no_call_is_refused_while_tokens_are_rotated(bench: Bench) -> None:
    """A rotation that costs a training its lease, or a user an answer, is put off for ever."""
    stack = bench.stack
    trainer = process(stack, "trainer")
    first = {name: token_of(name, tokens_of(stack)) for name in ("trainer", "scheduler")}
    task = await bench.submit()
    held = await bench.worker.acquire()
    held.stub = trainer.jobs
    iteration = 0

    async def report() -> None:
        nonlocal iteration
        await held.points(iteration, [1.0])
        iteration += 1

    resource = await stack.new_resource()
    nothing_to_do = job_service_pb2.AcquireJobRequest(
        worker="workers/idle",
        kinds=[job_pb2.JOB_KIND_TRAIN],
        compute_resources=[resource],
        capacity=bench.worker.capacity,
    )
    checked = task_service_pb2.ValidateTaskRequest(task=bench.training())
    streams = [
        Stream(report),
        Stream(lambda: trainer.jobs.AcquireJob(nothing_to_do)),
        # The scheduler asks the registry, with its own token.
        Stream(lambda: bench.engineer.tasks.ValidateTask(checked)),
    ]
    try:
        for _ in range(5):
            service_tokens.rotate(tokens_of(stack))
            for stream in streams:
                await stream.renewed()
            assert len(service_tokens.retire(tokens_of(stack), at_once=True)) == 4
            for stream in streams:
                await stream.renewed()
    finally:
        for stream in streams:
            stream.task.cancel()
        ended = await asyncio.gather(*(stream.task for stream in streams), return_exceptions=True)
    assert [type(one) for one in ended] == [asyncio.CancelledError] * len(streams)
    await held.trained()
    assert (await bench.get(task)).attempt == 1
    for name, former in first.items():
        with pytest.raises(Unauthenticated):
            await stack.caller(name, former).jobs.AcquireJob(nothing_to_do)
        with pytest.raises(Unauthenticated):
            await stack.caller(name, former).identity.Authenticate(identity_service_pb2.AuthenticateRequest())


async def test_a2_a_worker_reaches_jobs_and_nothing_else_of_the_scheduler(stack: Stack) -> None:
    """Of what people can do with tasks, the process that decodes strangers' pictures needs nothing."""
    token = token_of("trainer", tokens_of(stack))
    admitted = set()
    async with connect(stack.address, lambda: token) as channel:
        for service in all_services():
            if not service.full_name.startswith(("loupe.scheduler.", "loupe.server.")):
                continue
            for method in service.methods:
                kind: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
                call = kind(f"/{service.full_name}/{method.name}")(b"")
                try:
                    await (anext(aiter(call)) if method.server_streaming else call)
                except PermissionDenied:
                    continue
                except Exception:  # noqa: BLE001 -- an empty request is no good; it was let in
                    admitted.add(method.name)
                else:
                    admitted.add(method.name)
    assert admitted == {"AcquireJob", "ReportJob", "FinishJob", "ReleaseJob"}


async def test_a3_what_processes_do_is_in_the_audit_log_by_their_names(bench: Bench) -> None:
    """The end of a job and the number of a release are deeds; heartbeats would bury them."""
    trainer = process(bench.stack, "trainer")
    await bench.submit()
    held = await bench.worker.acquire()
    held.stub = trainer.jobs
    await held.points(0, [1.0])
    await held.trained()
    await (await bench.worker.acquire()).reported()
    with pytest.raises(PermissionDenied):
        await trainer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name="tasks/t"))
    released = await bench.released()
    entries = (
        await bench.stack.admin.identity.ListAuditEntries(
            identity_service_pb2.ListAuditEntriesRequest(page_size=1000)
        )
    ).entries
    told = {(one.principal, one.action.rpartition("/")[2], one.result, one.reporter) for one in entries}
    assert (TRAINER, "FinishJob", "OK", "services/scheduler") in told
    assert (TRAINER, "DeleteTask", "PERMISSION_DENIED", "services/scheduler") in told
    assert ("services/scheduler", "CreateModelVersion", "OK", "") in told
    assert (bench.releaser.name, "ReleaseTask", "OK", "services/scheduler") in told
    assert not {"ReportJob", "AcquireJob"} & {action for _, action, result, _ in told if result == "OK"}
    finished = [one for one in entries if one.principal == TRAINER and one.action.endswith("FinishJob")]
    assert finished[0].resource == held.lease.job
    assert released.model_version
