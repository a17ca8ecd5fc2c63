"""How much of a server its callers may take at once (A5): calls and streams, by caller and by address.

A call takes no memory for its message before it has passed `Admissions`. Callers of the installation itself,
such as workers, are not counted: their reports must arrive however many people call.
"""

import contextlib
import contextvars
import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from loupe.errors import ResourceExhausted
from loupe.settings import setting
from loupe.translation import Sentence, sentence

from services.kit.auth import Principal

_RETRY_AFTER_S = 2
_UNKNOWN_ADDRESS = "an unknown address"


class TrustedProxies:
    """Whose word on where a caller is counts."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(address) for address in addresses]

    def __contains__(self, address: str) -> bool:
        """Whether `address` is one of them."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


def proxies_setting() -> Any:  # noqa: ANN401 -- as `setting`
    """The setting that gateway and servers share."""
    return setting(
        "LOUPE_TRUSTED_PROXIES",
        default=(),
        doc="Addresses or networks whose X-Forwarded-For counts: of proxies in front of the gateway, of "
        "gateways in front of the servers. Empty: a caller is where its connection comes from",
    )


@dataclass(frozen=True, kw_only=True)
class CallLimits:
    """The limits of a gRPC server. None of them counts calls of services and workers."""

    calls: int = setting("LOUPE_MAX_CALLS", default=2000, doc="Calls at once, streams apart")
    streams: int = setting("LOUPE_MAX_STREAMS", default=4000, doc="Streams at once")
    calls_per_principal: int = setting(
        "LOUPE_MAX_CALLS_PER_PRINCIPAL", default=500, doc="Calls of one user at once, streams apart"
    )
    streams_per_principal: int = setting(
        "LOUPE_MAX_STREAMS_PER_PRINCIPAL", default=1000, doc="Streams of one user at once"
    )
    unknown_calls: int = setting(
        "LOUPE_MAX_UNKNOWN_CALLS",
        default=2000,
        doc="Calls at once whose token is being verified; apart from them as many that need no token",
    )
    unknown_calls_per_address: int = setting(
        "LOUPE_MAX_UNKNOWN_CALLS_PER_ADDRESS", default=600, doc="The same, from one address"
    )
    stream_check_s: float = setting(
        "LOUPE_STREAM_CHECK_S", default=30.0, doc="How often a stream looks at its caller's token again"
    )
    connection_age_s: float = setting(
        "LOUPE_CONNECTION_AGE_S",
        default=300.0,
        doc="A connection of this age takes no new calls, so that its client connects anew and finds servers "
        "that were added; 0: whatever its age",
    )
    connection_age_grace_s: float = setting(
        "LOUPE_CONNECTION_AGE_GRACE_S",
        default=3600.0,
        doc="How long after that the calls that it carries may go on; watches go on elsewhere then",
    )
    trusted_proxies: tuple[str, ...] = proxies_setting()

    def __post_init__(self) -> None:
        check_positive(
            LOUPE_MAX_CALLS=self.calls,
            LOUPE_MAX_STREAMS=self.streams,
            LOUPE_MAX_CALLS_PER_PRINCIPAL=self.calls_per_principal,
            LOUPE_MAX_STREAMS_PER_PRINCIPAL=self.streams_per_principal,
            LOUPE_MAX_UNKNOWN_CALLS=self.unknown_calls,
            LOUPE_MAX_UNKNOWN_CALLS_PER_ADDRESS=self.unknown_calls_per_address,
            LOUPE_STREAM_CHECK_S=self.stream_check_s,
            LOUPE_CONNECTION_AGE_GRACE_S=self.connection_age_grace_s,
        )
        if self.connection_age_s < 0:
            raise ValueError(f"LOUPE_CONNECTION_AGE_S must be 0 or above, not {self.connection_age_s:g}")
        check_proxies(self.trusted_proxies)


def check_positive(**values: float) -> None:
    """ValueError names the settings that are not above 0."""
    wrong = [f"{name} must be above 0, not {value:g}" for name, value in values.items() if value <= 0]
    if wrong:
        raise ValueError("; ".join(wrong))


def check_proxies(addresses: Sequence[str]) -> None:
    """ValueError if one of the trusted proxies is neither an address nor a network."""
    try:
        TrustedProxies(addresses)
    except ValueError as error:
        raise ValueError(f"LOUPE_TRUSTED_PROXIES: {error}; give addresses or networks") from None


