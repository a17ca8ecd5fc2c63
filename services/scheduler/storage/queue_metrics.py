"""The figures of the queue for monitoring, in two statements."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduler.storage.jobs import PRESENT_WORKERS, WORKER_SILENCE_LIMIT

# A job that was taken up again waits from then on, as elsewhere (T4).
_JOBS = sa.text(
    """
    SELECT j.compute_resource, j.kind,
        count(*) FILTER (WHERE j.state = 'QUEUED') AS waiting,
        count(*) FILTER (WHERE j.state = 'LEASED') AS running,
        coalesce(extract(epoch FROM clock_timestamp() - min(
            CASE WHEN j.recoveries > 0 THEN j.available_time ELSE j.queue_time END
        ) FILTER (WHERE j.state = 'QUEUED')), 0) AS oldest_waiting_s,
        coalesce(extract(epoch FROM clock_timestamp() - min(j.lease_expire_time)
            FILTER (WHERE j.state = 'LEASED')), 0) AS since_oldest_expiry_s
    FROM jobs j WHERE j.state IN ('QUEUED', 'LEASED') GROUP BY 1, 2
    """
)

_WORKERS = sa.text(
    f"""
    WITH {PRESENT_WORKERS}
    SELECT resource, kind, (
        SELECT count(*) FROM present w
        WHERE resource = ANY(w.compute_resources) AND kind = ANY(w.kinds) AND w.drain_time IS NULL) AS present
    FROM (
        SELECT DISTINCT unnest(compute_resources) AS resource FROM workers
    ) known CROSS JOIN unnest(:kinds) AS kind
    """  # noqa: S608 -- of constants
).bindparams(
    sa.bindparam("silence_limit", WORKER_SILENCE_LIMIT, sa.Interval),
    sa.bindparam("kinds", type_=sa.ARRAY(sa.Text)),
)


async def job_figures(session: AsyncSession) -> Sequence[sa.Row[Any]]:
    """By compute resource and kind: jobs that wait and run; ages in seconds."""
    return (await session.execute(_JOBS)).all()


async def worker_figures(session: AsyncSession, kinds: Sequence[str]) -> Sequence[sa.Row[Any]]:
    """By compute resource of any worker, and kind: how many workers are present and not drained (T4)."""
    return (await session.execute(_WORKERS, {"kinds": list(kinds)})).all()
