"""The scheduler's JobService as a worker calls it: calls that carry a lease are repeated until answered."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from loupe.errors import (
    Aborted,
    DeadlineExceeded,
    Internal,
    LoupeError,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from loupe.scheduler.v1 import job_pb2, job_service_pb2
from loupe.scheduler.v1.job_service_pb2_grpc import JobServiceStub

from services.kit.retry import Backoff, retry_transient
from services.worker.outcomes import Outcome
from services.worker.report_buffer import Heartbeat

_CALL_TIMEOUT_S = 5.0
# A server that stops while it holds a long poll must not leave the worker waiting for ever.
_POLL_MARGIN_S = 5.0
# INTERNAL too: a scheduler whose database is away may answer with it. A lease that ran out ends the retries.
_RETRYABLE = (Unavailable, DeadlineExceeded, ResourceExhausted, Internal, Aborted)

_BACKOFF = Backoff(first_s=0.1, ceiling_s=1.0)

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
        self, kinds: Sequence[job_pb2.JobKind.ValueType], wait_s: float, *, starting: bool = False
    ) -> job_pb2.JobLease | None:
        """A job of one of these kinds; None if there was none within `wait_s`.

        `starting`: only say that this worker is there. A scheduler from before may answer with a job even so.
        """
        request = job_service_pb2.AcquireJobRequest(
            kinds=kinds, wait=Duration(seconds=int(wait_s)), starting=starting
        )
        request.MergeFrom(self._announcement)
        response = await self._stub.AcquireJob(request, timeout=wait_s + _POLL_MARGIN_S)
        # Not this machine's clock: another process of this name may run where the clock differs.
        if response.HasField("start_time"):
            self._announcement.start_time.CopyFrom(response.start_time)
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
    """The answer of the scheduler, however long it is away; LeaseLost if the lease ended."""
    try:
        return await retry_transient(call, what=what, backoff=_BACKOFF, retriable=_is_retriable)
    except LoupeError as error:
        if _says_lease_lost(error):
            raise LeaseLost(f"{what}: {error.message}") from error
        raise


def _says_lease_lost(error: LoupeError) -> bool:
    return error.reason == LeaseLost.reason or isinstance(error, NotFound)


def _is_retriable(error: LoupeError) -> bool:
    return isinstance(error, _RETRYABLE) and not _says_lease_lost(error)
