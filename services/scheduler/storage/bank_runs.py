"""Released versions that are still to be tested with question banks, and what became of the tests (P8)."""

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduler.domain.bank_run import BankRun, KeptBankRun, Refusal
from services.scheduler.domain.spec import BankRunDue
from services.scheduler.domain.task import TaskState
from services.scheduler.storage.tables import bank_runs, tasks

_ADD = sa.text(
    """
    INSERT INTO bank_runs_due (model_version, task, production_environment, releaser, create_time)
    VALUES (:model_version, :task, :production_environment, :releaser, clock_timestamp())
    ON CONFLICT DO NOTHING
    """
)
_DUE = sa.text(
    """
    SELECT model_version, task, production_environment, releaser FROM bank_runs_due
    ORDER BY create_time, model_version LIMIT :limit
    """
)
_DONE = sa.text("DELETE FROM bank_runs_due WHERE model_version = :model_version")
# The first line stays, but for a refusal: a process that found the fault gone may have submitted meanwhile.
_KEEP = sa.text(
    """
    INSERT INTO bank_runs (question_bank, revision, model_version, task, refusals, create_time)
    VALUES (:question_bank, :revision, :model_version, :task, :refusals, clock_timestamp())
    ON CONFLICT (question_bank, model_version) DO UPDATE
    SET revision = excluded.revision, task = excluded.task, refusals = excluded.refusals,
        create_time = excluded.create_time
    WHERE bank_runs.task IS NULL AND excluded.task IS NOT NULL
    """
).bindparams(sa.bindparam("refusals", type_=bank_runs.c.refusals.type))
_TESTED = sa.text("SELECT question_bank FROM bank_runs WHERE model_version = :model_version")


class BankRuns:
    """The versions that are due, and the runs that were submitted or refused."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, due: BankRunDue) -> None:
        """Insert a version; a repetition changes nothing."""
        await self._session.execute(
            _ADD,
            {
                "model_version": due.model_version,
                "task": due.task,
                "production_environment": due.production_environment,
                "releaser": due.releaser,
            },
        )

    async def due(self, limit: int) -> list[BankRunDue]:
        """The oldest ones."""
        return [BankRunDue(*row) for row in await self._session.execute(_DUE, {"limit": limit})]

    async def done(self, model_version: str) -> None:
        """Remove a version."""
        await self._session.execute(_DONE, {"model_version": model_version})

    async def keep(self, run: BankRun) -> None:
        """Insert what became of a run; a repetition changes nothing."""
        bank, _, revision = run.question_bank.partition("/revisions/")
        await self._session.execute(
            _KEEP,
            {
                "question_bank": bank,
                "revision": int(revision),
                "model_version": run.model_version,
                "task": run.task.removeprefix("tasks/") or None,
                "refusals": [asdict(one) for one in run.refusals],
            },
        )

    async def tested(self, model_version: str) -> frozenset[str]:
        """The question banks whose run of a version was submitted or refused."""
        found = await self._session.execute(_TESTED, {"model_version": model_version})
        return frozenset(found.scalars())

    async def page(self, bank: str, *, before: int | None, limit: int) -> list[KeptBankRun]:
        """The newest runs, of one bank if it is named; only those older than `before`."""
        found = (
            sa.select(bank_runs, tasks.c.state)
            .outerjoin(tasks, tasks.c.id == bank_runs.c.task)
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
                    row.model_version,
                    f"tasks/{row.task}" if row.task else "",
                    tuple(Refusal(**one) for one in row.refusals),
                ),
                row.create_time,
                TaskState(row.state) if row.state else None,
            )
            for row in await self._session.execute(found)
        ]
