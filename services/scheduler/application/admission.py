"""Waiting jobs to workers that ask, one decision after another (rules T5, T6, T8)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loupe.errors import LoupeError
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit import outbox
from services.scheduler.application.parts import Parts
from services.scheduler.domain.job import Job, JobKind, JobState, Network
from services.scheduler.domain.queue import Worker, WorkerReplaced
from services.scheduler.domain.task import Task
from services.scheduler.domain.work import Lease
from services.scheduler.storage.curves import Curves
from services.scheduler.storage.jobs import Jobs
from services.scheduler.storage.tasks import Tasks
from services.scheduler.storage.turns import Grant, KnownWorker, Turns
from services.scheduler.wire import events

# As many decisions as are worth one look at the queue and one commit.
_TOGETHER = 8
# Often enough for what a waiting task is told (T4), and seldom enough to cost who asks all the time nothing.
_SEEN_LATELY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, eq=False)
class _Ask:
    worker: Worker
    answer: "asyncio.Future[Lease | None]"


class Admission:
    """Decides for all who ask at a time together. Of several processes that decide at once, one is heard."""

    def __init__(self, parts: Parts, give_back: Callable[[str, int], Awaitable[None]]) -> None:
        self._parts = parts
        self._give_back = give_back
        self._asks: list[_Ask] = []
        self._deciding: asyncio.Task[None] | None = None

    async def ask(self, worker: Worker) -> Lease | None:
        """The job whose turn it is; None if there is none, or no room for it."""
        ask = _Ask(worker, asyncio.get_running_loop().create_future())
        self._asks.append(ask)
        if self._deciding is None or self._deciding.done():
            self._deciding = asyncio.create_task(self._decide_all())
        return await ask.answer

    async def _decide_all(self) -> None:
        while self._asks:
            asks = self._asks[:_TOGETHER]
            del self._asks[:_TOGETHER]
            try:
                while (leases := await self._decide(asks)) is None:
                    pass
            except Exception as error:  # noqa: BLE001 -- told to everyone who asked
                for ask in asks:
                    if not ask.answer.done():
                        ask.answer.set_exception(error)
                continue
            orphans = [lease.job for ask, lease in leases.items() if ask.answer.done()]
            for ask in asks:
                if not ask.answer.done():
                    ask.answer.set_result(leases.get(ask))
            for job in orphans:  # who asked is gone; if this fails, the lease runs out
                with contextlib.suppress(LoupeError):
                    await self._give_back(job.id, job.fencing_token)

    async def _decide(self, asks: Sequence[_Ask]) -> dict[_Ask, Lease] | None:
        """Who gets what; None if something was changed in between: look again."""
        now, settings = self._parts.clock.now(), self._parts.queue
        async with self._parts.sessions.begin() as session:
            turns = Turns(session)
            names = [ask.worker.name for ask in asks]
            turn, known = await turns.known(names)
            if await self._announce(turns, asks, known, now):
                turn, known = await turns.known(names)
            asks = [ask for ask in asks if not ask.answer.done()]
            held = {name: one.held for name, one in known.items()}
            queue = await turns.front([ask.worker for ask in asks], held, now, settings.aging_s)
            chosen = {
                waiting.job: (ask, waiting)
                for ask in asks
                if (waiting := queue.give_next(ask.worker)) is not None
            }
            if not chosen:
                return {}
            # The tasks before the jobs: whoever changes a job raises its task's revision.
            tasks = await Tasks(session).these([waiting.task for _, waiting in chosen.values()])
            jobs = await Jobs(session).these(chosen)
            if any(job_id not in jobs or jobs[job_id].state is not JobState.QUEUED for job_id in chosen):
                return None
            grants = [
                _granted(jobs[job_id], tasks[waiting.task], ask.worker, now, settings.lease_s)
                for job_id, (ask, waiting) in chosen.items()
            ]
            granted = await turns.grant(turn, grants, now)
            if granted is None:
                return None
            leases = {}
            for grant in grants:
                if grant.job.id in granted:
                    ask, _ = chosen[grant.job.id]
                    leases[ask] = Lease(grant.job, grant.task, settings.lease_s)
                    if grant.job.kind is JobKind.TRAIN and grant.job.fencing_token > 1:
                        await _cut_back(session, grant.job)
        return leases

    async def _announce(
        self, turns: Turns, asks: Sequence[_Ask], known: dict[str, KnownWorker], now: datetime
    ) -> bool:
        """Remember who asks; whether that was anything new."""
        news = False
        for ask in asks:
            worker, last = ask.worker, known[ask.worker.name]
            if last.announced is not None and last.announced.start_time > worker.start_time:
                ask.answer.set_exception(
                    WorkerReplaced(
                        f"another process took the name {worker.name} after this one had started; "
                        "give each worker a name of its own",
                        worker=worker.name,
                    )
                )
            elif last.announced != worker or last.last_seen is None or now - last.last_seen > _SEEN_LATELY:
                await turns.announce(worker, now)
                news = True
        return news


def _granted(job: Job, task: Task, worker: Worker, now: datetime, lease_s: float) -> Grant:
    after, transition = task.taken_up(worker.name, now)
    message = None
    if transition is not None:
        event = events.state_changed(after, transition, releaser="")
        message = outbox.announcement(events.state_subject(after), event)
    return Grant(job.granted(worker.name, now, lease_s), task, after, message)


async def _cut_back(session: AsyncSession, job: Job) -> None:
    """Forget the points that the next holder will make again, so that none is doubled."""
    curves = Curves(session, job.task, job.attempt)
    reached = False
    for network in Network:  # in the order in which they are trained
        if job.checkpoint is not None and network is job.checkpoint.network:
            await curves.truncate(network, job.checkpoint.next_iteration)
            reached = True
        elif job.checkpoint is None or reached:
            await curves.truncate(network, 0)
