"""Failed calls in the audit log (A3): lines of their own at first, then one line with their count.

Anybody can make calls that fail, as many as the network carries. A line for each would fill the disk, and
hide the lines that somebody has to read.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable

from loupe.errors import LoupeError
from loupe.registry.v1.identity_pb2 import AuditEntry

from services.kit.auth import Principal
from services.kit.grpc_server import ServedCall
from services.kit.lifecycle import Process, every

_log = logging.getLogger(__name__)

INTERVAL_S = 60.0
OWN_LINES = 50
"""Lines in an interval for one user, or for one address of callers that are not known."""
ALL_OWN_LINES = 500
"""Lines in an interval for all of them."""
MAX_COUNTS = 1000
"""Lines with a count in an interval; a further user or address is counted with others."""

_SEVERAL = "several"
"""RPCs or addresses in one line."""
_LAST_RECORD_S = 2.0


class FailureCounter:
    """Decides which failed calls get a line of their own, and counts the others."""

    def __init__(self) -> None:
        self._own: Counter[tuple[str, str]] = Counter()
        self._counted: dict[tuple[str, str, str], Counter[str]] = {}
        self._due: deque[AuditEntry] = deque(maxlen=10 * MAX_COUNTS)

    def own_line(self, call: ServedCall) -> bool:
        """Whether the log has a line of this call; if not, it was counted."""
        if not _limited(call.principal) or call.code == "OK" or _may_have_changed(call):
            return True
        who = ("", call.address) if call.principal is None else (call.principal.name, "")
        if self._own[who] < OWN_LINES and self._own.total() < ALL_OWN_LINES:
            self._own[who] += 1
            return True
        key = (*who, call.code)
        if key not in self._counted and len(self._counted) >= MAX_COUNTS:
            key = ("", _SEVERAL, call.code)
        self._counted.setdefault(key, Counter())[call.method] += 1
        return False

    async def record(self, write: Callable[[AuditEntry], Awaitable[object]]) -> None:
        """End the interval and write its counts; those that cannot be written stay for the next time."""
        self._due.extend(self._take())
        while self._due:
            await write(self._due[0])
            self._due.popleft()

    def run(self, process: Process, write: Callable[[AuditEntry], Awaitable[object]]) -> None:
        """Write the counts at the end of every interval, and when the process stops."""

        async def last() -> None:
            try:
                async with asyncio.timeout(_LAST_RECORD_S):
                    await self.record(write)
            except (LoupeError, TimeoutError):
                _log.warning(
                    "counts of failed calls are not in the audit log", extra={"lines": len(self._due)}
                )

        process.on_stop(last)
        process.background("failed calls", every(INTERVAL_S, lambda: self.record(write)))

    def _take(self) -> list[AuditEntry]:
        taken = [
            AuditEntry(
                principal=principal,
                action=next(iter(methods)) if len(methods) == 1 else _SEVERAL,
                result=result,
                peer=address,
                resource=f"count={methods.total()}",
            )
            for (principal, address, result), methods in self._counted.items()
        ]
        self._own.clear()
        self._counted.clear()
        return taken


def _may_have_changed(call: ServedCall) -> bool:
    """Whether its caller gave up when the work had begun, which may be done."""
    return call.code == "CANCELLED" and call.principal is not None and call.request is not None


def _limited(principal: Principal | None) -> bool:
    """Whether the caller may be anybody: the installation's own processes are not."""
    return principal is None or not principal.role.of_process
