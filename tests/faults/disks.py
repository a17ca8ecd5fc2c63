"""A disk of its own for a stack, and copies of it as a power cut would leave it: ext4 on a loop device."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil

from tests.faults.evidence import of_folder

_COPIES = 20


class NoDisk(Exception):
    """Nothing can be mounted here; says why."""


class Disk:
    """A mounted image. What a copy of the image holds is what had reached the block layer."""

    def __init__(self, folder: Path, *, gibibytes: int) -> None:
        """A sparse file of that size. SeaweedFS compacts deleted checkpoints in its own time."""
        self._folder = folder
        self._bytes = gibibytes * 2**30
        self._image = folder / "disk-0.img"
        self._number = 0
        self.place = folder / "disk"
        """Where it is mounted."""

    def make(self) -> None:
        """Make the file system and mount it; NoDisk where that is not possible."""
        self.place.mkdir()
        with self._image.open("wb") as file:
            file.truncate(self._bytes)
        try:
            _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
            _run("mount", "-o", "loop", str(self._image), str(self.place))
        except (OSError, subprocess.CalledProcessError) as error:
            raise NoDisk(getattr(error, "stderr", "") or str(error)) from error

    def cut_power(self) -> None:
        """Kill whoever works there, and mount what was on the disk when they stopped."""
        victims = _frozen(self.place)
        after = self._folder / f"disk-{self._number + 1}.img"
        self._copy_to(after)
        for process in victims:
            process.kill()
        psutil.wait_procs(victims, timeout=60)
        self.remove()
        self._image, self._number = after, self._number + 1
        _run("mount", "-o", "loop", str(self._image), str(self.place))

    def remove(self) -> None:
        """Unmount and delete the image."""
        if os.path.ismount(self.place):
            # Lazily: a process that was killed a moment ago may still have a file open.
            _run("umount", "--lazy", str(self.place))
        self._image.unlink(missing_ok=True)

    def _copy_to(self, image: Path) -> None:
        """A copy of one moment: again, as long as the kernel writes meanwhile."""
        device = Path(_run("findmnt", "--noheadings", "--output", "SOURCE", str(self.place)).strip()).name
        for _ in range(_COPIES):
            before = _writes(device)
            _run("cp", "--sparse=always", str(self._image), str(image))
            if _writes(device) == before:
                return
        raise TimeoutError(f"{device} is written to without end")


def _frozen(place: Path) -> list[psutil.Process]:
    """Everybody who works in the folder, stopped."""
    seen: dict[int, psutil.Process] = {}
    # Again, because a process may have started another before it stopped.
    while found := [process for process in of_folder(place) if process.pid not in seen]:
        for process in found:
            seen[process.pid] = process
            try:
                process.send_signal(signal.SIGSTOP)
            except psutil.NoSuchProcess:
                continue
    until = time.monotonic() + 60
    for process in seen.values():
        while process.is_running() and process.status() not in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}:
            if time.monotonic() > until:
                raise TimeoutError(f"{process} does not stop")
    return list(seen.values())


def _writes(device: str) -> tuple[str, str]:
    """Writes that are done, and requests under way."""
    fields = (Path("/sys/block") / device / "stat").read_text().split()
    return fields[4], fields[8]


def _run(*command: str) -> str:
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(f"there is no {command[0]}")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
