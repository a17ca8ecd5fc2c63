"""Where a child's host stands among those that train together, as its worker or follower tells it."""

import array
import fcntl
import ipaddress
import json
import os
import socket
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

from loupe.errors import FailedPrecondition

_PLACE = "LOUPE_PLACE"
_INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")

_SIOCGIFCONF = 0x8912
_REQUEST_BYTES, _NAME_BYTES, _ADDRESS_AT = 40, 16, 20
_MOST_ADDRESSES = 1024


@dataclass(frozen=True, kw_only=True)
class Place:
    """A host's place; alone, if nothing is said."""

    node: int = 0
    """0 leads."""
    nodes: int = 1
    processes: int = 0
    """On each host; 0: as the child's argument says."""
    store_fd: int | None = None
    """Of the leader: a socket that listens on its loopback interface, for the store of the processes."""
    store_port: int = 0
    """Of a follower: the port of its loopback interface that leads to that store."""
    loss_fd: int | None = None
    """Of the leader: the pipe on which it hears, as an Event with `failed`, that another host is lost."""

    def environ(self) -> dict[str, str]:
        """As `from_environ` reads it."""
        return {_PLACE: json.dumps(asdict(self))}

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The place that an environment tells."""
        return cls(**json.loads(environ.get(_PLACE, "{}")))


def interface_environ(address: str) -> dict[str, str]:
    """The settings by which processes connect to each other on the interface of an address of this host.

    Empty where the environment has them already. FailedPrecondition if no interface has the address.
    """
    if all(os.environ.get(name) for name in _INTERFACES):
        return {}
    found = _interface_of(address)
    if found is None:
        raise FailedPrecondition(
            f"no network interface of this host is known to have {address}; set "
            f"{' and '.join(_INTERFACES)} to the name of the one that leads to the other hosts",
            reason="INTERFACE_UNKNOWN",
        )
    return dict.fromkeys(_INTERFACES, found)


def _interface_of(address: str) -> str | None:
    """The name of the interface with an IPv4 address, be it a further one (SIOCGIFCONF, netdevice(7))."""
    if ipaddress.ip_address(address).is_loopback:
        return "lo"
    space = array.array("B", bytes(_REQUEST_BYTES * _MOST_ADDRESSES))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        request = struct.pack("iL", len(space), space.buffer_info()[0])
        size, _ = struct.unpack("iL", fcntl.ioctl(asked, _SIOCGIFCONF, request))
    for start in range(0, size, _REQUEST_BYTES):
        entry = space[start : start + _REQUEST_BYTES].tobytes()
        if socket.inet_ntoa(entry[_ADDRESS_AT : _ADDRESS_AT + 4]) == address:
            return entry[:_NAME_BYTES].split(b"\0", 1)[0].decode().split(":", 1)[0]
    return None
