"""What a service's worker adds to the common one: which jobs it takes, and how their results are stored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from loupe.scheduler.v1 import job_pb2
from loupe.worker.v1 import event_pb2, order_pb2

from services.worker.held_job import HeldJob
from services.worker.outcomes import Outcome


class JobRun(Protocol):
    """One job in a handler's hands."""

    @property
    def order(self) -> order_pb2.Order:
        """The order for the child."""
        ...

    async def prepare(self) -> None:
        """Do what the child must not do itself, before it gets the order."""
        ...

    async def add_sample_results(self, batch: bytes, job: HeldJob) -> None:
        """Keep the results of an event until their report is sent. ValueError if such a job has none."""
        ...

    async def conclude(self, event: event_pb2.Event, job: HeldJob) -> Outcome:
        """Store what the child finished; the outcome names only what is stored."""
        ...


class JobHandler(Protocol):
    """Handles some kinds of jobs."""

    @property
    def kinds(self) -> Sequence[job_pb2.JobKind.ValueType]:
        """The kinds of jobs that it takes."""
        ...

    def start(self, lease: job_pb2.JobLease, folder: Path) -> JobRun:
        """Prepare a job. `folder` is its own and is deleted at its end. ValueError if it cannot be read."""
        ...
