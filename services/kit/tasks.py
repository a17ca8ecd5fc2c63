"""Ending asyncio tasks for certain."""

import asyncio
from typing import Any


async def end(*tasks: "asyncio.Future[Any]", patience_s: float = 5.0) -> None:
    """Cancel the tasks and return when all are done, whatever came of them.

    One cancellation may not do: before Python 3.12 `asyncio.wait_for` loses one that comes together with what
    it waited for, and the task goes on as if nobody had asked. Whatever a task does about its cancellation
    within `patience_s` is left alone.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=patience_s)
    await asyncio.gather(*tasks, return_exceptions=True)
