"""Writes the audit entry of a call (A3), for all RPCs."""

from services.audit import belongs_in_the_log, principal_of, resource_of
from services.kit.grpc_server import ServedCall
from services.registry.application.identity import Accounts
from services.registry.domain.identity import AuditEntry


class Auditor:
    """Observes the registry's own server."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def __call__(self, call: ServedCall) -> None:
        """Append the call to the audit log if it belongs there."""
        if not belongs_in_the_log(call):
            return
        await self._accounts.record(
            AuditEntry(
                principal=principal_of(call),
                action=call.method,
                resource=resource_of(call),
                result=call.code,
                peer=call.peer,
            )
        )
