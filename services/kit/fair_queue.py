"""Slots for work that callers ask for, given out so that no caller holds up the others."""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairQueue:
    """A number of slots. Callers wait in queues of their own; whoever holds the fewest slots comes next.

    Of callers that hold equally many, the one that was served longest ago comes first. One caller never holds
    all slots: with work that takes long it would make the next caller wait for its end.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._most_per_caller = max(1, slots - 1)
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """No queue is empty."""
        self._turns = itertools.count(1)
        self._last_turn: dict[str, int] = {}
        """Of callers that hold a slot or wait for one."""

    @property
    def free(self) -> int:
        """How many slots nobody holds."""
        return self._free

    @asynccontextmanager
    async def slot(self, caller: str) -> AsyncIterator[None]:
        """A slot for the block, as soon as it is this caller's turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(turn)
        self._give_out()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(caller, turn)
            else:
                self._return(caller)  # the turn came in the same moment
            raise
        try:
            yield
        finally:
            self._return(caller)

    def _give_out(self) -> None:
        while self._free:
            able = [caller for caller in self._waiting if self._held[caller] < self._most_per_caller]
            if not able:
                return
            caller = min(able, key=lambda one: (self._held[one], self._last_turn.get(one, 0)))
            turn = self._waiting[caller].popleft()
            if not self._waiting[caller]:
                del self._waiting[caller]
            if not turn.done():
                turn.set_result(None)
                self._held[caller] += 1
                self._free -= 1
                self._last_turn[caller] = next(self._turns)

    def _leave(self, caller: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(caller, deque())
        if turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[caller]
        self._forget(caller)

    def _return(self, caller: str) -> None:
        self._held[caller] -= 1
        self._forget(caller)
        self._free += 1
        self._give_out()

    def _forget(self, caller: str) -> None:
        if not self._held[caller]:
            del self._held[caller]
            if caller not in self._waiting:
                self._last_turn.pop(caller, None)
