"""Runs a target in a process of its own, input after input, and keeps each input that breaks something.

The child writes every input into shared memory before the target sees it, limits its own memory, and moves
the limit of its processor time ahead of each input. So whatever ends it, the parent has the input, says what
happened, and begins another child after it. An input follows from target, seed and number alone.
"""

import argparse
import collections
import importlib
import itertools
import json
import math
import mmap
import os
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import IO, Any, cast

from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]
_MIB = 2**20
_HEAD = struct.Struct("<qQ")
"""Number and size of the input that is read."""
_ROOM_BYTES = 4 * _MIB
_REPORT_EVERY_S = 1.0
_WALL_FACTOR = 60
"""A child may wait for a busy machine; one that waits so much longer than it may work hangs."""
_LIMIT_FACTOR = 2
"""Beyond its memory the child is told from the outside, beyond so much of it an allocation fails."""
_MOST_DEATHS = 20
_FEW_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
"""Each thread, and each arena of malloc, takes address space, which is what the child limits."""
_COUNTED = 1.2
"""Of a process that has done much, the kernel counts more against the limit than it used."""
MANY = 2**62
TOO_SLOW = "it takes more processor time than it may"
TOO_MUCH_MEMORY = "it takes more memory than it may"


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that broke something."""

    kind: str
    """What broke; the same for all inputs that break it in the same place."""
    told: str
    number: int
    data: bytes


@dataclass(slots=True)
class Outcome:
    """What came of many inputs."""

    inputs: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    """Of a processor, for one input."""
    most_mib: int = 0
    """The largest growth of the process."""
    verdicts: collections.Counter[str] = field(default_factory=collections.Counter)
    """How often the product made what of an input."""
    findings: dict[str, Finding] = field(default_factory=dict)
    """The first of each kind."""
    broken: int = 0
    """How many inputs broke something."""

    def add(self, finding: Finding) -> None:
        """Count it, and keep the first of its kind."""
        self.broken += 1
        self.findings.setdefault(finding.kind, finding)


def run(target: str, seed: int, *, inputs: int = MANY, seconds: float = math.inf, first: int = 0) -> Outcome:
    """Give a target so many inputs, or as many as it takes in so many seconds; `target` is MODULE:CLASS."""
    outcome = Outcome()
    began_s = time.monotonic()
    for _ in range(_MOST_DEATHS):
        left_s = seconds - (time.monotonic() - began_s)
        if left_s <= 0 or outcome.inputs >= inputs:
            break
        begin, end = first + outcome.inputs, first + inputs
        _run_child(
            outcome, target, begin, f"--seed={seed} --first={begin} --end={end} --seconds={left_s}".split()
        )
    outcome.seconds = time.monotonic() - began_s
    return outcome


def run_one(target: str, data: bytes) -> Outcome:
    """Give a target this input, within the same bounds."""
    outcome = Outcome()
    with tempfile.NamedTemporaryFile(prefix="loupe-fuzz-input-") as file:
        file.write(data)
        file.flush()
        _run_child(outcome, target, 0, ["--input", file.name])
    return outcome


def _run_child(outcome: Outcome, target: str, begin: int, arguments: list[str]) -> None:
    """Run a child until it ends, and take down what it says and what ended it."""
    with tempfile.NamedTemporaryFile(prefix="loupe-fuzz-") as shared:
        shared.write(_HEAD.pack(begin - 1, 0))
        shared.truncate(_HEAD.size + _ROOM_BYTES)
        command = [sys.executable, "-m", "tests.fuzz.running", target, shared.name, *arguments]
        environment = {**os.environ, **_FEW_THREADS}
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment) as process:
            _listen(outcome, process, Path(shared.name), begin)
            returncode = process.wait()
        number, data = _current(Path(shared.name))
        outcome.inputs += number + 1 - begin
        if returncode:
            if number < begin:
                raise RuntimeError(f"{target} does not start (exit code {returncode}); its error is above")
            outcome.add(Finding(_death(returncode), f"the process ended with {returncode}", number, data))


def _listen(outcome: Outcome, process: "subprocess.Popen[bytes]", shared: Path, begin: int) -> None:
    """Take down what a child says; ends one that stays at an input."""
    stdout = cast("IO[bytes]", process.stdout)
    at, since_s, allowed_s = -1, time.monotonic(), math.inf
    while True:
        if select.select([stdout], [], [], 1.0)[0]:
            line = stdout.readline()
            if not line:
                return
            said = json.loads(line)
            if "allowed_s" in said:
                allowed_s = _WALL_FACTOR * said["allowed_s"]
            elif "kind" in said:
                data = bytes.fromhex(said["data"])
                outcome.add(Finding(said["kind"], said["told"], said["number"], data))
            else:
                outcome.verdicts.update(said["verdicts"])
                outcome.slowest_s = max(outcome.slowest_s, said["slowest_s"])
                outcome.most_mib = max(outcome.most_mib, said["most_mib"])
        number, _ = _current(shared)
        if number != at:
            at, since_s = number, time.monotonic()
        elif number >= begin and time.monotonic() - since_s > allowed_s:
            process.kill()


def _current(shared: Path) -> tuple[int, bytes]:
    with shared.open("rb") as file:
        number, size = _HEAD.unpack(file.read(_HEAD.size))
        return number, file.read(size)


def _death(returncode: int) -> str:
    if returncode == -signal.SIGXCPU:
        return TOO_SLOW
    if returncode == -signal.SIGKILL:
        return "it does not end"
    if returncode < 0:
        return f"it crashes the process ({signal.Signals(-returncode).name})"
    return "it ends the process"


# --- the child ----------------------------------------------------------------------------------------------


def _main() -> None:
    warnings.simplefilter("ignore")  # what Pillow says of each odd file
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("shared", type=Path)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--end", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--input", type=Path)
    options = parser.parse_args()
    until_s = time.monotonic() + options.seconds
    module, _, name = options.target.partition(":")
    target: Target = getattr(importlib.import_module(module), name)()
    inputs: Iterator[tuple[int, bytes]] = (
        (number, target.make(Random(f"{options.seed} {name} {number}")))
        for number in itertools.takewhile(
            lambda number: number < options.end and time.monotonic() < until_s, itertools.count(options.first)
        )
    )
    if options.input:
        inputs = iter([(0, options.input.read_bytes())])
    with target, options.shared.open("r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
        _work(target, inputs, shared)


def _work(target: Target, inputs: Iterator[tuple[int, bytes]], shared: mmap.mmap) -> None:
    _say(allowed_s=target.cpu_s)
    base_mib = _peak_mib()
    limit = _size_bytes() + _LIMIT_FACTOR * target.memory_mib * _MIB
    # Only the soft limit: what the target starts has limits of its own.
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    count = _Count()
    while batch := list(itertools.islice(inputs, target.batch)):
        number, data = batch[-1]
        shared[: _HEAD.size] = _HEAD.pack(number, len(data))
        shared[_HEAD.size : _HEAD.size + len(data)] = data
        # The limit is of whole seconds; what takes a little more is told below.
        soft = math.ceil(_COUNTED * time.process_time() + target.cpu_s) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
        results = target.run_batch([data for _, data in batch])
        grown_mib = _peak_mib() - base_mib
        for (number, data), result in zip(batch, results, strict=True):
            faults = {}
            if isinstance(result.verdict, Exception):
                faults[_place(result.verdict)] = "".join(traceback.format_exception(result.verdict))
            if result.cpu_s > target.cpu_s:
                faults[TOO_SLOW] = f"{result.cpu_s:.1f} s of a processor; it may take {target.cpu_s:g}"
            if grown_mib > target.memory_mib:
                faults[TOO_MUCH_MEMORY] = f"{grown_mib} MiB; it may take {target.memory_mib}"
                base_mib += grown_mib
            for kind, told in faults.items():
                _say(kind=kind, told=told[-6000:], number=number, data=data.hex())
            count.add("broken" if faults else str(result.verdict), result.cpu_s, grown_mib)
    count.report()


class _Count:
    """What was done since the last report."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._reported_s = time.monotonic()
        self._slowest_s, self._most_mib = 0.0, 0
        self._verdicts: collections.Counter[str] = collections.Counter()

    def add(self, verdict: str, used_s: float, grown_mib: int) -> None:
        self._verdicts[verdict] += 1
        self._slowest_s = max(self._slowest_s, used_s)
        self._most_mib = max(self._most_mib, grown_mib)
        if time.monotonic() - self._reported_s > _REPORT_EVERY_S:
            self.report()

    def report(self) -> None:
        _say(verdicts=self._verdicts, slowest_s=self._slowest_s, most_mib=self._most_mib)
        self._clear()


def _place(error: Exception) -> str:
    """Where an error came from: its type, and the last lines of ours that it passed."""
    frames = [
        f"{Path(frame.filename).relative_to(ROOT)}:{frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(ROOT) and ".venv" not in frame.filename
    ]
    return f"{type(error).__name__} in {' < '.join(reversed(frames[-2:]))}"


def _peak_mib() -> int:
    # What `getrusage` says includes the process from which this one was forked.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) // 1024 if found else 0


def _size_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _say(**message: Any) -> None:  # noqa: ANN401 -- JSON
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    _main()
