"""A child of a worker that somebody has taken over: it tries to reach what is not of its job.

It starts as the worker's child does, with the same environment and confinement. Its report, the last
sentence of the failed task, is a list of what it reached, by names; and how many objects of its own job.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from google.protobuf import json_format
from loupe.scheduler.v1 import job_pb2, job_service_pb2, task_pb2
from loupe.worker.v1 import event_pb2, order_pb2

from services.kit.child_process import ParentLink
from services.vision.faults import InfrastructureFault
from services.vision.samples import read_manifests
from services.vision.sources import from_environment

NAMING_SEED = 7
"""Of the task in which the child names files of the installation as its own."""


def secrets_in(text: str) -> bool:
    return any(
        word in text for word in ("loupe_service_", "loupe_admin_", "nats://", "postgresql", "SECRET_KEY")
    )


def environment() -> bool:
    return secrets_in(json.dumps(dict(os.environ)))


def descriptors() -> bool:
    """Any that leads to a file, a connection or a process; pipes and pairs to the worker are its own."""
    for place in Path("/proc/self/fd").iterdir():
        try:
            leads = str(place.readlink())
        except OSError:
            continue  # the listing's own
        if not leads.startswith(("pipe:", "socket:", "/dev/null", "/proc/")):
            return True
        if leads.startswith("socket:"):
            with socket.socket(fileno=os.dup(int(place.name))) as inherited:
                if inherited.family != socket.AF_UNIX or inherited.getpeername():
                    return True
    return False


def reads(path: str | Path) -> Callable[[], bool]:
    return lambda: bool(Path(path).read_bytes())


def lists(path: str | Path) -> Callable[[], bool]:
    return lambda: bool(list(Path(path).iterdir()))


def appends(path: str | Path) -> Callable[[], bool]:
    def attempt() -> bool:
        with Path(path).open("ab"):
            return True

    return attempt


def connects(address: str) -> Callable[[], bool]:
    host, _, port = address.rpartition(":")

    def attempt() -> bool:
        with socket.create_connection((host, int(port)), timeout=5):
            return True

    return attempt


def connects_by_path(path: str) -> Callable[[], bool]:
    def attempt() -> bool:
        with socket.socket(socket.AF_UNIX) as tried:
            tried.connect(path)
            return True

    return attempt


def as_other_program(*command: str) -> Callable[[], bool]:
    return lambda: subprocess.run(command, check=True, capture_output=True, timeout=20).returncode == 0


def through_link(target: Path) -> bool:
    place = Path(tempfile.mkdtemp()) / "link"
    place.symlink_to(target)
    return bool(place.read_bytes())


def hard_link(target: Path) -> bool:
    place = Path(tempfile.mkdtemp()) / "link"
    os.link(target, place)
    return True


def signals(pid: int) -> bool:
    os.kill(pid, 0)
    return True


def mounts() -> bool:
    """On a folder of its own, and undone: where nothing confines this process, nobody loses a folder."""
    place = tempfile.mkdtemp(prefix="mount-")
    subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True, capture_output=True)  # noqa: S607
    subprocess.run(["umount", place], check=True)  # noqa: S607 -- as above
    return True


def datagrams(path: str) -> bool:
    left, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.connect(path)
    return True


def traces(pid: int) -> bool:
    import ctypes  # noqa: PLC0415 -- only here

    return int(ctypes.CDLL(None, use_errno=True).ptrace(16, pid, 0, 0)) == 0


def attempts(targets: dict[str, list[str]]) -> dict[str, Callable[[], bool]]:
    parent = os.getppid()
    tried: dict[str, Callable[[], bool]] = {"environment": environment, "descriptors": descriptors}
    for name in ("environ", "maps", "root/etc/hostname", "cwd/credentials.json"):
        tried[f"parent's {name}"] = reads(f"/proc/{parent}/{name}")
    tried["parent's descriptors"] = lambda: bool(
        [Path(f"/proc/{parent}/fd/{n}").readlink() for n in range(3, 30)]
    )
    tried |= {f"trace {pid}": partial(traces, pid) for pid in (parent, 1)}
    tried |= {f"signal {pid}": partial(signals, pid) for pid in (parent, int(targets["registry"][0]))}
    for path in targets["files"]:
        file = Path(path)
        tried[f"read {path}"] = reads(file)
        tried[f"append {path}"] = appends(file)
        tried[f"link to {path}"] = partial(through_link, file)
        tried[f"hard link to {path}"] = partial(hard_link, file)
        tried[f"cat {path}"] = as_other_program("cat", path)
    tried |= {f"list {path}": lists(path) for path in targets["folders"]}
    tried |= {f"make a file in {path}": appends(Path(path) / "intruder") for path in targets["folders"]}
    for address in targets["addresses"]:
        tried[f"connect {address}"] = connects(address)
        tried[f"connect {address} by another program"] = as_other_program(
            sys.executable, "-c", f"import socket; socket.create_connection({tuple(address.split(':'))!r}, 5)"
        )
    for path in targets["sockets"]:
        tried[f"connect {path}"] = connects_by_path(path)
        tried[f"datagram to {path}"] = partial(datagrams, path)
    tried["a namespace"] = as_other_program("unshare", "--user", "--map-root-user", "--net", "true")
    tried["a mount"] = mounts
    return tried


def main() -> None:
    targets = json.loads(sys.argv[1])
    objects, _, _ = from_environment()
    link = ParentLink.from_environ()

    def emit(event: event_pb2.Event) -> None:
        link.emit(json_format.MessageToDict(event))

    emit(event_pb2.Event(ready=event_pb2.Ready()))
    for line in link.orders():
        order = json_format.ParseDict(line, order_pb2.Order())
        if order.train.work.seed == NAMING_SEED:
            # The worker stores, and then deletes, what its child names.
            for path in targets["named"]:
                checkpoint = job_pb2.Checkpoint(network=task_pb2.NETWORK_CLASSIFICATION, next_iteration=1)
                emit(event_pb2.Event(checkpoint=event_pb2.CheckpointFile(path=path, checkpoint=checkpoint)))
        reached = []
        tried = attempts(targets)
        for name, attempt in tried.items():
            try:
                if attempt():
                    reached.append(name)
            except Exception:  # noqa: BLE001, S112 -- refused, as it should be
                continue
        for key in targets["objects"]:
            try:
                objects.read(key)
                reached.append(key)
            except InfrastructureFault:
                continue
        samples = read_manifests(objects, [manifest.sha256 for manifest in order.train.work.manifests])
        own = sum(len(objects.read(f"samples/{sample.sha256}")) > 0 for sample in samples)
        report = {"tried": len(tried) + len(targets["objects"]), "reached": reached, "own": own}
        failure = task_pb2.Failure(code="TAKEN_OVER", message=json.dumps(report), message_zh="—")
        emit(event_pb2.Event(failed=job_service_pb2.FinishJobRequest.JobFailed(failure=failure)))
        signal.pause()


if __name__ == "__main__":
    main()
