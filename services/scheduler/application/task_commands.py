"""What users do with tasks: get, list, start, terminate, delete, release (rule T, R1)."""

import logging
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

from loupe.errors import LoupeError, NotFound
from sqlalchemy.ext.asyncio import AsyncSession

from services.caller import Caller
from services.kit.database import database_time
from services.kit.repeats import is_repeat
from services.scheduler.application.dependencies import (
    Dependencies,
    discard_results,
    end_terminated,
    record_transition,
    start_again,
)
from services.scheduler.application.queue_positions import QueuePositions
from services.scheduler.domain.job import JobState
from services.scheduler.domain.listing import AnyTask, ListedTask, TaskFilter, TaskView
from services.scheduler.domain.task import Task, TaskNotFound, TaskState, TaskTransition
from services.scheduler.domain.work import NonconformingSample
from services.scheduler.storage.curves import Curves
from services.scheduler.storage.jobs import Jobs
from services.scheduler.storage.orphan_candidates import CONTACT_SHEETS, object_key
from services.scheduler.storage.task_list import TaskList
from services.scheduler.storage.tasks import Tasks

_log = logging.getLogger(__name__)

# A live worker sends a heartbeat at least every 2 s. A dead worker's lease ends after this time, and the
# sweeper terminates the task within the 10 s of T2.
_ANSWER_WITHIN = timedelta(seconds=7)
_LINK_LIFE = timedelta(minutes=10)
_BATCH = 1000


