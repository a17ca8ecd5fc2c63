"""Takes a cluster of an older PostgreSQL to the present one by `pg_upgrade`, if the wheel holds both.

The old cluster is copied and stays beside the new one, as `data-<major>`, until somebody deletes it. Whatever
ends half-way leaves the old one in its place.
"""

import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import ServerUnusable
from deploy.embedded.process import command_line, is_alive
from deploy.embedded.programs import postgres_installs

_UPGRADED = "data-upgraded"
_UPGRADES = "upgrade-"
"""What a folder of an upgrade begins with."""
_PROGRAMS = frozenset(
    {"pg_upgrade", "pg_ctl", "postgres", "initdb", "pg_dump", "pg_dumpall", "pg_restore", "psql"}
)
"""What an upgrade runs; somebody who looks at its files is left alone."""
_EMPTY_CLUSTER_BYTES = 64 * 1024**2
"""More than what initdb writes, and what the servers write while pg_upgrade has them."""
_KILLED_PATIENCE_S = 15.0
_CHECKSUMS = re.compile(r"^Data page checksum version:\s*(\d+)", re.MULTILINE)

_log = logging.getLogger("loupe.embedded")


@dataclass(frozen=True, kw_only=True)
class Upgrader:
    """The folder of a cluster, the present programs, and how to run them under the account that owns it."""

    state: Path
    programs: Path
    superuser: str
    password: str
    run: Callable[..., subprocess.CompletedProcess[str]]
    """(command, …, cwd, environment)"""
    make_folder: Callable[[str, Path], Path]
    """A new folder of the account's, from a prefix and the folder that it lies in."""
    initialise: Callable[[Path, tuple[str, ...]], None]
    """Make an empty cluster there, with more options of initdb."""

    def end_former(self) -> None:
        """End what a killed supervisor's upgrade still runs: it starts servers on the cluster, and writes."""
        deadline = time.monotonic() + _KILLED_PATIENCE_S
        while working := [*self._working()]:
            if time.monotonic() > deadline:
                raise ServerUnusable(
                    f"an upgrade of {self.state} from an earlier run (pid {working[0]}) does not end; "
                    "end it by hand"
                )
            for pid in working:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def _working(self) -> Iterator[int]:
        """Whoever works on a half-made cluster; pg_upgrade names it too, and a server of initdb in PGDATA."""
        half_made = str(self.state / _UPGRADES)
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and is_alive(int(entry.name)):
                program, *arguments = command_line(int(entry.name)) or [""]
                if Path(program).name in _PROGRAMS and (
                    any(half_made in word for word in arguments) or half_made in _data_of(entry)
                ):
                    yield int(entry.name)

    def upgrade(self) -> None:
        """Upgrade the cluster if an older PostgreSQL made it; ServerUnusable if that cannot be."""
        self._finish()
        data = self.state / "data"
        if not data.exists():
            return
        made_by, present = self._made_by(data), self._major(self.programs)
        if made_by == present:
            return
        old = self._programs_of(made_by, present)
        _log.warning("upgrading %s from PostgreSQL %d to %d", data, made_by, present)
        for leftover in self.state.glob(f"{_UPGRADES}*"):
            shutil.rmtree(leftover)
        self._require_room(data)
        folder = self.make_folder(_UPGRADES, self.state)
        # The path of a socket must be short.
        sockets = self.make_folder("loupe-pg-", Path(tempfile.gettempdir()))
        try:
            # Replays what a killed server left, and stops in order, which pg_upgrade asks for.
            self._do(str(old / "postgres"), "--single", "-D", str(data), "template1", cwd=self.state)
            self.initialise(folder / "data", self._checksums(old, data))
            self._do(
                str(self.programs / "pg_upgrade"),
                f"--old-bindir={old}",
                f"--new-bindir={self.programs}",
                f"--old-datadir={data}",
                f"--new-datadir={folder / 'data'}",
                f"--username={self.superuser}",
                f"--socketdir={sockets}",
                cwd=folder,
                environment={"PGPASSWORD": self.password},
            )
            (folder / "data").rename(self.state / _UPGRADED)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(sockets, ignore_errors=True)
        self._finish()

    def _require_room(self, data: Path) -> None:
        """ServerUnusable where the copy does not fit: told at once, not after an hour."""
        files = (path.lstat() for path in data.rglob("*"))
        needed = sum(file.st_blocks * 512 for file in files) + _EMPTY_CLUSTER_BYTES
        free = shutil.disk_usage(self.state).free
        if free < needed:
            raise ServerUnusable(
                f"the upgrade of {data} needs {needed / 1e6:.0f} MB, and the disk has {free / 1e6:.0f} MB; "
                "make room, and start again: the database is as it was"
            )

    def _finish(self) -> None:
        """Put an upgraded cluster in its place, though a former start was killed before it could."""
        data, upgraded = self.state / "data", self.state / _UPGRADED
        if not upgraded.exists():
            return
        if data.exists():
            kept = self.state / f"data-{self._made_by(data)}"
            shutil.rmtree(kept, ignore_errors=True)
            data.rename(kept)
            _log.warning(
                "the cluster from before the upgrade is kept in %s; delete it when all is well", kept
            )
        upgraded.rename(data)

    def _programs_of(self, made_by: int, present: int) -> Path:
        """Those of the PostgreSQL that made the cluster."""
        wheel = self.programs.parents[1]
        found = {self._major(install / "bin"): install / "bin" for install in postgres_installs(wheel)}
        if made_by in found and made_by < present:
            return found[made_by]
        older = ", ".join(str(major) for major in sorted(found) if major < present) or "none"
        raise ServerUnusable(
            f"{self.state / 'data'} was made by PostgreSQL {made_by}; this version of Loupe has {present} "
            f"and upgrades from {older}: use the version that made it, and take a backup to this one"
        )

    def _checksums(self, old: Path, data: Path) -> tuple[str, ...]:
        """Both clusters must check their pages, or neither."""
        told = self._do(str(old / "pg_controldata"), str(data), cwd=self.state).stdout
        found = _CHECKSUMS.search(told)
        return ("--data-checksums",) if found and found[1] != "0" else ("--no-data-checksums",)

    @staticmethod
    def _made_by(data: Path) -> int:
        return int((data / "PG_VERSION").read_text().strip())

    def _major(self, programs: Path) -> int:
        told = self._do(str(programs / "postgres"), "--version", cwd=self.state).stdout
        found = re.search(r"\) (\d+)", told)
        if found is None:
            raise ServerUnusable(f"{programs / 'postgres'} does not tell its version: {told.strip()}")
        return int(found[1])

    def _do(
        self, *command: str, cwd: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = self.run(*command, cwd=cwd, environment=environment or {})
        if done.returncode:
            told = (done.stdout + done.stderr).strip()[-2000:]
            raise ServerUnusable(
                f"{Path(command[0]).name} failed in {self.state}, and the database is as it was: {told}"
            )
        return done


def _data_of(process: Path) -> str:
    """PGDATA of a process, by its folder in /proc; empty without one, or where that is not ours to see."""
    with contextlib.suppress(OSError):
        for variable in (process / "environ").read_bytes().split(b"\0"):
            name, _, value = variable.partition(b"=")
            if name == b"PGDATA":
                return os.fsdecode(value)
    return ""
