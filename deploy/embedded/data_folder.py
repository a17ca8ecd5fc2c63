"""The folder with all files of a stack, and the lock that admits one supervisor."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from deploy.embedded import credentials, ports
from deploy.embedded.errors import AlreadyRunning, ServerUnusable
from deploy.embedded.state import State, read_state

_LOOKERS_PATIENCE_S = 0.5
_DYING_PATIENCE_S = 3.0


class DataFolder:
    """Paths inside a data folder. Nothing is created before `create`."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.credentials_file = self.root / "credentials.json"
        self.client_file = self.root / "client.json"
        self.state_file = self.root / "stack.json"
        self.network_file = self.root / "network.json"
        self.workers_file = self.root / "workers.json"
        self.lock_file = self.root / "supervisor.lock"
        self.service_tokens = self.root / "service-tokens"
        self.logs = self.root / "logs"
        self.cache = self.root / "cache"
        self.last_backup = self.root / "last-backup.json"
        self.dumps = self.root / "dumps"
        """Of the database, from before its tables were changed."""
        self.half_restored = self.root / "RESTORING"
        """There as long as a backup is being restored into the folder."""

    def create(self) -> None:
        """Make the folder; only its owner may look inside."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ServerUnusable(
                f"{self.root} cannot be made: {error.strerror}; choose a folder on a disk, one "
                "that you may write to"
            ) from error

    @property
    def is_there(self) -> bool:
        """Whether it exists."""
        return self.lock_file.exists()

    def log(self, process: str) -> Path:
        """The log file of a process."""
        return self.logs / f"{process}.log"

    def credentials(self) -> credentials.Credentials:
        """The secrets, made at the first call."""
        return credentials.load_or_create(self.credentials_file)

    def assign_ports(
        self, names: Iterable[str], holding: contextlib.ExitStack, *, at: Mapping[str, str]
    ) -> dict[str, int]:
        """Ports for this run, those of the last one where they are free; kept until `holding` is closed.

        `at` names the addresses of those that are not opened at 127.0.0.1.
        """
        last = read_state(self.state_file)
        if last is None:
            return ports.assign(names, {}, holding, at=at)
        if last.state is not State.STOPPED:
            # The last supervisor was killed; its processes end in a moment and free their ports.
            deadline = time.monotonic() + _DYING_PATIENCE_S
            while not all(map(ports.is_free, last.ports.values())) and time.monotonic() < deadline:
                time.sleep(0.02)
        return ports.assign(names, last.ports, holding, at=at)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the folder for this process, at most until it ends; AlreadyRunning if another holds it."""
        self.create()
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _locked_exclusively(descriptor):
                raise AlreadyRunning(self.root, self._recorded_pid())
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def supervisor_pid(self) -> int | None:
        """The process that holds the folder now, if any."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            # A shared lock: two processes that only look do not take each other for a supervisor.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._recorded_pid()
        else:
            return None
        finally:
            os.close(descriptor)

    def _recorded_pid(self) -> int | None:
        try:
            return int(self.lock_file.read_text())
        except (FileNotFoundError, ValueError):
            return None


def _locked_exclusively(descriptor: int) -> bool:
    # A process that only looks holds the lock for microseconds, which must not stop a supervisor's start.
    deadline = time.monotonic() + _LOOKERS_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True