class TaskCommands:
    """Use cases of TaskService besides creation and watching.

    A call that the client repeats because it got no answer answers as the first did, if that was carried out.
    """

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._positions = QueuePositions(dependencies)
        self._list = TaskList(dependencies.sessions)

    async def get(self, task_id: str) -> TaskView[Task]:
        """The task as it is now."""
        async with self._dependencies.sessions.reading() as session:
            task = await Tasks(session).get(task_id)
        (view,) = await self._views([task])
        return view

    async def page(
        self, wanted: TaskFilter, *, before: str, limit: int, training_with_bank: str = ""
    ) -> list[TaskView[ListedTask]]:
        """Tasks, newest first (T3); with a question bank trainings under way with its data paths (P7)."""
        if training_with_bank:
            data_paths = await self._dependencies.registry.bank_paths(training_with_bank)
            wanted = wanted.training_with(data_paths)
            if not wanted.states:
                return []
        return await self._views(await self._list.page(wanted, before=before, limit=limit))

    async def _views(self, tasks: list[AnyTask]) -> list[TaskView[AnyTask]]:
        positions = await self._positions.of([task.id for task in tasks if task.may_wait])
        return [TaskView(task, positions.get(task.id)) for task in tasks]

    async def start(self, task_id: str, etag: str, caller: Caller) -> TaskView[Task]:
        """Start a new attempt, from iteration 0."""
        async with self._dependencies.sessions.begin() as session:
            before = await Tasks(session).lock(task_id)
            if not await _was_carried_out(session, before, TaskState.WAITING, caller):
                before.require_etag(etag)
                await start_again(session, before, caller, await database_time(session))
        return await self.get(task_id)

    async def terminate(self, task_id: str, etag: str, caller: Caller) -> TaskView[Task]:
        """Ask the worker to stop; without a worker the task is terminated at once (T2)."""
        async with self._dependencies.sessions.begin() as session:
            before = await Tasks(session).lock(task_id)
            if not (is_repeat() and (before.terminating or before.state is TaskState.TERMINATED)):
                before.require_etag(etag)
                await _terminate(session, before, caller)
        return await self.get(task_id)

    async def delete(self, task_id: str, etag: str, caller: Caller) -> None:
        """Delete the task with its curves, logs and jobs; the collector deletes its objects (T7)."""
        async with self._dependencies.sessions.begin() as session:
            try:
                task = await Tasks(session).lock(task_id)
            except TaskNotFound:
                if is_repeat():
                    return
                raise
            now = await database_time(session)
            task.require_etag(etag)
            transition = task.deleted(caller, now)
            await discard_results(session, task, await Jobs(session).all_of(task_id), now)
            await Tasks(session).remove(task)
            await record_transition(session, task, transition)

    async def release(self, task_id: str, etag: str, caller: Caller) -> TaskView[Task]:
        """Release the task, then have the registry number it; if that fails, the event does it later (R1)."""
        async with self._dependencies.sessions.begin() as session:
            before = await Tasks(session).lock(task_id)
            released = None
            if not await _was_carried_out(session, before, TaskState.RELEASED, caller):
                before.require_etag(etag)
                released, transition = before.released(caller, await database_time(session))
                await Tasks(session).save(before, released)
                await record_transition(session, released, transition, releaser=caller.name)
        if released is not None:
            await self._number(released, caller)
        return await self.get(task_id)

    async def _number(self, task: Task, caller: Caller) -> None:
        try:
            version = await self._dependencies.registry.number(task, caller.name)
            await self.numbered(task.id, version)
        except LoupeError as error:
            # The task stays released: the registry consumes its event, and the number comes back as an event.
            _log.warning(
                "released, not numbered yet",
                extra={"task": task.name, "reason": error.reason, "error": error.message},
            )

    async def numbered(self, task_id: str, version: str) -> None:
        """Store the model version of a released task."""
        async with self._dependencies.sessions.begin() as session:
            before = await Tasks(session).lock(task_id)
            task = before.numbered(version)
            if task is not before:
                await Tasks(session).save(before, task)

    async def history(self, task_id: str) -> list[TaskTransition]:
        """Every transition of the task."""
        async with self._dependencies.sessions.begin() as session:
            await Tasks(session).get(task_id)
            return await Tasks(session).history(task_id)

    async def nonconforming(
        self, task_id: str, attempt: int, after: tuple[str, ...] | None, limit: int
    ) -> list[NonconformingSample]:
        """Samples that an attempt set aside; attempt 0 is the current one."""
        async with self._dependencies.sessions.begin() as session:
            task = await Tasks(session).get(task_id)
            return await Curves(session, task.id, task.attempt_of(attempt)).nonconforming(after, limit)

    async def all_nonconforming(
        self, task_id: str, attempt: int
    ) -> AsyncGenerator[list[NonconformingSample], None]:
        """All of them, in batches of which the last one may be empty."""
        after = None
        while True:
            batch = await self.nonconforming(task_id, attempt, after, _BATCH)
            yield batch
            if len(batch) < _BATCH:
                return
            after = (batch[-1].data_path, batch[-1].file)

    async def link_contact_sheet(self, task_id: str) -> tuple[str, datetime]:
        """A link to the contact sheet of the current attempt, and when the link expires (M1, W10)."""
        async with self._dependencies.sessions.begin() as session:
            task = await Tasks(session).get(task_id)
            now = await database_time(session)
        if not task.contact_sheet_sha256:
            raise NotFound(
                f"{task.name} has no contact sheet: there is one once a training with augmentations has "
                "passed its stage AUGMENTATION",
                reason="NO_CONTACT_SHEET",
                task=task.name,
            )
        url = self._dependencies.links.presign_get(
            object_key(CONTACT_SHEETS, task.contact_sheet_sha256),
            expires_s=int(_LINK_LIFE.total_seconds()),
            content_type="image/jpeg",
        )
        return url, now + _LINK_LIFE

    async def delete_gone_workers(self) -> None:
        """Delete workers that have not asked for a job for a day; that one is drained is kept."""
        async with self._dependencies.sessions.begin() as session:
            await Jobs(session).delete_gone_workers(await database_time(session) - timedelta(days=1))


async def _terminate(session: AsyncSession, before: Task, caller: Caller) -> None:
    now = await database_time(session)
    task, request = before.termination_requested(caller, now)
    job = await Jobs(session).open_of(task.id)
    await Tasks(session).save(before, task)
    # In the history only: the event follows when the state changes.
    await Tasks(session).record(request)
    if job is None or job.state is JobState.QUEUED:
        if job is not None:
            await discard_results(session, task, [job], now)
            await Jobs(session).save(job.finished("terminated"))
        await end_terminated(session, task, now)
    else:
        await Jobs(session).save(job.must_answer_by(now + _ANSWER_WITHIN))


async def _was_carried_out(session: AsyncSession, task: Task, to: TaskState, caller: Caller) -> bool:
    """Whether this call repeats one of the same caller that brought the task into its state."""
    if not is_repeat() or task.state is not to:
        return False
    last = (await Tasks(session).history(task.id))[-1]
    return (last.to_state, last.cause) == (to, caller.name)
