"""A target of fuzzing that breaks in every way that there is."""

import os
import signal
import time
from random import Random

from tests.fuzz.target import Target

KINDS = (b"taken", b"raises", b"crashes", b"works on", b"waits", b"grows")


class Breaks(Target):
    """Each input says what it does to the process."""

    cpu_s = 1.0
    memory_mib = 64

    def make(self, random: Random) -> bytes:
        """One of the kinds, and a number."""
        return random.choice(KINDS[:2]) + b" %d" % random.randrange(1000)

    def run(self, data: bytes) -> str:
        """Do it."""
        if data.startswith(b"raises"):
            raise ValueError(data)
        if data.startswith(b"crashes"):
            os.kill(os.getpid(), signal.SIGSEGV)
        while data.startswith(b"works on"):
            pass
        if data.startswith(b"waits"):
            time.sleep(3600)
        if data.startswith(b"grows"):
            len(os.urandom(100 * 2**20))
        return "taken"


class BreaksInTurn(Breaks):
    """Each input breaks something, in one way or another."""

    _order = (b"crashes", b"grows", b"raises")

    def make(self, random: Random) -> bytes:
        """One of the ways."""
        return random.choice(self._order)
