"""What a target of fuzzing is, and what must hold of whatever it is told."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Self

_MOST_CHARACTERS = 20_000
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")


class Broken(Exception):
    """The product did what it must not do with an input."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one input."""

    verdict: str | Exception
    """What the product made of it, in a word or two; or what it raised, which is a finding."""
    cpu_s: float


class Target:
    """A part of the product that reads bytes of strangers, in a process of its own."""

    cpu_s = 10.0
    """Seconds of a processor that one input may take."""
    memory_mib = 256
    """Memory that one input may take, beside what the process has when it begins."""
    batch = 1
    """Inputs that are given at once. With more than one, another process must be the one that may crash."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def make(self, random: Random) -> bytes:
        """An input: the same for the same `random`."""
        raise NotImplementedError

    def run(self, data: bytes) -> str:
        """What the product makes of an input; whatever it raises is a finding."""
        raise NotImplementedError

    def run_batch(self, inputs: Sequence[bytes]) -> list[Result]:
        """What comes of each of a batch."""
        results = []
        for data in inputs:
            began_s = time.process_time()
            try:
                verdict: str | Exception = self.run(data)
            except Exception as error:  # noqa: BLE001 -- all that it raises is a finding
                verdict = error
            results.append(Result(verdict, time.process_time() - began_s))
        return results


def check_told(text: str) -> None:
    """Broken if a sentence cannot be shown, stored and compared: it is told of an input, not of a machine."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Broken(f"the sentence is no UTF-8: {text[:300]!r}") from error
    if not text.strip():
        raise Broken("there is no sentence")
    if "\0" in text:
        raise Broken(f"PostgreSQL cannot store the sentence: {text[:300]!r}")
    if _ADDRESS.search(text):
        raise Broken(f"the sentence has an address of this process: {text[:300]!r}")
    if len(text) > _MOST_CHARACTERS:
        raise Broken(f"the sentence has {len(text):,} characters: {text[:100]!r}…")
