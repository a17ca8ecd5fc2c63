"""Writes the audit entry of a call (A3), for all RPCs."""

from services.audit import belongs_in_the_log, principal_of, resource_of
from services.counted_failures import CountedFailures, FailureCounter
from services.kit.grpc_server import ServedCall
from services.kit.lifecycle import Process
from services.registry.application.identity import Accounts
from services.registry.domain.identity import AuditEntry


class Auditor:
    """Observes the registry's own server."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._failures = FailureCounter()

    async def __call__(self, call: ServedCall) -> None:
        """Append the call to the audit log if it belongs there."""
        if not belongs_in_the_log(call) or not self._failures.own_line(call):
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

    def run(self, process: Process) -> None:
        """Append the counts of failed calls as well."""
        self._failures.run(process, self._append)

    async def _append(self, failures: CountedFailures) -> None:
        await self._accounts.record(
            AuditEntry(
                principal=failures.principal,
                action=failures.action,
                resource=failures.resource,
                result=failures.result,
                peer=failures.peer,
            )
        )
