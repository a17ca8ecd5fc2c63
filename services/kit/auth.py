"""Who calls and what they may do (rules A1, A2): principals, roles, tokens, the policies of RPCs."""

import asyncio
import contextlib
import contextvars
import enum
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.descriptor import ServiceDescriptor
from loupe.access.v1 import access_pb2
from loupe.errors import PermissionDenied, Unauthenticated
from loupe.rpc.authorization import AUTHORIZATION

_BEARER = "bearer "

MAX_REQUEST_BYTES = 1024 * 1024
"""The longest message of an RPC whose contract says nothing else."""

# Services of gRPC itself, whose contracts cannot carry our options. They expose no data: load balancers and
# clients that know only reflection call them without a token.
_PUBLIC_PREFIXES = ("/grpc.health.", "/grpc.reflection.")


class Role(enum.IntEnum):
    """What a principal may do, or an RPC requires: `loupe.access.v1.Role`. VIEWER to ADMIN are ordered."""

    ANY_AUTHENTICATED = access_pb2.ROLE_ANY_AUTHENTICATED
    VIEWER = access_pb2.ROLE_VIEWER
    ENGINEER = access_pb2.ROLE_ENGINEER
    RELEASER = access_pb2.ROLE_RELEASER
    ADMIN = access_pb2.ROLE_ADMIN
    SERVICE = access_pb2.ROLE_SERVICE
    # For RPCs without authentication. Required by mistake, it admits no caller.
    ANYONE = access_pb2.ROLE_ANYONE
    WORKER = access_pb2.ROLE_WORKER

    def admits(self, caller: "Role") -> bool:
        """Whether a caller of that role may call an RPC that requires this one."""
        return self in _MAY_CALL.get(caller, frozenset())

    @property
    def of_process(self) -> bool:
        """Whether processes of the installation have it, and no person."""
        return self in {Role.SERVICE, Role.WORKER}


_PEOPLE = (Role.ANY_AUTHENTICATED, Role.VIEWER, Role.ENGINEER, Role.RELEASER, Role.ADMIN)

_MAY_CALL = {
    **{role: frozenset(_PEOPLE[: place + 1]) for place, role in enumerate(_PEOPLE) if place},
    Role.WORKER: frozenset({Role.WORKER}),
    # Not what RELEASER and ADMIN may: nobody gets a user or a released model by taking over a service.
    Role.SERVICE: frozenset(
        {Role.ANY_AUTHENTICATED, Role.VIEWER, Role.ENGINEER, Role.WORKER, Role.SERVICE},
    ),
}
"""What an RPC may require of a caller, by the caller's role."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller. `token_id` names the token of a user for the audit; it is not the secret."""

    name: str
    role: Role
    token_id: str = ""


class TokenVerifier(Protocol):
    """Turns a bearer token into its principal."""

    async def verify(self, token: str) -> Principal:
        """The principal; Unauthenticated if the token is not valid, Unavailable if it cannot be verified."""
        ...


def require(principal: Principal, role: Role) -> None:
    """Raise PermissionDenied unless the principal's role suffices."""
    if not role.admits(principal.role):
        raise PermissionDenied(
            f"{principal.name} is {principal.role.name}; this needs {role.name}",
            reason="ROLE_TOO_LOW",
            principal=principal.name,
            role=principal.role.name,
            required=role.name,
        )


_current: contextvars.ContextVar[Principal] = contextvars.ContextVar("principal")


def current_principal() -> Principal:
    """The caller of the RPC that is being served; Unauthenticated outside of one."""
    try:
        return _current.get()
    except LookupError:
        raise Unauthenticated("no caller: this code runs outside of a call") from None


def caller_name() -> str:
    """The name of the caller of the RPC that is being served; empty for work that no call asked for."""
    with contextlib.suppress(Unauthenticated):
        return current_principal().name
    return ""


@contextlib.contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Make `principal` the current one within the block."""
    token = _current.set(principal)
    try:
        yield
    finally:
        _current.reset(token)


def token_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The bearer token in the metadata of a call, or Unauthenticated."""
    for name, value in metadata:
        if name == AUTHORIZATION and isinstance(value, str):
            if value[: len(_BEARER)].lower() == _BEARER and value[len(_BEARER) :].strip():
                return value[len(_BEARER) :].strip()
            raise Unauthenticated(
                "the authorization metadata must read 'Bearer <token>'",
                reason="TOKEN_MALFORMED",
            )
    raise Unauthenticated(
        "the call carries no token; send metadata 'authorization: Bearer <token>'",
        reason="TOKEN_MISSING",
    )


