"""A service with all four kinds of RPC, its contract made here so that no contract exists for tests only."""

# ruff: noqa: D102, N802 -- RPCs of a test

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2
from google.protobuf.descriptor import ServiceDescriptor
from loupe.access.v1 import access_pb2
from loupe.errors import Aborted, InvalidArgument, NotFound, Violation
from loupe.translation import Sentence

from services.kit.auth import current_principal

NAME = "loupe.kittest.v1.EchoService"
Text = wrappers_pb2.StringValue

_METHODS = {
    "Say": (False, False, access_pb2.ROLE_VIEWER),
    "Release": (False, False, access_pb2.ROLE_RELEASER),
    "Lease": (False, False, access_pb2.ROLE_SERVICE),
    "Who": (False, False, access_pb2.ROLE_ANY_AUTHENTICATED),
    "Watch": (False, True, access_pb2.ROLE_VIEWER),
    "Collect": (True, False, access_pb2.ROLE_VIEWER),
    "Chat": (True, True, access_pb2.ROLE_VIEWER),
}
LARGE_BYTES = 4 * 1024 * 1024
"""The longest message of Collect; of the others it is 1 MiB."""


def descriptor(
    name: str = NAME, *, without_role: str | None = None, without_audit: str | None = None
) -> ServiceDescriptor:
    """The contract; `without_role` and `without_audit` name a method whose option is left out."""
    package, _, service_name = name.rpartition(".")
    file = descriptor_pb2.FileDescriptorProto(
        name=f"kittest/{name}.{without_role}.{without_audit}.proto",
        package=package,
        dependency=["google/protobuf/wrappers.proto", "loupe/access/v1/access.proto"],
        syntax="proto3",
    )
    service = file.service.add(name=service_name)
    for method_name, (takes_stream, gives_stream, role) in _METHODS.items():
        method = service.method.add(
            name=method_name,
            input_type=".google.protobuf.StringValue",
            output_type=".google.protobuf.StringValue",
            client_streaming=takes_stream,
            server_streaming=gives_stream,
        )
        if method_name != without_role:
            method.options.Extensions[access_pb2.role] = role
        if method_name != without_audit:
            method.options.Extensions[access_pb2.audit] = access_pb2.AUDIT_CALLS
        if method_name == "Collect":
            method.options.Extensions[access_pb2.max_request_bytes] = LARGE_BYTES
    pool = descriptor_pool.Default()
    try:
        pool.AddSerializedFile(file.SerializeToString())
    except TypeError:
        pool = descriptor_pool.DescriptorPool()
        for known in (
            descriptor_pb2.DESCRIPTOR,
            wrappers_pb2.DESCRIPTOR,
            access_pb2.DESCRIPTOR,
        ):
            pool.AddSerializedFile(known.serialized_pb)
        pool.AddSerializedFile(file.SerializeToString())
    return pool.FindServiceByName(name)


class EchoServicer:
    """Says back; the words decide what goes wrong."""

    def __init__(self) -> None:
        self.attempts = 0
        self.closed_watches = 0
        self.release = asyncio.Event()
        self.peers: set[str] = set()

    async def Say(self, request: Text, context: Any) -> Text:  # noqa: ANN401 -- gRPC's
        self.attempts += 1
        self.peers.add(context.peer())
        if request.value == "missing":
            raise NotFound("there is no such thing; look again", thing="echo/1")
        if request.value == "faulty":
            raise InvalidArgument.of(Violation("a.b[2]", "TOO_LONG", Sentence("is too long", "太长")))
        if request.value == "bug":
            raise KeyError("the password is 1234")
        if request.value == "surrogate":
            raise InvalidArgument("\ud800")
        if request.value == "dropped once" and self.attempts == 1:
            await context.abort(grpc.StatusCode.CANCELLED, "cancelling all calls")
        if request.value == "slow":
            await asyncio.sleep(30)
        if request.value == "wait":
            await self.release.wait()
        return Text(value=f"{request.value} to {current_principal().name}")

    async def Who(self, _request: Text, _context: object) -> Text:
        return Text(value=current_principal().name)

    Release = Who

    async def Lease(self, request: Text, context: object) -> Text:
        if request.value == "missing":
            raise NotFound("there is no such job", thing="jobs/1")
        return await self.Who(request, context)

    async def Watch(self, request: Text, _context: object) -> AsyncIterator[Text]:
        try:
            for number in range(3):
                yield Text(value=f"{request.value}{number} {current_principal().name}")
            if request.value == "lost":
                raise Aborted("the lease was lost", reason="LEASE_LOST")
            if request.value == "endless":
                await asyncio.sleep(3600)
        finally:
            self.closed_watches += 1

    async def Collect(self, requests: AsyncIterator[Text], _context: object) -> Text:
        words = [request.value async for request in requests]
        if "missing" in words:
            raise NotFound("there is no such thing")
        return Text(value=" ".join(words))

    async def Chat(self, requests: AsyncIterator[Text], _context: object) -> AsyncIterator[Text]:
        async for request in requests:
            if request.value == "missing":
                raise NotFound("there is no such thing")
            yield Text(value=request.value.upper())


def add_to_server(servicer: EchoServicer, server: grpc.aio.Server) -> None:
    """What a generated `add_…_to_server` does."""
    make: dict[tuple[bool, bool], Any] = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    handlers = {
        name: make[kind](
            getattr(servicer, name),
            request_deserializer=Text.FromString,
            response_serializer=Text.SerializeToString,
        )
        for name, (*kind_parts, _) in _METHODS.items()
        for kind in [tuple(kind_parts)]
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


class EchoStub:
    """What a generated stub does."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        kinds = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, False): channel.stream_unary,
            (True, True): channel.stream_stream,
        }
        for name, (takes_stream, gives_stream, _) in _METHODS.items():
            make: Any = kinds[takes_stream, gives_stream]
            setattr(
                self,
                name,
                make(
                    f"/{NAME}/{name}",
                    request_serializer=Text.SerializeToString,
                    response_deserializer=Text.FromString,
                    _registered_method=True,
                ),
            )

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- set in the constructor
        raise AttributeError(name)
