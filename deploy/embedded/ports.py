"""Free ports on 127.0.0.1, the same ones at every start where they are still free.

Seconds pass between the choice of a port and the start of who listens on it. Until a stack ends it holds a
socket of the name of each port, so that another one which starts meanwhile does not choose the same.
"""

import errno
import random
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType

HOST = "127.0.0.1"

SEAWEED_GRPC_OFFSET = 10_000
"""SeaweedFS opens a gRPC port this far above each of its ports."""

# Both ranges, and the gRPC twins of SeaweedFS' ports, end below Linux' ephemeral ports (32768 up): no
# outgoing connection takes one while the stack is down.
_SEAWEED_PORTS = range(20_000, 22_760)
_PORTS = range(23_000, 29_990)
_USUAL_PORTS: Mapping[str, Sequence[int]] = {
    "gateway": range(8080, 8090),
    "registry_public": (7101,),
    "scheduler_public": (7102,),
    "evaluator_public": (7103,),
}

SERVER_PORTS = (
    "postgres",
    "nats",
    "seaweed_s3",
    "seaweed_filer",
    "seaweed_master",
    "seaweed_volume",
    "seaweed_admin",
)
SERVICE_PORTS = ("registry", "scheduler", "evaluator", "gateway")
PUBLIC_PORTS = {
    "registry": "registry_public",
    "scheduler": "scheduler_public",
    "evaluator": "evaluator_public",
    "gateway": "gateway",
}
"""The ports that other machines may reach, by service; the gateway has no other."""


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now, and no other stack has reserved it."""
    with ExitStack() as trial:
        return _reserve(port, trial)


def assign(
    names: Iterable[str],
    remembered: Mapping[str, int],
    holding: ExitStack | None = None,
    *,
    at: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, int]:
    """A free port for every name; the remembered one where it is still free.

    They are this process's until `holding` is closed or it dies; without one, only until this returns. `at`
    names the addresses of those that are not opened at 127.0.0.1.
    """
    if holding is None:
        with ExitStack() as briefly:
            return assign(names, remembered, briefly, at=at)
    ports: dict[str, int] = {}
    # Remembered ports first, or a new name could take one of them.
    for name in sorted(names, key=lambda name: name not in remembered):
        host = at.get(name, HOST)
        candidates = _candidates(name, remembered)
        port = next((port for port in candidates if _take(name, port, holding, host)), None)
        if port is None:
            raise OSError(errno.EADDRINUSE, f"no free port left on {host} for {name}")
        ports[name] = port
    return ports


def _candidates(name: str, remembered: Mapping[str, int]) -> Iterator[int]:
    if name in remembered:
        yield remembered[name]
    yield from _USUAL_PORTS.get(name, ())
    pool = _SEAWEED_PORTS if name.startswith("seaweed_") else _PORTS
    yield from random.SystemRandom().sample(pool, k=len(pool))


def _take(name: str, port: int, holding: ExitStack, host: str) -> bool:
    needed = [port, port + SEAWEED_GRPC_OFFSET] if name.startswith("seaweed_") else [port]
    with ExitStack() as taken:
        if all(0 < one < 65_536 and _reserve(one, taken, host) for one in needed):
            holding.enter_context(taken.pop_all())
            return True
    return False


def _reserve(port: int, holding: ExitStack, host: str = HOST) -> bool:
    """Hold the port's name if nobody else does, and a server could listen on the port."""
    name = holding.enter_context(socket.socket(socket.AF_UNIX))
    with socket.socket() as probe:
        # As servers bind: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            # An abstract name: the kernel's, in the same network namespace as the port, and gone with us.
            # First, so that of two stacks that look at a port only one touches it.
            name.bind(f"\0loupe-port-{port}")
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True
