"""How many connections one address may have, and how many that have not said what they want."""

from collections import Counter
from collections.abc import Callable, Iterable

from services.kit.limits import TrustedProxies, network_of


class Connections:
    """The connections of all addresses. Those of trusted proxies are not limited: many callers share them."""

    def __init__(self, per_address: int, pending_per_address: int, proxies: Iterable[str]) -> None:
        self._per_address = per_address
        self._pending_per_address = pending_per_address
        self._proxies = TrustedProxies(proxies)
        self._open: Counter[str] = Counter()
        # By address, in the order of their beginning: how each is closed.
        self._pending: dict[str, dict[object, Callable[[], None]]] = {}

    @property
    def per_address(self) -> int:
        """The most of one address."""
        return self._per_address

    def holder(self, host: str | None) -> str | None:
        """Under what a connection from `host` is counted; None: it is not."""
        return None if host is None or host in self._proxies else network_of(host)

    def open(self, holder: str) -> bool:
        """Count one more; False if the address has all that it may have."""
        if self._open[holder] >= self._per_address:
            return False
        self._open[holder] += 1
        return True

    def closed(self, holder: str) -> None:
        """Count one less."""
        self._open[holder] -= 1
        if not self._open[holder]:
            del self._open[holder]

    def await_head(self, holder: str, connection: object, close: Callable[[], None]) -> None:
        """`connection` owes us the head of a request. If too many of its address do, the first is closed."""
        pending = self._pending.setdefault(holder, {})
        pending[connection] = close
        if len(pending) > self._pending_per_address:
            pending.pop(next(iter(pending)))()

    def head_arrived(self, holder: str, connection: object) -> None:
        """It owes none any more."""
        pending = self._pending.get(holder, {})
        pending.pop(connection, None)
        if not pending:
            self._pending.pop(holder, None)