class Places:
    """A number of places, of which one holder has only a part."""

    def __init__(self, total: int, per_holder: int, *, reason: str, full: Sentence, most: Sentence) -> None:
        self._total = total
        self._per_holder = per_holder
        self._refusals = {"full": full, "most": most}
        self._reason = reason
        self._held: Counter[str] = Counter()
        self._taken = 0

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken

    @contextlib.contextmanager
    def place(self, holder: str) -> Iterator[None]:
        """A place for the block; ResourceExhausted if there is none for this holder."""
        if self._held[holder] >= self._per_holder:
            raise exhausted(self._refusals["most"], self._reason)
        if self._taken >= self._total:
            raise exhausted(self._refusals["full"], self._reason)
        self._held[holder] += 1
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._held[holder] -= 1
            if not self._held[holder]:
                del self._held[holder]


def exhausted(told: Sentence, reason: str, retry_after_s: int = _RETRY_AFTER_S) -> ResourceExhausted:
    """The refusal of a call that may come again."""
    return ResourceExhausted(
        told.english, reason=reason, retry_after_s=retry_after_s, message_zh=told.chinese
    )


def stream_places(total: int, per_user: int) -> Places:
    """Places of open streams, of a server or of a gateway."""
    return Places(
        total,
        per_user,
        reason="TOO_MANY_STREAMS",
        full=sentence("the server has as many streams open as it takes; try again later"),
        most=sentence(
            "you have {limit} streams open, the most for one user; close some of them", limit=per_user
        ),
    )


class Admissions:
    """Admits the calls of one server."""

    def __init__(self, limits: CallLimits) -> None:
        self._proxies = TrustedProxies(limits.trusted_proxies)
        self._calls = Places(
            limits.calls,
            limits.calls_per_principal,
            reason="TOO_MANY_CALLS",
            full=sentence("the server carries out as many calls as it takes; try again later"),
            most=sentence(
                "you have {limit} calls in progress, the most for one user; wait until some have ended",
                limit=limits.calls_per_principal,
            ),
        )
        self._streams = stream_places(limits.streams, limits.streams_per_principal)
        # Apart, since a verification is over in a moment and a watch of the server's health is not.
        self._unverified, self._open = (
            Places(
                limits.unknown_calls,
                limits.unknown_calls_per_address,
                reason="TOO_MANY_CALLS",
                full=sentence("the server has as many calls of unknown callers as it takes; try again later"),
                most=sentence(
                    "your address has {limit} calls of unknown callers, the most for one; try again later",
                    limit=limits.unknown_calls_per_address,
                ),
            )
            for _ in range(2)
        )

    def address_of(self, peer: str, claimed: str | None) -> str:
        """Where a caller is: gRPC's `peer`, or what a trusted gateway claims of it."""
        seen = _host(peer)
        return network_of(claimed if claimed is not None and seen in self._proxies else seen)

    def unverified(self, address: str) -> contextlib.AbstractContextManager[None]:
        """A place of a caller whose token is being verified."""
        return self._unverified.place(address)

    def open(self, address: str) -> contextlib.AbstractContextManager[None]:
        """A place of a caller that needs no token."""
        return self._open.place(address)

    def known(self, principal: Principal, *, stream: bool) -> contextlib.AbstractContextManager[None]:
        """A place of a verified caller."""
        if principal.role.of_process:
            return contextlib.nullcontext()
        return (self._streams if stream else self._calls).place(principal.name)


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that an IPv6 host can choose from."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return _UNKNOWN_ADDRESS
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _host(peer: str) -> str:
    """The host of gRPC's `ipv4:127.0.0.1:5000` or `ipv6:%5B::1%5D:5000`."""
    _, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]")


_address: contextvars.ContextVar[str] = contextvars.ContextVar("address", default=_UNKNOWN_ADDRESS)


def current_address() -> str:
    """Where the caller of the call that is being served is."""
    return _address.get()


@contextlib.contextmanager
def called_from(address: str) -> Iterator[None]:
    """Let `current_address` say `address` within the block."""
    token = _address.set(address)
    try:
        yield
    finally:
        _address.reset(token)
