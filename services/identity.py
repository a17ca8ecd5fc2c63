"""Whose token it is, asked of the registry: for every server that is not the registry itself (A1)."""

import time

import grpc
from loupe.registry.v1.identity_service_pb2 import AuthenticateRequest
from loupe.registry.v1.identity_service_pb2_grpc import IdentityServiceStub

from services.kit.auth import CachingVerifier, Principal, Role, ServiceTokenVerifier, TokenVerifier

# A revoked token is refused at most this much later.
_REMEMBERED_S = 10.0


class RegistryVerifier:
    """Asks `IdentityService.Authenticate`. Unauthenticated if the token is nobody's."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = IdentityServiceStub(channel)

    async def verify(self, token: str) -> Principal:
        """The token's principal."""
        found = await self._stub.Authenticate(AuthenticateRequest(token=token))
        return Principal(name=found.name, role=Role(found.role), token_id=found.token)


def token_verifier(service_token: str, registry: grpc.aio.Channel) -> TokenVerifier:
    """Knows the services' own token at once, everybody else's from the registry."""
    asked = CachingVerifier(RegistryVerifier(registry), _REMEMBERED_S, time.monotonic)
    return ServiceTokenVerifier(service_token, asked)
