"""A stack that other machines use: two network namespaces, an address each, over a veth pair."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import stack, workers
from deploy.embedded.state import read_state
from deploy.embedded.workers import Workers

HOST, OTHER, NAME, OTHER_NAME = "10.9.9.1", "10.9.9.2", "loupe.fab.test", "other.fab.test"
"""In namespaces of their own these are nobody else's."""
COMMAND_TIMEOUT_S = 400
LOOK = """
import json, ssl, sys, urllib.request
base, token, authority, *paths = sys.argv[1:]
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({}),
    urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)),
)
found = []
for path in paths:
    asked = urllib.request.Request(base + path, headers={"Authorization": "Bearer " + token})
    with opener.open(asked, timeout=60) as answer:
        body = answer.read()
        found.append([answer.url, answer.status, dict(answer.headers), len(body), body[:8].hex()])
print(json.dumps(found))
"""
KNOCK = """
import socket, sys
host, *ports = sys.argv[1:]
for port in map(int, ports):
    with socket.socket() as door:
        door.settimeout(10)
        if door.connect_ex((host, port)) == 0:
            print(port)
"""


def _run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)


class Machine:
    """A namespace, and what runs in it."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def run(self, *command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command there; without any settings of Loupe but those given."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("LOUPE_")}
        return subprocess.run(
            ["ip", "netns", "exec", self.namespace, *map(str, command)],  # noqa: S607 -- found as a shell would
            capture_output=True,
            text=True,
            check=False,
            env={**own, "LC_ALL": "C.UTF-8", **environ},
            timeout=COMMAND_TIMEOUT_S,
        )

    def loupe(self, *arguments: str | Path, **environ: str) -> Any:  # noqa: ANN401 -- JSON
        """What the command answers to a script."""
        done = self.run(sys.executable, "-m", "loupe.cli", *arguments, "--json", **environ)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


class Fab:
    """A machine with a stack that is open to the network, and another machine with its certificate."""

    def __init__(self, server: Machine, other: Machine, folder: Path, started: dict[str, Any]) -> None:
        self.server, self.other, self.folder, self.started = server, other, folder, started
        self.addresses: dict[str, str] = started["network"]["addresses"]
        self.token: str = json.loads((folder / "client.json").read_text())["token"]
        self.certificate = folder.with_suffix(".pem")
        shutil.copy(started["network"]["certificate"], self.certificate)

    @property
    def environ(self) -> dict[str, str]:
        """Of the command on the other machine."""
        services = ("registry", "scheduler", "evaluator")
        return {
            **{f"LOUPE_{name.upper()}_ADDRESS": self.addresses[name] for name in services},
            "LOUPE_TOKEN": self.token,
            "LOUPE_HTTPS_AUTHORITY": str(self.certificate),
        }


@pytest.fixture(scope="module")
def fab() -> Iterator[Fab]:
    tag = secrets.token_hex(2)
    server, other = Machine(f"loupe-{tag}-a"), Machine(f"loupe-{tag}-b")
    root = Path(tempfile.mkdtemp(prefix="loupe-fab-"))
    try:
        try:
            _network(server.namespace, other.namespace, tag)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no network namespaces can be made here: {getattr(error, 'stderr', '') or error}")
        started = server.loupe(
            *("up", "--detach", "--data-dir", root / "data", "--trainers", "0", "--evaluators", "0"),
            *("--bind", HOST, "--public-host", NAME, "--https-self-signed"),
        )
        yield Fab(server, other, root / "data", started)
    finally:
        stack.down(root / "data")
        for machine in (server, other):
            subprocess.run(["ip", "netns", "del", machine.namespace], check=False, capture_output=True)  # noqa: S607
            shutil.rmtree(Path("/etc/netns") / machine.namespace, ignore_errors=True)
        shutil.rmtree(root, ignore_errors=True)


def _network(one: str, two: str, tag: str) -> None:
    for namespace in (one, two):
        _run("ip", "netns", "add", namespace)
        hosts = Path("/etc/netns") / namespace / "hosts"
        hosts.parent.mkdir(parents=True)
        hosts.write_text(f"127.0.0.1 localhost\n{HOST} {NAME}\n{OTHER} {OTHER_NAME}\n")
    ends = (f"lp{tag}a", f"lp{tag}b")
    _run("ip", "link", "add", ends[0], "netns", one, "type", "veth", "peer", "name", ends[1], "netns", two)
    for namespace, end, address in ((one, ends[0], HOST), (two, ends[1], OTHER)):
        _run("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", end)
        for link in (end, "lo"):
            _run("ip", "-n", namespace, "link", "set", link, "up")


@pytest.fixture(scope="module")
def imported(fab: Fab, tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401 -- JSON
    """What an import from the other machine told."""
    panels = tmp_path_factory.mktemp("images") / "panels"
    fab.server.loupe("sample", panels, "--per-code", "2")
    return fab.other.loupe("data", "import", panels, "--dataset", "panels", **fab.environ)


def test_pictures_and_uploads_work_from_another_machine(
    fab: Fab,
    imported: Any,  # noqa: ANN401 -- JSON
) -> None:
    """I3: gRPC and links over TLS, all under the public host; pictures come from the console's own origin."""
    assert (imported["rejected"], imported["uploadedObjects"] > 0) == ([], True)
    _open_a_picture(fab)


