"""Cancelling asyncio tasks reliably."""

import asyncio
from typing import Any


async def end(*tasks: "asyncio.Future[Any]", patience_s: float = 5.0) -> None:
    """Cancel the tasks and return when all are done; their results and exceptions are ignored.

    One cancellation may not be enough: before Python 3.12 `asyncio.wait_for` loses a cancellation that
    arrives together with its result. A task that is not done after `patience_s` is cancelled again.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=patience_s)
    await asyncio.gather(*tasks, return_exceptions=True)
