"""Networks of one's own, by namespaces of Linux: packets are lost there, or several machines are there."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_TABLE = "loupe_faults"
_NETWORK = "10.77.0"
_BRIDGE = "switch"


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


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine: a network, a name and an `/etc/hosts` of its own; the files are those of this machine."""

    name: str
    address: str
    keeper: int
    """The process that keeps its namespaces."""

    def prefix(self, folder: Path) -> tuple[str, ...]:
        """A command that moves to this host and the folder, and then becomes the program that follows it."""
        return ("nsenter", f"--target={self.keeper}", "--net", "--uts", "--mount", f"--wd={folder}")


@contextmanager
def hosts(names: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Host]]:
    """Machines at one switch, to which this process is connected, too; NoNetwork where none can be made.

    Each knows the others by name. An alias is one name for several: all their addresses, as DNS tells those
    of replicas. This process must have left (`leave`). All is gone with it, however it ends.
    """
    for program in ("ip", "unshare", "nsenter", "mount"):
        if shutil.which(program) is None:
            raise NoNetwork(f"there is no {program}")
    addresses = {name: f"{_NETWORK}.{number}" for number, name in enumerate(names, start=2)}
    known = [("127.0.0.1", "localhost"), *((address, name) for name, address in addresses.items())]
    known += [(addresses[name], alias) for alias, replicas in aliases.items() for name in replicas]
    with contextlib.ExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="loupe-hosts-")))
        (folder / "hosts").write_text("".join(f"{address} {name}\n" for address, name in known))
        # No server of names is within reach: none is to be waited for.
        (folder / "resolv.conf").write_text("")
        try:
            _run("ip", "link", "add", _BRIDGE, "type", "bridge")
            resources.callback(_run, "ip", "link", "delete", _BRIDGE)
            _run("ip", "address", "add", f"{_NETWORK}.1/24", "dev", _BRIDGE)
            _run("ip", "link", "set", _BRIDGE, "up")
            made = {}
            for number, (name, address) in enumerate(addresses.items()):
                keeper = resources.enter_context(_keeper(name, folder))
                made[name] = Host(name=name, address=address, keeper=keeper)
                _plug_in(made[name], f"port{number}")
        except (subprocess.CalledProcessError, OSError) as error:
            raise NoNetwork(getattr(error, "stderr", "") or str(error)) from error
        yield made


@contextmanager
def _keeper(name: str, folder: Path) -> Iterator[int]:
    """The process that keeps the namespaces of a host; it ends with its standard input, so also with us."""
    places = " && ".join(
        f"mount --bind {folder / file} $(realpath /etc/{file})" for file in ("hosts", "resolv.conf")
    )
    steps = (
        f"{places} && echo {name} > /proc/sys/kernel/hostname && ip link set lo up && echo ready && exec cat"
    )
    command = ["unshare", "--net", "--uts", "--mount", "sh", "-c", steps]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            if process.stdout.readline() != "ready\n":
                raise OSError(process.stderr.read())
            yield process.pid
        finally:
            process.stdin.close()


def _plug_in(host: Host, port: str) -> None:
    """Connect a host to the switch."""
    inside = (*host.prefix(Path("/")), "ip")
    _run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(host.keeper))
    _run("ip", "link", "set", port, "master", _BRIDGE, "up")
    _run(*inside, "address", "add", f"{host.address}/24", "dev", "eth0")
    _run(*inside, "link", "set", "eth0", "up")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
