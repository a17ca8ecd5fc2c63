"""The scheduler as a worker sees it: it may be away for a while, and then it goes on where it was."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from loupe.errors import (
    Aborted,
    DeadlineExceeded,
    Internal,
    LoupeError,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from loupe.scheduler.v1.job_service_pb2_grpc import JobServiceStub

from services.kit.backoff import Backoff
from services.work import wire
from services.work.values import Announced, JobKind, Lease, LeaseLost, Outcome, Report, ReportAnswer

_log = logging.getLogger(__name__)

_CALL_TIMEOUT_S = 5.0
# A server that ends while it holds our long poll must not leave us waiting for ever.
_POLL_MARGIN_S = 5.0
# INTERNAL too: a scheduler whose database is away may say so that way. A lease that ran out ends the retries.
_WORTH_ANOTHER_TRY = (Unavailable, DeadlineExceeded, ResourceExhausted, Internal, Aborted)

T = TypeVar("T")


class Jobs:
    """JobService. Calls that carry a lease are repeated until they are answered; LeaseLost is an answer."""

    def __init__(self, channel: grpc.aio.Channel, announced: Announced) -> None:
        self._stub = JobServiceStub(channel)
        self._announced = announced

    async def acquire(self, kinds: tuple[JobKind, ...], wait_s: float) -> Lease | None:
        """A job of one of these kinds; None if there was none for `wait_s`, or nobody to ask."""
        request = wire.acquire_request(self._announced, kinds, wait_s)
        response = await self._stub.AcquireJob(request, timeout=wait_s + _POLL_MARGIN_S)
        return wire.lease_from(response.lease) if response.HasField("lease") else None

    async def report(self, lease: Lease, report: Report) -> ReportAnswer:
        """Store the report, however long it takes."""
        request = wire.report_request(lease, report)
        response = await _answered(
            f"report on {lease.job}", lambda: self._stub.ReportJob(request, timeout=_CALL_TIMEOUT_S)
        )
        return wire.answer_from(response)

    async def finish(self, lease: Lease, outcome: Outcome) -> None:
        """End the job, however long it takes."""
        request = wire.finish_request(lease, outcome)
        await _answered(
            f"finish of {lease.job}", lambda: self._stub.FinishJob(request, timeout=_CALL_TIMEOUT_S)
        )

    async def release(self, lease: Lease) -> None:
        """Give the job back for somebody else to go on with, however long it takes."""
        request = wire.release_request(lease)
        await _answered(
            f"release of {lease.job}", lambda: self._stub.ReleaseJob(request, timeout=_CALL_TIMEOUT_S)
        )


async def _answered(what: str, call: Callable[[], Awaitable[T]]) -> T:
    backoff = Backoff(first_s=0.1, ceiling_s=1.0)
    failures = 0
    while True:
        try:
            answer = await call()
        except LoupeError as error:
            if error.reason == LeaseLost.reason or isinstance(error, NotFound):
                raise LeaseLost(f"{what}: {error.message}") from error
            if not isinstance(error, _WORTH_ANOTHER_TRY):
                raise
            failures += 1
            if failures == 1:
                _log.warning(
                    "the scheduler does not answer",
                    extra={"call": what, "reason": error.reason, "error": error.message},
                )
            await asyncio.sleep(backoff.delay_s(failures))
        else:
            if failures:
                _log.info("the scheduler answers again", extra={"call": what, "failures": failures})
            return answer
