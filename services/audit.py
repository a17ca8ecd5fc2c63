"""Who did what, from where, with what result (A3): what the audit log holds, and how every server fills it.

The registry keeps the log. Its own calls it writes down itself; the other servers tell it of theirs before
their answer goes out.
"""

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from loupe.registry.v1.identity_pb2 import AuditEntry
from loupe.registry.v1.identity_service_pb2 import RecordAuditEntryRequest
from loupe.registry.v1.identity_service_pb2_grpc import IdentityServiceStub

from services.kit.auth import Principal, Role
from services.kit.grpc_server import ServedCall

SERVICE_NAME = "services/loupe"

_REFUSED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
_TELLS_MORE = ("alias", "restore")
# Which bytes were handed out: a version has a package for each format, and an alias moves.
_HANDED_OUT = ("file_name", "sha256")


def belongs_in_the_log(call: ServedCall) -> bool:
    """Whether the contract of the RPC says so, or the call was refused."""
    if call.code in _REFUSED:
        # Whom one service asks about for another is written down by the one that was called.
        return call.principal is None or call.principal.role is not Role.SERVICE
    return call.audited


def principal_name(principal: Principal) -> str:
    """`users/{user}` or `services/loupe`."""
    return SERVICE_NAME if principal.role is Role.SERVICE else principal.name


def principal_of(call: ServedCall) -> str:
    """Who called; empty if nobody knows."""
    if call.principal is not None:
        return principal_name(call.principal)
    # Of a log-in: whoever came in. Who only tried is the call's resource.
    who: str = call.answer.principal.name if call.answer is not None else ""
    return who


def resource_of(call: ServedCall) -> str:
    """What a call was about: the thing it made, else the thing it named, else where; and what of it.

    Of an alias's move the version alone would not tell which alias, and `restore` is the reverse of archive.
    Of a token that was ended, whose it was and why it is refused: it may be in a thief's hands.
    """
    request, answer, facts = call.request, call.answer, call.facts
    made: str = getattr(answer, "name", "")
    named: str = getattr(request, "name", "") or getattr(request, "parent", "")
    # A stream of requests has no fields of its own.
    fields = request.DESCRIPTOR.fields if hasattr(request, "DESCRIPTOR") else ()
    asked = [getattr(request, field.name) for field in fields if field.name.endswith("_id")]
    about = made or "/".join(part for part in (named, *asked) if part)
    more = [
        f"{name}={value}"
        for message, names in ((request, _TELLS_MORE), (answer, _HANDED_OUT))
        for name in names
        if (value := getattr(message, name, None))
    ]
    if call.principal is None and "token" in facts:
        more += [f"token={facts['token']}", f"reason={facts['reason']}"]
    return " ".join(part for part in (about, *more) if part)[:300].replace("\0", "�")


class RegistryAuditor:
    """Observes a server that is not the registry; what services do for each other stays out of the log."""

    def __init__(self, registry: grpc.aio.Channel) -> None:
        self._stub = IdentityServiceStub(registry)

    async def __call__(self, call: ServedCall) -> None:
        """Have the call written down if it belongs there."""
        by_service = call.principal is not None and call.principal.role is Role.SERVICE
        if by_service or not belongs_in_the_log(call):
            return
        time = Timestamp()
        time.GetCurrentTime()
        entry = AuditEntry(
            time=time,
            principal=principal_of(call),
            action=call.method,
            resource=resource_of(call),
            result=call.code,
            peer=call.peer,
        )
        await self._stub.RecordAuditEntry(RecordAuditEntryRequest(entry=entry))
