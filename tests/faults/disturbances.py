"""What can happen to an installation while it works, other than the death of single processes at random."""

import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import psutil

from deploy.embedded import stack
from tests.faults import evidence
from tests.faults.clocks import Clock
from tests.faults.disks import Disk
from tests.faults.killing import processes
from tests.support import network
from tests.support.full_disk import filled


@dataclass(frozen=True, slots=True)
class Installation:
    """A stack on a disk of its own, with a clock of its own for its services if that is to be stepped."""

    disk: Disk
    clock: Clock | None = None

    @property
    def data_dir(self) -> Path:
        """Its data folder."""
        return self.disk.place / "stack"


class Disturbance(Protocol):
    """One thing that happens."""

    survived: ClassVar[bool]
    """Whether the stack still runs, so that work must go on afterwards."""

    def happen(self, to: Installation) -> None:
        """Let it happen and, if it lasts, let it pass."""


@dataclass(frozen=True, slots=True)
class PowerCut:
    """Only what had reached the disk is left."""

    survived: ClassVar[bool] = False

    def happen(self, to: Installation) -> None:
        """See Disturbance."""
        to.disk.cut_power()


@dataclass(frozen=True, slots=True)
class Restart:
    """An orderly stop; whoever starts afterwards finds what the disk has left."""

    survived: ClassVar[bool] = False

    def happen(self, to: Installation) -> None:
        """See Disturbance."""
        stack.down(to.data_dir)


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill -9 of one process, with all below it."""

    name: str
    survived: ClassVar[bool] = True

    def happen(self, to: Installation) -> None:
        """See Disturbance."""
        for process in _tree(to.data_dir, self.name):
            with suppress(psutil.NoSuchProcess):
                process.kill()


@dataclass(frozen=True, slots=True)
class Suspension:
    """One process, with all below it, does nothing for a while and then goes on, as a suspended machine."""

    name: str
    for_s: float
    survived: ClassVar[bool] = True

    def happen(self, to: Installation) -> None:
        """See Disturbance."""
        victims = _tree(to.data_dir, self.name)
        for signal_number in (signal.SIGSTOP, signal.SIGCONT):
            for process in victims:
                # Whoever supervises may have replaced it.
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal_number)
            if signal_number is signal.SIGSTOP:
                time.sleep(self.for_s)


@dataclass(frozen=True, slots=True)
class ClockStep:
    """For a while the wall clock of all services is ahead of the real time, or behind it."""

    ahead_s: float
    for_s: float
    survived: ClassVar[bool] = True

    def happen(self, to: Installation) -> None:
        """See Disturbance."""
        assert to.clock, "an installation without a clock of its own"
        to.clock.step(self.ahead_s)
        time.sleep(self.for_s)
        to.clock.step(0)


@dataclass(frozen=True, slots=True)
class FullDisk:
    """For a while nothing can be written."""

    for_s: float
    survived: ClassVar[bool] = True

    def happen(self, to: Installation) -> None:
        """See Disturbance."""
        until = time.monotonic() + self.for_s
        with filled(to.disk.place) as fill:
            while time.monotonic() < until:
                fill()
                time.sleep(0.2)


@dataclass(frozen=True, slots=True)
class Partition:
    """For a while no packet reaches a server, or comes from it; connections stay, and stay silent."""

    name: str
    for_s: float
    survived: ClassVar[bool] = True

    def happen(self, to: Installation) -> None:
        """See Disturbance."""
        ports = {number for name, number in evidence.ports(to.data_dir).items() if name.startswith(self.name)}
        served = "{ " + ", ".join(map(str, sorted(ports))) + " }"
        with network.losing(f"tcp dport {served}", f"tcp sport {served}"):
            time.sleep(self.for_s)


@dataclass(frozen=True, slots=True)
class Loss:
    """For a while some of all packets are lost."""

    percent: int
    for_s: float
    survived: ClassVar[bool] = True

    def happen(self, to: Installation) -> None:  # noqa: ARG002 -- of the protocol
        """See Disturbance."""
        with network.losing(f"numgen random mod 100 < {self.percent}"):
            time.sleep(self.for_s)


def _tree(data_dir: Path, name: str) -> list[psutil.Process]:
    """The process and all below it; those above first, so that none is replaced before it is hit."""
    process = processes(data_dir)[name]
    return [process, *process.children(recursive=True)]
