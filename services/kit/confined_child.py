"""The child's side of a pool of confined processes: work in turn, on bytes that the parent lays out."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.kit.child_process import ParentLink
from services.kit.confinement import confine

BYTES_FD = "LOUPE_BYTES_FD"
"""The descriptor, open for reading, of the memory in which the parent puts the bytes of an order."""
MEMORY_BYTES = "LOUPE_CHILD_MEMORY_BYTES"

Answer = Mapping[str, Any]
Handler = Callable[[Mapping[str, Any], Sequence[bytes]], Answer]
"""From an order and its bytes to the answer; all that it raises ends the process."""


def serve(handlers: Mapping[str, Handler], rehearse: Callable[[], None]) -> None:
    """Do what the orders say, until the parent closes the pipe. For `rehearse`, see `confine`."""
    link = ParentLink.from_environ()
    bytes_fd = int(os.environ[BYTES_FD])
    link.emit({"filtered": confine(int(os.environ[MEMORY_BYTES]), rehearse)})
    for order in link.orders():
        at, pieces = 0, []
        for size in order["sizes"]:
            pieces.append(os.pread(bytes_fd, size, at))
            at += size
        link.emit(handlers[order["work"]](order, pieces))
