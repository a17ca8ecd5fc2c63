"""The audit log (A3): which calls are in it, and how the servers write it.

The registry stores the log. It records its own calls; the other servers send it theirs before they answer.
"""

from collections.abc import Awaitable, Callable
from typing import Self

import grpc
from loupe.registry.v1.identity_pb2 import AuditEntry
from loupe.registry.v1.identity_service_pb2 import RecordAuditEntryRequest
from loupe.registry.v1.identity_service_pb2_grpc import IdentityServiceStub

from services.caller import Caller
from services.counted_failures import FailureCounter
from services.kit.auth import Role, current_principal
from services.kit.grpc_server import ServedCall
from services.kit.lifecycle import Process

_REFUSED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
_MOST_CHARACTERS = 300
_NAMES = ("name", "parent", "job")
_REQUEST_FACTS = ("alias", "restore", "owner")
# Which file was handed out: a version has a package for each format, and an alias may move.
_ANSWER_FACTS = ("file_name", "sha256")


def belongs_in_the_log(call: ServedCall) -> bool:
    """Whether the contract of the RPC says so, or the call was refused."""
    if call.code in _REFUSED:
        # When a process of ours verifies the token of somebody who is refused, it records that itself.
        asked_for_another = call.principal is not None and call.principal.role.of_process
        return not (asked_for_another and call.code == "UNAUTHENTICATED")
    return call.audited


def current_caller() -> Caller:
    """The caller of the RPC that is being served, for a domain."""
    principal = current_principal()
    return Caller(principal.name, may_act_for_all=Role.ADMIN.admits(principal.role))


def principal_of(call: ServedCall) -> str:
    """The name of the caller; empty if unknown."""
    if call.principal is not None:
        return call.principal.name
    # For a log-in: who logged in. The user of a failed log-in is the call's resource.
    user: str = call.answer.principal.name if call.answer is not None else ""
    return user


def resource_of(call: ServedCall) -> str:
    """The resource of a call, with the facts that identify the change.

    The resource is what the call created, else what it named, else the parent. The facts: which alias was
    moved, whether a version was restored, which file was handed out, and for a refused token its id and the
    reason, since it may be stolen.
    """
    request, answer, facts = call.request, call.answer, call.facts
    created: str = getattr(answer, "name", "")
    named: str = next(filter(None, (getattr(request, field, "") for field in _NAMES)), "")
    # A stream of requests has no fields.
    fields = request.DESCRIPTOR.fields if hasattr(request, "DESCRIPTOR") else ()
    ids = [getattr(request, field.name) for field in fields if field.name.endswith("_id")]
    resource = created or "/".join(part for part in (named, *ids) if part)
    more = [
        f"{name}={value}"
        for message, names in ((request, _REQUEST_FACTS), (answer, _ANSWER_FACTS))
        for name in names
        if (value := getattr(message, name, None))
    ]
    if call.principal is None and "token" in facts:
        more += [f"token={facts['token']}", f"reason={facts['reason']}"]
    return " ".join(part for part in (resource, *more) if part)[:_MOST_CHARACTERS].replace("\0", "�")


class Auditor:
    """Observes the calls of a server, and writes those that belong in the log."""

    def __init__(self, write: Callable[[AuditEntry], Awaitable[object]]) -> None:
        self._write = write
        self._failures = FailureCounter()

    @classmethod
    def to_registry(cls, registry: grpc.aio.Channel) -> Self:
        """Of another server, which tells the registry; that names this process beside what it is told."""
        stub = IdentityServiceStub(registry)
        return cls(lambda entry: stub.RecordAuditEntry(RecordAuditEntryRequest(entry=entry)))

    async def __call__(self, call: ServedCall) -> None:
        """Write the call if it belongs in the log."""
        if belongs_in_the_log(call) and self._failures.own_line(call):
            await self._write(
                AuditEntry(
                    principal=principal_of(call),
                    action=call.method,
                    resource=resource_of(call),
                    result=call.code,
                    peer=call.peer[:_MOST_CHARACTERS],
                )
            )

    def run(self, process: Process) -> None:
        """Write the counts of failed calls as well."""
        self._failures.run(process, self._write)
