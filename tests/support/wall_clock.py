"""A service whose machine's clock is wrong, as a process of its own.

`python -m tests.support.wall_clock` runs a module of the product with a wall clock that is ahead of the real
one by the seconds in a file, which the test writes when the clock is to step. The monotonic clock is right.
"""

import datetime as dt
import mmap
import os
import runpy
import struct
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from tests.support.services import service_process

_MODULE = "TEST_CLOCK_MODULE"
_FILE = "TEST_CLOCK_FILE"
_FORMAT = "d"


class WallClock:
    """The clock of one machine, as its test sets it."""

    def __init__(self, file: Path, ahead_s: float = 0.0) -> None:
        self._file = file
        self.set_ahead(ahead_s)

    def set_ahead(self, seconds: float) -> None:
        """Step to so many seconds after the real time, or before it if they are negative."""
        self._file.touch()
        with self._file.open("r+b") as file:
            file.write(struct.pack(_FORMAT, seconds))

    def environment(self, module: str) -> dict[str, str]:
        """For `python -m tests.support.wall_clock`, which runs the module under this clock."""
        return {_MODULE: module, _FILE: str(self._file)}


@asynccontextmanager
async def service_under(
    clock: WallClock, module: str, environment: Mapping[str, str], log: Path
) -> AsyncIterator[str]:
    """The address of a service whose machine has that clock."""
    settings = {**environment, **clock.environment(module)}
    async with service_process("tests.support.wall_clock", settings, log) as (_, address):
        yield address


def _shift(file: Path) -> None:
    """Replace the functions that read the wall clock. Imports after this get the replacements."""
    with file.open("rb") as opened:
        ahead = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
    real_time, real_datetime = time.time, dt.datetime

    def shifted_time() -> float:
        seconds: float = struct.unpack(_FORMAT, ahead[:])[0]
        return real_time() + seconds

    class Shifted(type):
        """All times are of the replacement's type, also those that libraries in C make."""

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real_datetime)

    class ShiftedDatetime(dt.datetime, metaclass=Shifted):
        __slots__ = ()

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Self:
            return cls.fromtimestamp(shifted_time(), tz)

        @classmethod
        def utcnow(cls) -> Self:
            return cls.now(dt.UTC).replace(tzinfo=None)

    replaced: dict[Any, dict[str, Any]] = {
        time: {"time": shifted_time, "time_ns": lambda: int(shifted_time() * 1e9)},
        dt: {"datetime": ShiftedDatetime},
    }
    for module, functions in replaced.items():
        for name, function in functions.items():
            setattr(module, name, function)


if __name__ == "__main__":
    _shift(Path(os.environ[_FILE]))
    # What was imported to read these lines is imported anew under the shifted clock.
    for name in [name for name in sys.modules if name.partition(".")[0] in {"services", "loupe", "tests"}]:
        del sys.modules[name]
    runpy.run_module(os.environ[_MODULE], run_name="__main__", alter_sys=True)
