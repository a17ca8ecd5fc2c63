"""gRPC on both sides of a call: channels, their options, TLS, and errors as statuses."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Before the first import of grpc. Its fork handlers crash in a child that a busy process forks to exec: a
# segmentation fault in one of some ten starts. What we start never uses the channels of its parent.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# Names are looked up as all other programs do it. Of the addresses that /etc/hosts has for a name, gRPC's own
# way takes one: one replica of a server gets all calls.
os.environ.setdefault("GRPC_DNS_RESOLVER", "native")

_VERBOSITY = "GRPC_VERBOSITY"


@contextmanager
def quiet_grpc() -> Iterator[None]:
    """Import gRPC inside without its own lines on stderr, for example on a connection that the server ended.

    What a user can act on comes as an error of the call. gRPC reads the variable when it is imported;
    afterwards it is removed, because servers that this process starts would inherit it.
    """
    if _VERBOSITY in os.environ:
        yield
        return
    os.environ[_VERBOSITY] = "NONE"
    try:
        yield
    finally:
        del os.environ[_VERBOSITY]
