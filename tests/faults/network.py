"""A network of one's own, in which packets are lost: a namespace of Linux with nftables."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

_CLONE_NEWNET = 0x40000000
_TABLE = "loupe_faults"


class NoNetwork(Exception):
    """No network of one's own can be made here; says why."""


def leave() -> None:
    """Move this process, and what it starts from now on, to a network of its own. Raises NoNetwork."""
    for program in ("ip", "nft"):
        if shutil.which(program) is None:
            raise NoNetwork(f"there is no {program}")
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise NoNetwork(os.strerror(ctypes.get_errno()))
    try:
        _run("ip", "link", "set", "lo", "up")
        _run("nft", "add", "table", "inet", _TABLE)
        _run("nft", "add", "chain", "inet", _TABLE, "input", "{ type filter hook input priority 0 ; }")
        with losing("tcp dport 1"):
            pass
    except subprocess.CalledProcessError as error:
        raise NoNetwork(error.stderr) from error


@contextmanager
def losing(*packets: str) -> Iterator[None]:
    """Meanwhile packets are dropped without a word, those that an expression of nftables describes."""
    for which in packets:
        _run("nft", "add", "rule", "inet", _TABLE, "input", f"{which} drop")
    try:
        yield
    finally:
        _run("nft", "flush", "chain", "inet", _TABLE, "input")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
