"""Waiting for what another process or task does."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

DEADLINE_S = 240.0
"""After this a wait counts as a hang. It is no measure of speed: busy cores may take fifty times as long."""


async def eventually(condition: Callable[[], object | Awaitable[object]]) -> None:
    """Return when the condition holds; TimeoutError when it never does."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            met = condition()
            if await met if inspect.isawaitable(met) else met:
                return
            await asyncio.sleep(0.01)