class ServiceTokenVerifier:
    """Verifies the tokens of the installation's own processes; `fallback` verifies all others.

    `accepted` gives the processes by the SHA-256 (hexadecimal) of their tokens, anew for each call.
    """

    def __init__(self, accepted: Callable[[], Mapping[str, Principal]], fallback: TokenVerifier) -> None:
        self._accepted = accepted
        self._fallback = fallback

    async def verify(self, token: str) -> Principal:
        """The process, or the fallback's result."""
        # How long the look-up takes tells of digests only, from which nobody gets a token.
        process = self._accepted().get(hashlib.sha256(token.encode()).hexdigest())
        return process or await self._fallback.verify(token)


class RefusingVerifier:
    """The fallback of a server that admits services only."""

    async def verify(self, token: str) -> Principal:  # noqa: ARG002 -- the protocol's signature
        """Refuse."""
        raise Unauthenticated("this server admits only services of its installation", reason="TOKEN_UNKNOWN")


class CachingVerifier:
    """Caches the principal of a token for `ttl_s`, so that a revoked one is refused after at most that time.

    Refusals are not cached: a token that was just made must work. Concurrent calls with the same token cause
    one verification.
    """

    def __init__(
        self,
        inner: TokenVerifier,
        ttl_s: float,
        monotonic_s: Callable[[], float],
        max_entries: int = 10_000,
    ) -> None:
        self._inner = inner
        self._ttl_s = ttl_s
        self._monotonic_s = monotonic_s
        self._max_entries = max_entries
        # The keys are digests, so that a memory dump holds no token for longer than its call.
        self._known: dict[bytes, tuple[float, Principal]] = {}
        self._asking: dict[bytes, asyncio.Task[Principal]] = {}

    async def verify(self, token: str) -> Principal:
        """The principal, from the cache if it was verified less than `ttl_s` ago."""
        key = hashlib.sha256(token.encode()).digest()
        known = self._known.get(key)
        if known is not None and self._monotonic_s() < known[0]:
            return known[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.create_task(self._ask(key, token))
            self._asking[key] = asking
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        # Shielded: the first caller may cancel its call while others wait for the same verification.
        return await asyncio.shield(asking)

    async def _ask(self, key: bytes, token: str) -> Principal:
        self._known.pop(key, None)
        principal = await self._inner.verify(token)
        while len(self._known) >= self._max_entries:
            del self._known[next(iter(self._known))]
        self._known[key] = (self._monotonic_s() + self._ttl_s, principal)
        return principal


@dataclass(frozen=True, slots=True)
class RpcPolicy:
    """What the contract of an RPC says about its callers."""

    role: Role
    """The least role that may call it."""
    audited: bool
    """Whether every call is in the audit log (A3); of the others only those that were refused."""
    max_request_bytes: int = MAX_REQUEST_BYTES
    """The longest message that it takes."""


class PolicyTable:
    """The policy of every RPC of a server, from the options `loupe.access.v1` in its contracts."""

    def __init__(self, policies: dict[str, RpcPolicy]) -> None:
        self._policies = policies

    @classmethod
    def from_descriptors(cls, services: Iterable[ServiceDescriptor]) -> "PolicyTable":
        """Read the options of every method; a ValueError names all methods that lack one."""
        policies: dict[str, RpcPolicy] = {}
        lacking: list[str] = []
        for service in services:
            for method in service.methods:
                path = f"/{service.full_name}/{method.name}"
                options = method.GetOptions().Extensions
                role, audit = options[access_pb2.role], options[access_pb2.audit]
                if role == access_pb2.ROLE_UNSPECIFIED:
                    lacking.append(f"(loupe.access.v1.role) on {path}")
                elif audit == access_pb2.AUDIT_UNSPECIFIED:
                    lacking.append(f"(loupe.access.v1.audit) on {path}")
                else:
                    longest = options[access_pb2.max_request_bytes] or MAX_REQUEST_BYTES
                    policies[path] = RpcPolicy(Role(role), audit == access_pb2.AUDIT_CALLS, longest)
        if lacking:
            raise ValueError("no " + ", ".join(lacking))
        return cls(policies)

    @staticmethod
    def is_public(method: str) -> bool:
        """Whether `/package.Service/Method` is served without a token: health and reflection only."""
        return method.startswith(_PUBLIC_PREFIXES)

    @property
    def max_request_bytes(self) -> int:
        """The longest message that any RPC of this table takes."""
        return max(
            (policy.max_request_bytes for policy in self._policies.values()), default=MAX_REQUEST_BYTES
        )

    def of(self, method: str) -> RpcPolicy:
        """The policy of an RPC of this table (`/package.Service/Method`); KeyError for any other."""
        return self._policies[method]
