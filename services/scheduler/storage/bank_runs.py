"""Trainings and versions that are still to be tested with question banks, and what became of that (P8)."""

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduler.domain.bank_run import BankRun, KeptBankRun, Refusal
from services.scheduler.domain.spec import BankRunDue
from services.scheduler.domain.task import TaskState
from services.scheduler.storage.tables import bank_runs, tasks

_ADD = sa.text(
    """
    INSERT INTO bank_runs_due (judged, task, production_environment, caller, create_time)
    VALUES (:judged, :task, :production_environment, :caller, clock_timestamp())
    ON CONFLICT DO NOTHING
    """
)
_DUE = sa.text(
    """
    SELECT judged, task, production_environment, caller FROM bank_runs_due
    ORDER BY create_time, judged LIMIT :limit
    """
)
_DONE = sa.text("DELETE FROM bank_runs_due WHERE judged = :judged")
# The first line stays, but for a refusal: a process that found the fault gone may have submitted meanwhile.
_KEEP = sa.text(
    """
    INSERT INTO bank_runs (question_bank, revision, judged, task, refusals, create_time)
    VALUES (:question_bank, :revision, :judged, :task, :refusals, clock_timestamp())
    ON CONFLICT (question_bank, judged) DO UPDATE
    SET revision = excluded.revision, task = excluded.task, refusals = excluded.refusals,
        create_time = excluded.create_time
    WHERE bank_runs.task IS NULL AND excluded.task IS NOT NULL
    """
).bindparams(sa.bindparam("refusals", type_=bank_runs.c.refusals.type))
_TESTED = sa.text("SELECT question_bank FROM bank_runs WHERE judged = :judged")
# Without those that left no report and will leave none unless somebody starts them again.
_REVISIONS = sa.text(
    """
    SELECT bank_runs.question_bank || '/revisions/' || bank_runs.revision
    FROM bank_runs JOIN tasks ON tasks.id = bank_runs.task
    WHERE bank_runs.judged = :judged AND tasks.state NOT IN ('FAILED', 'TERMINATED')
    """
)


class BankRuns:
    """What is due, and the runs that were submitted or refused."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, due: BankRunDue) -> None:
        """Insert a training or a version; a repetition changes nothing."""
        await self._session.execute(_ADD, asdict(due))

    async def due(self, limit: int) -> list[BankRunDue]:
        """The oldest ones."""
        return [BankRunDue(*row) for row in await self._session.execute(_DUE, {"limit": limit})]

    async def done(self, judged: str) -> None:
        """Remove a training or a version."""
        await self._session.execute(_DONE, {"judged": judged})

    async def keep(self, run: BankRun) -> None:
        """Insert what became of a run; a repetition changes nothing."""
        bank, _, revision = run.question_bank.partition("/revisions/")
        await self._session.execute(
            _KEEP,
            {
                "question_bank": bank,
                "revision": int(revision),
                "judged": run.judged,
                "task": run.task.removeprefix("tasks/") or None,
                "refusals": [asdict(one) for one in run.refusals],
            },
        )

    async def tested(self, judged: str) -> frozenset[str]:
        """The question banks whose run of a training or a version was submitted or refused."""
        return frozenset(await self._session.scalars(_TESTED, {"judged": judged}))

    async def revisions(self, training: str) -> frozenset[str]:
        """The revisions of question banks that a training is, or will be, judged over."""
        return frozenset(await self._session.scalars(_REVISIONS, {"judged": training}))

    async def page(self, bank: str, *, before: int | None, limit: int) -> list[KeptBankRun]:
        """The newest runs, of one bank if it is named; only those older than `before`."""
        training = tasks.alias("training")
        # Of a version this is no task's id.
        training_id = sa.func.substr(bank_runs.c.judged, len("tasks/") + 1)
        found = (
            sa.select(bank_runs, tasks.c.state, training.c.model_name, training.c.model_version)
            .outerjoin(tasks, tasks.c.id == bank_runs.c.task)
            .outerjoin(training, training.c.id == training_id)
            .order_by(bank_runs.c.id.desc())
            .limit(limit)
        )
        if bank:
            found = found.where(bank_runs.c.question_bank == bank)
        if before is not None:
            found = found.where(bank_runs.c.id < before)
        return [
            KeptBankRun(
                row.id,
                BankRun(
                    f"{row.question_bank}/revisions/{row.revision}",
                    row.judged,
                    f"tasks/{row.task}" if row.task else "",
                    tuple(Refusal(**one) for one in row.refusals),
                ),
                row.create_time,
                TaskState(row.state) if row.state else None,
                row.model_name or "",
                row.model_version or "",
            )
            for row in await self._session.execute(found)
        ]
