"""A second host: a network of its own (a namespace of Linux), with a cable to this one."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Host:
    """Where the second host is."""

    prefix: tuple[str, ...] = ()
    """Of a command, to run it there."""
    here: str = "127.0.0.1"
    """This host's address, as the other sees it."""
    address: str = "127.0.0.2"
    cable: str = ""
    """The interface of this host that leads there; empty: it is this host, at another address."""

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Meanwhile nothing arrives, and nobody is told."""
        _ip("link", "set", self.cable, "down")
        try:
            yield
        finally:
            _ip("link", "set", self.cable, "up")


@contextmanager
def second_host() -> Iterator[Host]:
    """A namespace for root, else this host at another address."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        yield Host()
        return
    number = secrets.randbelow(2**16)
    name, subnet = f"loupe-{number:04x}", f"10.{200 + number // 2**14}.{number % 2**14 // 64}"
    first = number % 64 * 4
    here, there = f"{subnet}.{first + 1}", f"{subnet}.{first + 2}"
    try:
        _ip("netns", "add", name)
    except subprocess.CalledProcessError:
        yield Host()
        return
    cable = f"lp{number:04x}a"
    try:
        _ip("link", "add", cable, "type", "veth", "peer", "name", f"lp{number:04x}b", "netns", name)
        _ip("addr", "add", f"{here}/30", "dev", cable)
        _ip("link", "set", cable, "up")
        _ip("-n", name, "addr", "add", f"{there}/30", "dev", f"lp{number:04x}b")
        _ip("-n", name, "link", "set", f"lp{number:04x}b", "up")
        _ip("-n", name, "link", "set", "lo", "up")
        yield Host(("ip", "netns", "exec", name), here, there, cable)
    finally:
        _ip("netns", "del", name)


def _ip(*arguments: str) -> None:
    command = ("ip", *arguments)
    subprocess.run(command, check=True, capture_output=True, text=True)
