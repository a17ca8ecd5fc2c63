"""Verifies tokens at the registry, for every other server (A1)."""

import time

import grpc
from loupe.registry.v1.identity_service_pb2 import AuthenticateRequest
from loupe.registry.v1.identity_service_pb2_grpc import IdentityServiceStub

from services.kit.auth import CachingVerifier, Principal, Role, ServiceTokenVerifier, TokenVerifier
from services.service_tokens import ServiceTokenSettings

# A revoked token is refused at most this much later.
_CACHED_S = 10.0


class RegistryVerifier:
    """Calls `IdentityService.Authenticate`; Unauthenticated if the token is not valid."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = IdentityServiceStub(channel)

    async def verify(self, token: str) -> Principal:
        """The token's principal."""
        principal = await self._stub.Authenticate(AuthenticateRequest(token=token))
        return Principal(name=principal.name, role=Role(principal.role), token_id=principal.token)


def peoples_verifier(registry: grpc.aio.Channel) -> TokenVerifier:
    """Verifies all tokens at the registry."""
    return CachingVerifier(RegistryVerifier(registry), _CACHED_S, time.monotonic)


def token_verifier(tokens: ServiceTokenSettings, registry: grpc.aio.Channel) -> TokenVerifier:
    """Verifies the tokens of our own processes here, so that they work while the registry is away."""
    return ServiceTokenVerifier(tokens.accepted(), peoples_verifier(registry))
