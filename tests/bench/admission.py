"""Measures how fast waiting tasks are given out, and if in turn: `python -m tests.bench admission`.

10,000 tasks of 50 users on 8 trainers of two resources, every decision held against T8. Beside it, on the
same server in the same run, what PostgreSQL does at best with a bare `UPDATE … SKIP LOCKED` that is fair to
nobody: in one loop, as decisions are one after another too, and in eight.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg

from deploy.embedded.servers import EmbeddedServers
from services.kit.database import Database
from services.kit.signals import Signals
from services.scheduler.__main__ import MIGRATIONS
from tests.support.simulation import Simulation, figures

TASKS = 10_000
_USERS = 50
_LOOPS = 8
_BARE = """
    UPDATE bare SET state = 'LEASED', worker = $1 WHERE id = (
        SELECT id FROM bare WHERE state = 'QUEUED' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING id
"""


def measure(tasks: int = TASKS) -> dict[str, Any]:
    """On embedded servers of its own, as durable as in production."""
    return asyncio.run(_measure(tasks))


async def _measure(tasks: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as folder:
        async with EmbeddedServers(Path(folder)) as servers:
            url = await servers.postgres.create_database("admission")
            alone = await _bare_per_s(url, tasks, loops=1)
            before = await _bare_per_s(url, tasks)
            async with Database(url, "scheduler") as database, Signals(url) as signals:
                await database.migrate(MIGRATIONS)
                simulation = Simulation(database, signals)
                await simulation.submit(tasks, _USERS)
                outcome = await simulation.run()
            after = await _bare_per_s(url, tasks)
    bare = (before + after) / 2
    return {
        **figures(outcome),
        "bare UPDATE … SKIP LOCKED, one loop, /s": round(alone),
        "bare UPDATE … SKIP LOCKED, eight loops, /s": round(bare),
        "admissions as a ratio to one loop": round(outcome.admissions / outcome.asking_s / alone, 3),
        "admissions as a ratio to eight loops": round(outcome.admissions / outcome.asking_s / bare, 3),
    }


async def _bare_per_s(url: str, rows: int, loops: int = _LOOPS) -> float:
    """Before and after, because the machine is shared."""
    pool = await asyncpg.create_pool(url.replace("postgresql+asyncpg", "postgresql"), min_size=_LOOPS)
    try:
        await pool.execute("CREATE TABLE bare (id bigint PRIMARY KEY, state text, worker text)")
        await pool.execute("CREATE INDEX bare_queued ON bare (id) WHERE state = 'QUEUED'")
        await pool.execute("INSERT INTO bare SELECT n, 'QUEUED', '' FROM generate_series(1, $1) n", rows)
        started_s = time.monotonic()

        async def loop(worker: str) -> None:
            while await pool.fetchval(_BARE, worker) is not None:
                pass

        await asyncio.gather(*(loop(f"w{number}") for number in range(loops)))
        return rows / (time.monotonic() - started_s)
    finally:
        await pool.execute("DROP TABLE bare")
        await pool.close()
