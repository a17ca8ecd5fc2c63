"""A job: one unit of leased work, with the lease's worker, end and fencing token (rules T5, T6)."""

import enum
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from loupe.errors import Aborted

from services.scheduler.domain.amounts import NOTHING, Amounts


class JobKind(enum.StrEnum):
    """The kinds of work."""

    TRAIN = "TRAIN"
    EVALUATE = "EVALUATE"
    PREDICT = "PREDICT"
    PACKAGE = "PACKAGE"


class JobState(enum.StrEnum):
    """QUEUED → LEASED; back to QUEUED if the lease is lost; DONE is final."""

    QUEUED = "QUEUED"
    LEASED = "LEASED"
    DONE = "DONE"


class Network(enum.StrEnum):
    """Networks in the order in which they are trained."""

    CLASSIFICATION = "CLASSIFICATION"
    SEGMENTATION = "SEGMENTATION"


# A job without checkpoints has advanced when it is further by this share than when it last advanced.
_ADVANCE = 0.1


class LeaseLost(Aborted):
    """The job is leased to another worker, done or deleted; the caller must stop working on it."""

    reason = "LEASE_LOST"


# The end of a lease that was revoked: another process took the name of its worker.
REVOKED = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A stored object from which the job can resume at `next_iteration` of `network`."""

    sha256: str
    network: Network
    next_iteration: int

    def is_after(self, other: "Checkpoint | None") -> bool:
        """Whether a job that resumes here has less to do than one that resumes there."""
        if other is None:
            return True
        order = tuple(Network)
        mine, theirs = order.index(self.network), order.index(other.network)
        return (mine, self.next_iteration) > (theirs, other.next_iteration)


def taken_by(kind: JobKind, takes: Amounts, nodes: int) -> Amounts:
    """What a job takes of all hosts, each of which has `takes`; only trainings are spread over several."""
    return takes.times(nodes) if kind is JobKind.TRAIN else takes


def has_advanced(reached: float, fraction: float) -> bool:
    """Whether a job without checkpoints is so much further that its recoveries are forgotten (T5).

    It starts from the beginning after each fault. So a step is required, of which there are ten: a job that
    dies a little later each time must not be taken up for ever.
    """
    return fraction >= reached + _ADVANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One unit of work of one attempt of a task."""

    id: str
    task: str
    attempt: int
    kind: JobKind
    compute_resource: str
    # Amounts that it takes of its worker while it is leased.
    takes: Amounts = NOTHING
    queue_time: datetime
    available_time: datetime
    state: JobState = JobState.QUEUED
    fencing_token: int = 0
    worker: str = ""
    lease_expire_time: datetime | None = None
    # Recoveries since the job last advanced (T5), and how far a job without checkpoints was then.
    recoveries: int = 0
    reached: float = 0.0
    checkpoint: Checkpoint | None = None
    # Fencing token and outcome of the last FinishJob, to recognise a repetition.
    finished_token: int = 0
    outcome: str = ""

    @property
    def name(self) -> str:
        """The resource name."""
        return f"jobs/{self.id}"

    def granted(self, worker: str, now: datetime, lease_s: float) -> "Job":
        """Leased to `worker`, under a larger fencing token than the leases of this job before."""
        if self.state is not JobState.QUEUED:
            raise LeaseLost(f"{self.name} is {self.state}", job=self.name)
        return replace(
            self,
            state=JobState.LEASED,
            worker=worker,
            fencing_token=self.fencing_token + 1,
            lease_expire_time=now + timedelta(seconds=lease_s),
        )

    def require_lease(self, fencing_token: int) -> None:
        """Raise LeaseLost unless this token holds the job. An expired one holds until the sweeper ends it."""
        if self.state is not JobState.LEASED or fencing_token != self.fencing_token:
            raise lease_lost(self.name, fencing_token)

    def was_finished_with(self, fencing_token: int, outcome: str) -> bool:
        """Whether this repeats a FinishJob that was applied already."""
        return fencing_token > 0 and self.finished_token == fencing_token and self.outcome == outcome

    def finished(self, outcome: str) -> "Job":
        """Done. No lease resumes from its checkpoint any more."""
        return replace(
            self,
            state=JobState.DONE,
            lease_expire_time=None,
            checkpoint=None,
            finished_token=self.fencing_token,
            outcome=outcome,
        )

    def must_answer_by(self, time: datetime) -> "Job":
        """Shorten the lease to `time`; the worker's next heartbeat prolongs it (T2)."""
        if self.lease_expire_time is None or self.lease_expire_time <= time:
            return self
        return replace(self, lease_expire_time=time)

    def handed_back(self, now: datetime) -> "Job":
        """Queued again by a draining worker."""
        return replace(self, state=JobState.QUEUED, lease_expire_time=None, available_time=now)

    def lost(self, now: datetime, delay_s: float = 0.0) -> "Job":
        """Queued again after an infrastructure fault, at its old position; available after `delay_s`."""
        return replace(
            self,
            state=JobState.QUEUED,
            lease_expire_time=None,
            recoveries=self.recoveries + 1,
            available_time=now + timedelta(seconds=delay_s),
        )

    def retry_delay_s(self) -> float:
        """How long a job waits after it reported an infrastructure fault: storage may recover meanwhile."""
        return float(min(30, 2**self.recoveries))


def lease_lost(job: str, fencing_token: int) -> LeaseLost:
    """The error for a write under an old fencing token."""
    return LeaseLost(
        f"{job} is no longer held under token {fencing_token}; stop working on it",
        job=job,
        fencing_token=fencing_token,
    )
