"""A program of a pool of confined processes: it tries what a decoder that was taken over would try."""

import hashlib
import itertools
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.kit.confined_child import Answer, serve

_ATTEMPTS: dict[str, Callable[[], object]] = {
    "read a file": lambda: Path("/etc/passwd").read_bytes(),
    "write a file": lambda: Path("/tmp/loupe-confined").write_bytes(b"x"),  # noqa: S108 -- it must fail
    "open a socket": lambda: socket.socket(socket.AF_INET),
    "start a process": lambda: os.fork() or os._exit(0),
    "make a pipe": os.pipe,
}


def digest(_: Mapping[str, Any], pieces: Sequence[bytes]) -> Answer:
    """What arrived, and who answers."""
    return {"sha256s": [hashlib.sha256(piece).hexdigest() for piece in pieces], "pid": os.getpid()}


def attempt(_: Mapping[str, Any], __: Sequence[bytes]) -> Answer:
    """What succeeds of that which must not."""
    done = []
    for name, try_it in _ATTEMPTS.items():
        try:
            try_it()
        except OSError:
            continue
        done.append(name)
    return {"done": done}


def fill(order: Mapping[str, Any], _: Sequence[bytes]) -> Answer:
    """Whether so much memory can be had."""
    try:
        return {"had": len(bytearray(order["mib"] * 2**20)) > 0}
    except MemoryError:
        return {"had": False}


def spin(_: Mapping[str, Any], __: Sequence[bytes]) -> Answer:
    """Work without an end."""
    for _ in itertools.count():
        pass
    raise AssertionError


def crash(_: Mapping[str, Any], __: Sequence[bytes]) -> Answer:
    """End by a wrong address."""
    import ctypes  # noqa: PLC0415 -- it was imported by the confinement already

    return {"text": ctypes.string_at(0)}


HANDLERS = {"digest": digest, "attempt": attempt, "fill": fill, "spin": spin, "crash": crash}

if __name__ == "__main__":
    serve(HANDLERS, rehearse=lambda: bytearray(8 * 2**20).clear())
