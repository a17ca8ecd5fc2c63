"""Released versions that are still to be tested with question banks (P8)."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduler.domain.spec import BankRunDue

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


class BankRuns:
    """The versions that are due."""

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
