"""The scheduler's JobService as a worker calls it: calls that carry a lease are repeated until answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from loupe.scheduler.v1 import job_pb2, job_service_pb2
from loupe.scheduler.v1.job_service_pb2_grpc import JobServiceStub

from services.kit.backoff import Backoff
from services.kit.errors import (
    Aborted,
    DeadlineExceeded,
    Internal,
    LoupeError,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from services.worker.outcomes import Outcome
from services.worker.report_buffer import Heartbeat

_log = logging.getLogger(__name__)

_CALL_TIMEOUT_S = 5.0
# A server that stops while it holds a long poll must not leave the worker waiting for ever.
_POLL_MARGIN_S = 5.0
# INTERNAL too: a scheduler whose database is away may answer with it. A lease that ran out ends the retries.
_RETRYABLE = (Unavailable, DeadlineExceeded, ResourceExhausted, Internal, Aborted)

T = TypeVar("T")


class LeaseLost(Aborted):
    """The job was given away, or ended: nothing that this worker reports of it has an effect (T6)."""

    reason = "LEASE_LOST"


class Jobs:
    """Client of JobService. LeaseLost is an answer and is not retried."""

    def __init__(self, channel: grpc.aio.Channel, announcement: job_service_pb2.AcquireJobRequest) -> None:
        """`announcement` says what this worker is and has; `kinds` and `wait` are set at each call."""
        self._stub = JobServiceStub(channel)
        self._announcement = announcement

    async def acquire(
        self, kinds: Sequence[job_pb2.JobKind.ValueType], wait_s: float
    ) -> job_pb2.JobLease | None:
        """A job of one of these kinds; None if there was none within `wait_s`."""
        request = job_service_pb2.AcquireJobRequest(kinds=kinds, wait=Duration(seconds=int(wait_s)))
        request.MergeFrom(self._announcement)
        response = await self._stub.AcquireJob(request, timeout=wait_s + _POLL_MARGIN_S)
        return response.lease if response.HasField("lease") else None

    async def report(
        self, lease: job_pb2.JobLease, heartbeat: Heartbeat
    ) -> job_service_pb2.ReportJobResponse:
        """Send a heartbeat; retries until it is answered."""
        heartbeat.job, heartbeat.fencing_token = lease.job, lease.fencing_token
        return await _answered(
            f"report on {lease.job}", lambda: self._stub.ReportJob(heartbeat, timeout=_CALL_TIMEOUT_S)
        )

    async def finish(self, lease: job_pb2.JobLease, outcome: Outcome) -> None:
        """End the job; retries until it is answered."""
        outcome.job, outcome.fencing_token = lease.job, lease.fencing_token
        await _answered(
            f"finish of {lease.job}", lambda: self._stub.FinishJob(outcome, timeout=_CALL_TIMEOUT_S)
        )

    async def release(self, lease: job_pb2.JobLease) -> None:
        """Give the job back for another worker to resume; retries until it is answered."""
        request = job_service_pb2.ReleaseJobRequest(job=lease.job, fencing_token=lease.fencing_token)
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
            if not isinstance(error, _RETRYABLE):
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
