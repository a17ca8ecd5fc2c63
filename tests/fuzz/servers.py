"""Bytes to the RPCs of running servers: they parse and check what they get, and answer no request with a bug.

Where they are and what token they take is in the environment, which whoever started them sets.
"""

import os
from random import Random
from typing import Any, Self

import grpc
from google.protobuf import message_factory
from google.protobuf.message import DecodeError

from gateway.contracts import backend_of
from tests.fuzz.messages import METHODS, request
from tests.fuzz.mutation import changed
from tests.fuzz.target import Broken, Target

ADDRESSES, TOKEN = "LOUPE_FUZZ_ADDRESSES", "LOUPE_FUZZ_TOKEN"
_TIMEOUT_S = 60.0
_STREAM_TIMEOUT_S = 0.3
"""A watch waits for events that never come."""
_BUGS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})
_LEFT_ALONE = frozenset({"LogOut", "AcquireJob", "WatchTask"})
"""They end or hold what the others need."""


class Servers(Target):
    """What running servers make of the bytes of a request."""

    cpu_s = 5.0
    memory_mib = 512
    """Of the client: on a busy machine gRPC has more threads at once."""

    def __init__(self) -> None:
        self._addresses = dict(pair.split("=") for pair in os.environ[ADDRESSES].split(","))
        self._methods = [
            method
            for method in METHODS
            if backend_of(method.containing_service) in self._addresses and method.name not in _LEFT_ALONE
        ]
        self._metadata = (("authorization", f"Bearer {os.environ[TOKEN]}"),)
        # Bytes as they are: the stubs want something that makes them.
        self._channels: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Connect."""
        options = [("grpc.enable_http_proxy", 0)]
        self._channels = {
            name: grpc.insecure_channel(address, options) for name, address in self._addresses.items()
        }
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        for channel in self._channels.values():
            channel.close()

    def make(self, random: Random) -> bytes:
        """The name of an RPC, and the bytes of a request, sometimes changed."""
        method = random.choice(self._methods)
        data = request(random, method).SerializeToString()
        return _path(method).encode() + b"\n" + (data if random.randrange(5) else changed(random, data))

    def run(self, data: bytes) -> str:
        """Call the RPC."""
        path, _, message = data.partition(b"\n")
        method = next(method for method in METHODS if _path(method) == path.decode())
        channel = self._channels[backend_of(method.containing_service)]
        try:
            message_factory.GetMessageClass(method.input_type).FromString(message)
            is_readable = True
        except DecodeError:
            is_readable = False
        try:
            if method.server_streaming:
                answers = channel.unary_stream(path.decode())(
                    message, metadata=self._metadata, timeout=_STREAM_TIMEOUT_S
                )
                next(iter(answers), None)
                answers.cancel()
            else:
                channel.unary_unary(path.decode())(message, metadata=self._metadata, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            if code is grpc.StatusCode.DEADLINE_EXCEEDED and method.server_streaming:
                return "answered: a stream"
            if is_readable and code in {
                *_BUGS,
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
            }:
                raise Broken(f"{path.decode()}: {code.name}, {error.details()}") from error
            return f"refused{'' if is_readable else ', no message'}: {code.name}"
        if not is_readable:
            raise Broken(f"{path.decode()} is answered, and the bytes are no message")
        return "answered"


def _path(method: object) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"  # type: ignore[attr-defined]
