"""Dependencies of the use cases, and steps that several use cases share."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from loupe.translation import sentence
from sqlalchemy.ext.asyncio import AsyncSession

from services.caller import Caller
from services.kit import outbox
from services.kit.clock import timestamp
from services.kit.database import DatabaseSessions
from services.kit.disk import is_almost_full
from services.kit.signals import Signals
from services.scheduler.application.ids import new_id
from services.scheduler.application.registry_port import RegistryPort
from services.scheduler.domain.job import Job, JobKind, Network, taken_by
from services.scheduler.domain.spec import TrainingSpec
from services.scheduler.domain.task import Task, TaskKind, TaskTransition
from services.scheduler.settings import SchedulingSettings
from services.scheduler.storage.curves import Curves
from services.scheduler.storage.jobs import Jobs
from services.scheduler.storage.orphan_candidates import (
    CHECKPOINTS,
    CONTACT_SHEETS,
    SPLITS,
    WEIGHTS,
    OrphanCandidates,
    object_key,
)
from services.scheduler.storage.tasks import Tasks
from services.scheduler.wire import events

_FIRST_JOB = {
    TaskKind.TRAINING: JobKind.TRAIN,
    TaskKind.PREDICTION: JobKind.PREDICT,
    TaskKind.EXPORT: JobKind.PACKAGE,
}


class Links(Protocol):
    """The operation of the object store that use cases need."""

    def presign_get(
        self, key: str, *, expires_s: int, content_type: str, download_name: str | None = None
    ) -> str:
        """A link that reads the object without credentials."""
        ...


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Dependencies of the use cases; built once, in `__main__`."""

    sessions: DatabaseSessions
    signals: Signals
    registry: RegistryPort
    links: Links
    scheduling: SchedulingSettings

    @property
    def held_back(self) -> tuple[JobKind, ...]:
        """The kinds of which no job is granted now: trainings, while the disk is almost full (T4)."""
        return (JobKind.TRAIN,) if is_almost_full(self.scheduling.watched_folder) else ()


async def record_transition(
    session: AsyncSession, task: Task, transition: TaskTransition, releaser: str = ""
) -> None:
    """Write the transition to the task's history and to the outbox; a deletion only to the outbox."""
    if transition.to_state is not None:
        await Tasks(session).record(transition)
    outbox.add(session, events.state_subject(task), events.state_changed(task, transition, releaser))


async def log_to_user(session: AsyncSession, task: Task, now: datetime, *lines: str) -> None:
    """Append lines to the logs of the task's current attempt, which is locked (M6)."""
    segments = isinstance(task.spec, TrainingSpec) and task.spec.train_segmentation
    for network in Network if segments else (Network.CLASSIFICATION,):
        await Curves(session, task.id, task.attempt).append_lines(
            network, [f"{timestamp(now)} {line}" for line in lines]
        )


async def end_terminated(session: AsyncSession, before: Task, now: datetime, worker: str = "") -> Task:
    """The task as TERMINATED; history and log say who asked for it (M6)."""
    task, transition = before.terminated(now, worker)
    await Tasks(session).save(before, task)
    await log_to_user(session, task, now, *sentence("TERMINATED: {who} ended the task", who=transition.cause))
    await record_transition(session, task, transition)
    return task


async def queue_first_job(session: AsyncSession, task: Task, now: datetime) -> None:
    """Create the curves and queue the first job of a new attempt."""
    await Curves(session, task.id, task.attempt).open()
    await queue_job(session, task, _FIRST_JOB[task.kind], now)


async def start_again(session: AsyncSession, before: Task, caller: Caller, now: datetime) -> None:
    """Start a new attempt, from iteration 0, of a locked task."""
    task, transition = before.started(caller, now)
    await Tasks(session).save(before, task)
    await discard_results(session, before, await Jobs(session).all_of(task.id), now)
    await queue_first_job(session, task, now)
    await record_transition(session, task, transition)


async def queue_job(session: AsyncSession, task: Task, kind: JobKind, now: datetime) -> None:
    """Queue a job of the task's current attempt."""
    job = Job(
        id=new_id(now),
        task=task.id,
        attempt=task.attempt,
        kind=kind,
        compute_resource=task.spec.compute_resource,
        takes=taken_by(kind, task.takes, task.nodes),
        queue_time=now,
        available_time=now,
    )
    await Jobs(session).add(job, task)


async def discard_results(
    session: AsyncSession, task: Task, jobs: Iterable[Job], not_before: datetime
) -> None:
    """Have the collector check the objects that the task's current attempt stored."""
    keys = [object_key(CHECKPOINTS, job.checkpoint.sha256) for job in jobs if job.checkpoint]
    if task.weights_sha256:
        keys.append(object_key(WEIGHTS, task.weights_sha256))
    if task.split_sha256:
        keys.append(object_key(SPLITS, task.split_sha256))
    if task.contact_sheet_sha256:
        keys.append(object_key(CONTACT_SHEETS, task.contact_sheet_sha256))
    await OrphanCandidates(session).add(keys, not_before)


async def discard_checkpoint(session: AsyncSession, sha256: str, now: datetime, grace_s: float) -> None:
    """Have the collector check a superseded checkpoint after a grace: a worker may still be reading it."""
    not_before = now + timedelta(seconds=grace_s)
    await OrphanCandidates(session).add([object_key(CHECKPOINTS, sha256)], not_before)
