"""Free ports on 127.0.0.1, the same ones at every start where they are still free."""

import errno
import random
import socket
from collections.abc import Iterable, Mapping

HOST = "127.0.0.1"

SEAWEED_GRPC_OFFSET = 10_000
"""SeaweedFS opens a gRPC port this far above each of its ports."""

# Both ranges, and the gRPC twins of SeaweedFS' ports, end below Linux' ephemeral ports (32768 up): no
# outgoing connection takes one while the stack is down.
_SEAWEED_PORTS = range(20_000, 22_760)
_PORTS = range(23_000, 29_990)
_GATEWAY_PORTS = range(8080, 8090)

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


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def _usable(name: str, port: int, taken: set[int]) -> bool:
    needed = [port, port + SEAWEED_GRPC_OFFSET] if name.startswith("seaweed_") else [port]
    return all(0 < p < 65_536 and p not in taken and is_free(p) for p in needed)


def _candidates(name: str) -> Iterable[int]:
    if name == "gateway":
        yield from _GATEWAY_PORTS
    # In random order: stacks that start at the same moment rarely meet.
    pool = _SEAWEED_PORTS if name.startswith("seaweed_") else _PORTS
    yield from random.SystemRandom().sample(pool, k=len(pool))


def assign(names: Iterable[str], remembered: Mapping[str, int]) -> dict[str, int]:
    """A free port for every name; the remembered one where nobody else took it meanwhile."""
    taken: set[int] = set()
    ports: dict[str, int] = {}
    # Remembered ports first, or a new name could take one of them.
    for name in sorted(names, key=lambda name: name not in remembered):
        known = [remembered[name]] if name in remembered else []
        port = next((p for p in (*known, *_candidates(name)) if _usable(name, p, taken)), None)
        if port is None:
            raise OSError(errno.EADDRINUSE, f"no free port left on {HOST} for {name}")
        ports[name] = port
        taken.add(port)
        if name.startswith("seaweed_"):
            taken.add(port + SEAWEED_GRPC_OFFSET)
    return ports
