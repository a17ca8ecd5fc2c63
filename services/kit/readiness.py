"""Whether a process can do its work now: what it needs is asked each second, and the last answers are kept.

The gRPC health service and `/readyz` tell the same answers.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType

from loupe.errors import LoupeError

_log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[None]]
"""Returns if what it asks works; a LoupeError says why not."""

READY = "READY"
STARTING = "STARTING"
STOPPING = "STOPPING"
_PROCESS = "process"
_PATIENCE_S = 3.0


class Readiness:
    """The answers of one process: a name and `READY`, or the reason why not, for everything that it needs."""

    def __init__(self, *, pause_s: float = 1.0) -> None:
        self._pause_s = pause_s
        self._checks: dict[str, Check] = {}
        self._told: set[str] = set()
        self._states = {_PROCESS: STARTING}
        self._changed = asyncio.Event()

    @property
    def states(self) -> Mapping[str, str]:
        """What was answered last, by name; `process` is about the process itself."""
        return MappingProxyType(self._states)

    @property
    def ready(self) -> bool:
        """Whether everything needed works."""
        return all(state == READY for name, state in self._states.items() if name not in self._told)

    def require(self, name: str, check: Check) -> None:
        """Need what `check` asks."""
        self._checks[name] = check
        self._states[name] = STARTING

    def tell(self, name: str, check: Check) -> None:
        """Tell what `check` says, which is no condition."""
        self._told.add(name)
        self.require(name, check)

    async def begin(self) -> None:
        """The process serves; returns when everything was asked once."""
        await self._look({_PROCESS: READY})

    def end(self) -> None:
        """The process stops, or does not serve any more."""
        self._set({**self._states, _PROCESS: STOPPING})

    async def run(self) -> None:
        """Ask again and again; for `background`."""
        while True:
            await self._look({})
            await asyncio.sleep(self._pause_s)

    async def follow(self) -> AsyncIterator[bool]:
        """Whether the process is ready: now, and whenever that changes."""
        while True:
            changed, ready = self._changed, self.ready
            yield ready
            while self.ready == ready:
                await changed.wait()
                changed = self._changed

    async def _look(self, more: Mapping[str, str]) -> None:
        names = list(self._checks)
        answers = await asyncio.gather(*(_answer(name, self._checks[name]) for name in names))
        self._set({**self._states, **dict(zip(names, answers, strict=True)), **more})

    def _set(self, states: dict[str, str]) -> None:
        if states == self._states:
            return
        was_ready, self._states = self.ready, states
        self._changed.set()
        self._changed = asyncio.Event()
        if was_ready != self.ready:
            _log.log(
                logging.INFO if self.ready or states[_PROCESS] != READY else logging.WARNING,
                "ready" if self.ready else "not ready",
                extra={"states": dict(states)},
            )


async def _answer(name: str, check: Check) -> str:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await check()
    except LoupeError as error:
        return error.reason or error.status
    except TimeoutError:
        return "NO_ANSWER"
    except Exception:  # noqa: BLE001 -- the boundary: a check that fails says "not ready", and the log why
        _log.exception("what a process needs could not be asked", extra={"check": name})
        return "UNEXPECTED"
    return READY
