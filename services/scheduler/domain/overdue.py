"""When a lease that is over by PostgreSQL's clock is taken from its worker (T5).

A clock may step, and PostgreSQL or all schedulers may be away for longer than a lease lasts. Then leases of
living workers are over too, until their next heartbeats arrive. So a lease is taken away only if no heartbeat
prolonged it for a while by the monotonic clock of the process that looks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.scheduler.domain.job import REVOKED

# Longer than the pause between two heartbeats of a living worker, which is at most 2 s.
CONFIRMED_AFTER_S = 3.0


@dataclass(frozen=True, slots=True)
class OverdueLease:
    """A lease that is over, as it was when it was read."""

    job: str
    fencing_token: int
    expire_time: datetime
    # The user wants the task to end, so the lease may end at once (T2).
    terminating: bool

    @property
    def may_end_at_once(self) -> bool:
        """Whether nothing is lost if its worker is alive."""
        return self.terminating or self.expire_time == REVOKED


class OverdueLeases:
    """The overdue leases that one process saw, and since when."""

    def __init__(self) -> None:
        self._seen_since_s: dict[OverdueLease, float] = {}
        self._looked_at_s = -CONFIRMED_AFTER_S

    def ended(self, overdue: Iterable[OverdueLease], now_s: float) -> list[OverdueLease]:
        """Those that may be taken from their workers; `now_s` is of a monotonic clock.

        A lease that was prolonged in between is another one here, because its end changed.
        """
        if now_s - self._looked_at_s >= CONFIRMED_AFTER_S:
            # PostgreSQL or this process was away, so that no heartbeat may have been stored since then.
            self._seen_since_s = {}
        self._looked_at_s = now_s
        self._seen_since_s = {lease: self._seen_since_s.get(lease, now_s) for lease in overdue}
        return [
            lease
            for lease, since_s in self._seen_since_s.items()
            if lease.may_end_at_once or now_s - since_s >= CONFIRMED_AFTER_S
        ]
