"""Writes the audit line of a call (A3), once for all RPCs."""

from services.kit.grpc_server import ServedCall
from services.kit.process import Clock
from services.registry.application.identity import Accounts
from services.registry.domain.identity import AuditEntry
from services.registry.wire.identity import principal_name, resource_of

# Looking changes nothing; PlanSampleUploads hands out places for bytes that AddSamples then answers for.
_LOOKING = ("Get", "List", "Link", "WhoAmI", "Authenticate", "PlanSampleUploads")
_REFUSED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})


class Auditor:
    """Observes a server: every call that changes something, and every one that was refused."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    async def __call__(self, call: ServedCall) -> None:
        """Append the call to the audit log if it belongs there."""
        verb = call.method.rpartition("/")[2]
        if verb.startswith(_LOOKING) and call.code not in _REFUSED:
            return
        await self._accounts.record(
            AuditEntry(
                time=self._clock.now(),
                principal=_principal(call),
                action=call.method,
                resource=resource_of(call.request, call.answer).replace("\0", "�"),
                result=call.code,
                peer=call.peer,
            )
        )


def _principal(call: ServedCall) -> str:
    if call.principal is not None:
        return principal_name(call.principal)
    # Of a log-in: whoever came in. Who only tried is the call's resource.
    who: str = call.answer.principal.name if call.answer is not None else ""
    return who
