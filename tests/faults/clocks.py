"""The wall clock of an installation's services, which a test can step: by libfaketime, where it is installed.

PostgreSQL, NATS and the object store keep the real time, as machines of their own, and monotonic clocks are
right.
"""

from pathlib import Path

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
"""Where it is; none where it is not installed."""


class NoClock(Exception):
    """No clock can be stepped here; says why."""


class Clock:
    """The clock of all services that are started with its environment."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.step(0)

    def step(self, ahead_s: float) -> None:
        """Set it to so many seconds after the real time, or before it if they are negative."""
        # Renamed: a process that reads it meanwhile finds the old time or the new one.
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead_s:+}\n")
        new.replace(self._file)

    def environment(self) -> dict[str, str]:
        """Of the services. Raises NoClock."""
        if not LIBRARIES:
            raise NoClock("there is no libfaketime")
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