def _open_a_picture(fab: Fab) -> None:
    """From the other machine, at the stack's own address and no other."""
    base = f"https://{fab.addresses['gateway']}"
    path = "/v1/datasets/panels/paths/main"
    listed = _get(fab, f"{path}/samples")
    (picture,) = _looked(fab, f"{path}/samples/{listed['samples'][0]['file']}?thumbnail=true")
    url, status, headers, size, _ = picture
    assert (url.startswith(f"{base}/loupe/"), status) == (True, 200), picture
    assert size > 100
    assert {key.lower(): value for key, value in headers.items()}["content-type"] == "image/jpeg"


def _get(fab: Fab, path: str) -> Any:  # noqa: ANN401 -- JSON
    program = LOOK.replace("print(json.dumps(found))", "print(body.decode())")
    return json.loads(_python(fab, program, path))


def _looked(fab: Fab, *paths: str) -> Any:  # noqa: ANN401 -- JSON
    return json.loads(_python(fab, LOOK, *paths))


def _python(fab: Fab, program: str, *paths: str) -> str:
    base = f"https://{fab.addresses['gateway']}"
    done = fab.other.run(sys.executable, "-c", program, base, fab.token, fab.certificate, *paths)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_stores_stay_on_this_machine(fab: Fab) -> None:
    """Of all ports that the stack opens, others reach the four that it says."""
    stored = read_state(fab.folder / "stack.json")
    assert stored is not None
    ports = {port for own in stored.ports.values() for port in (own, own + 10_000)}
    done = fab.other.run(sys.executable, "-c", KNOCK, HOST, *map(str, sorted(ports)))
    assert set(map(int, done.stdout.split())) == {int(a.rpartition(":")[2]) for a in fab.addresses.values()}


def test_what_was_chosen_is_kept_and_no_other_choice_is_taken_while_it_runs(fab: Fab) -> None:
    """`up` again, `status` and client.json agree."""
    again = fab.server.loupe("up", "--detach", "--data-dir", fab.folder)
    status = fab.server.loupe("status", "--data-dir", fab.folder)
    assert again["network"] == status["network"] == fab.started["network"]
    assert status["network"]["fingerprint"].count(":") == 31
    client = json.loads((fab.folder / "client.json").read_text())
    assert client["gateway_url"] == f"https://{status['network']['addresses']['gateway']}"
    up = (sys.executable, "-m", "loupe.cli", "up", "--detach", "--data-dir", fab.folder)
    refused = fab.server.run(*up, "--bind", HOST)
    assert refused.returncode != 0
    assert "`loupe down`" in refused.stderr


def test_a_backup_is_restored_on_the_other_machine_under_its_own_name(
    fab: Fab,
    imported: Any,  # noqa: ANN401 -- JSON
    tmp_path: Path,
) -> None:
    """Address and name of the backup are none of that machine: told, not used; pictures open at its own."""
    assert imported["added"]
    fab.server.loupe("backup", tmp_path / "loupe.tar", "--data-dir", fab.folder)
    target = fab.folder.with_name("second")
    restored = fab.other.loupe("restore", tmp_path / "loupe.tar", "--data-dir", target)
    assert f"nothing can listen at {HOST} here" in restored["networkLeftOut"]
    assert workers.read(target / "workers.json") == Workers(trainers=0, evaluators=0)
    try:
        chosen = ("--bind", OTHER, "--public-host", OTHER_NAME, "--https-self-signed")
        started = fab.other.loupe("up", "--detach", "--data-dir", target, *chosen)
        second = Fab(fab.other, fab.server, target, started)
        assert second.addresses["gateway"].startswith(f"{OTHER_NAME}:")
        assert second.started["network"]["fingerprint"] != fab.started["network"]["fingerprint"]
        _open_a_picture(second)
    finally:
        stack.down(target)
