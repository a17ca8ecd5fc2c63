"""Whose token a request carries, for streams: they are limited by user, and end when the token is refused.

The services verify the token of every call themselves. A stream that several readers share is one call under
the token of one of them, so that the gateway verifies those of the others.
"""

import time
from dataclasses import dataclass
from typing import Any

from loupe.rpc.authorization import bearer

from gateway.backends import Backends, Metadata, origin_metadata
from gateway.contracts import ApiOperation, ContractError
from services.kit.auth import CachingVerifier, Principal, Role, TokenVerifier, require, token_of
from services.kit.limits import called_from, current_address

WHO_AM_I = "/loupe.registry.v1.IdentityService/WhoAmI"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who reads a stream."""

    name: str
    _token: str
    _role: Role
    _verifier: TokenVerifier

    async def check(self) -> None:
        """Raise Unauthenticated or PermissionDenied if the caller may not read it any more."""
        require(await self._verifier.verify(self._token), self._role)


class Callers:
    """Asks the registry who calls, with the caller's own token."""

    def __init__(
        self, backends: Backends, operations: tuple[ApiOperation, ...], *, cached_s: float = 10.0
    ) -> None:
        found = [operation for operation in operations if operation.rpc == WHO_AM_I]
        if not found:
            raise ContractError(f"the contracts have no {WHO_AM_I}")
        self._verifier = CachingVerifier(_WhoAmI(backends, found[0]), cached_s, time.monotonic)

    async def of(self, metadata: Metadata, client: str, role: Role) -> Caller:
        """Who calls an operation for `role`; Unauthenticated."""
        token = token_of(metadata)
        with called_from(client):
            principal = await self._verifier.verify(token)
        return Caller(principal.name, token, role, self._verifier)


class _WhoAmI:
    def __init__(self, backends: Backends, operation: ApiOperation) -> None:
        self._backends = backends
        self._operation = operation

    async def verify(self, token: str) -> Principal:
        """The caller, as the registry knows it."""
        request = self._operation.request_class()
        metadata = (bearer(token), *origin_metadata(current_address()))
        principal: Any = await self._backends.answer(self._operation, request, metadata)
        return Principal(name=principal.name, role=Role(principal.role))
