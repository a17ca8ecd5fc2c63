"""What a confined child may reach, and what stays closed. What a taken-over one tries: tests/integration."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.kit import child_confinement
from services.kit.child_confinement import FILES, MEASURES, NETWORK, Policy

HELD = child_confinement.measures()


def confined(policy: Policy, program: str) -> str:
    """What a program prints in a confined process."""
    script = (
        "import os, sys; from services.kit.child_confinement import Policy, confine; "
        f"confine(Policy.of(os.environ)); exec({program!r})"
    )
    environ = {**os.environ, **policy.environ(), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout


def policy(tmp_path: Path, **changes: bool) -> Policy:
    """Of a child whose source tree holds the installation's data folder."""
    for place in ("tree/package", "tree/data/cache/child"):
        (tmp_path / place).mkdir(parents=True)
    for file in ("tree/package/module", "tree/data/secret", "tree/data/cache/other"):
        (tmp_path / file).write_text("text")
    reads = (str(tmp_path / "tree"), *sys.path, sys.prefix, sys.base_prefix)
    writes = (str(tmp_path / "tree/data/cache/child"),)
    return Policy(reads=reads, writes=writes, hidden=str(tmp_path / "tree/data/cache"), **changes)


def outcomes(tmp_path: Path, attempts: dict[str, str], **changes: bool) -> dict[str, bool]:
    """Whether each attempt succeeds."""
    program = f"""
import json, socket, pathlib
os.chdir({str(tmp_path)!r})
found = {{}}
for name, attempt in {attempts!r}.items():
    try:
        eval(attempt)
        found[name] = True
    except OSError:
        found[name] = False
print(json.dumps(found))
"""
    told: dict[str, bool] = json.loads(confined(policy(tmp_path, **changes), program))
    return told


@pytest.mark.skipif(FILES not in HELD, reason="this kernel has no Landlock")
def test_a_data_folder_in_the_source_tree_stays_closed(tmp_path: Path) -> None:
    """`make demo` keeps its data below the folder that modules are imported from."""
    attempts = {
        "a module": "pathlib.Path('tree/package/module').read_text()",
        "a secret": "pathlib.Path('tree/data/secret').read_text()",
        "another child's": "pathlib.Path('tree/data/cache/other').read_text()",
        "its own": "pathlib.Path('tree/data/cache/child/file').write_text('1')",
        "beside it": "pathlib.Path('tree/data/cache/new').write_text('1')",
        "a link": "pathlib.Path('tree/data/cache/child/link').symlink_to('/etc/passwd')",
    }
    assert outcomes(tmp_path, attempts) == {name: name in {"a module", "its own"} for name in attempts}


SOCKETS = {
    "tcp": "socket.socket(socket.AF_INET)",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "unix": "socket.socket(socket.AF_UNIX)",
    "pair": "socket.socketpair()",
    "datagram pair": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
}


@pytest.mark.skipif(NETWORK not in HELD, reason="this kernel filters no system calls")
@pytest.mark.parametrize(("group", "open_"), [(False, {"pair"}), (True, {"pair", "tcp"})])
def test_a_child_opens_no_socket_and_those_of_a_group_tcp_alone(
    tmp_path: Path, *, group: bool, open_: set[str]
) -> None:
    """A socket of a name, such as a container engine's, is as good as a key."""
    found = outcomes(tmp_path, SOCKETS, group=group)
    assert {name for name, opened in found.items() if opened} == open_


@pytest.mark.skipif(HELD != MEASURES, reason="this kernel cannot restrict ports")
def test_a_group_meets_on_ports_of_nobody_and_reaches_no_server(tmp_path: Path) -> None:
    """Its processes find each other by ports that the kernel chose; servers were given theirs."""
    attempts = {
        "meets": "socket.create_connection((own := socket.create_server(('127.0.0.1', 0))).getsockname())",
        "serves": "socket.create_server(('127.0.0.1', 29_999))",
        "reaches a server": "socket.create_connection(('127.0.0.1', server.getsockname()[1]))",
    }

    for port in range(25_000, 29_000):
        try:
            server = socket.create_server(("127.0.0.1", port))
        except OSError:
            continue
        break
    with server:
        attempts["reaches a server"] = f"socket.create_connection(('127.0.0.1', {port}))"
        found = outcomes(tmp_path, attempts, group=True)
    assert found == {"meets": True, "serves": False, "reaches a server": False}
