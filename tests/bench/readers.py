"""Measures 500 readers of one training's loss over server-sent events (M5), and what they cost the trainer.

    python -m tests.bench readers [--readers 500] [--seconds 20]

A whole embedded stack trains on one thread. Windows without readers and with them take turns; the ratio of
the step rates is what readers cost. They run on the same machine in one process of their own, whose processor
time is told beside that of the stack's, because on two cores it is taken from the trainer too.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from loupe.client import AsyncLoupe
from loupe.folders import read_folder
from loupe.profile import Profile, load_profile
from loupe.sample import write_sample
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from deploy.embedded import stack
from tests.bench.stack import small_image, submit

_ROUNDS = 2
_SETTLE_S = 5.0
_WATCHED = ("gateway", "scheduler", "trainer-1")


def measure(*arguments: str) -> dict[str, Any]:
    """Start a stack in a temporary folder, measure it, stop it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args(arguments)
    os.environ["LOUPE_TORCH_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as folder:
        data_dir = Path(folder) / "stack"
        try:
            stack.up(data_dir, detach=True)
            return asyncio.run(
                _measure_running(data_dir, Path(folder) / "images", options.readers, options.seconds)
            )
        finally:
            stack.down(data_dir)


async def _measure_running(data_dir: Path, images: Path, readers: int, seconds: float) -> dict[str, Any]:
    profile = load_profile(data_dir)
    pids = {process.name: process.pid for process in stack.status(data_dir).processes}
    processes = {name: psutil.Process(pids[name]) for name in _WATCHED}
    rates: dict[str, list[float]] = {"without": [], "with": []}
    seen: list[dict[str, Any]] = []
    spent: list[dict[str, float]] = []
    memory_mb = [_memory_mb(processes["gateway"])]
    async with AsyncLoupe.connect(data_dir) as loupe, _training(loupe, images) as (task, steps):
        for _ in range(_ROUNDS):
            rates["without"].append(await _rate(steps, seconds))
            async with _reading(profile, task, readers, seconds) as reading:
                before = _cpu_s(processes, reading.pid)
                rates["with"].append(await _rate(steps, seconds))
                after = _cpu_s(processes, reading.pid)
                memory_mb.append(_memory_mb(processes["gateway"]))
                told, _ = await reading.communicate()
            seen.append(json.loads(told))
            spent.append({name: (after[name] - before[name]) / seconds for name in after})
        rates["without"].append(await _rate(steps, seconds))
        memory_mb.append(_memory_mb(processes["gateway"]))
    return {
        "readers": readers,
        "events that a reader got": [round(window["events"] / readers) for window in seen],
        "step to reader, p50, ms": [window["p50, ms"] for window in seen],
        "step to reader, p99, ms": [window["p99, ms"] for window in seen],
        "points missed or doubled": sum(window["gaps"] for window in seen),
        "steps/s without readers": [round(rate, 2) for rate in rates["without"]],
        "steps/s with readers": [round(rate, 2) for rate in rates["with"]],
        "steps with readers as a ratio to without": round(
            statistics.mean(rates["with"]) / statistics.mean(rates["without"]), 3
        ),
        "cores taken while reading": {
            name: round(statistics.mean(window[name] for window in spent), 2) for name in spent[0]
        },
        "gateway's memory before, with (each round) and after, MB": memory_mb,
    }


@contextlib.asynccontextmanager
async def _training(loupe: AsyncLoupe, images: Path) -> AsyncIterator[tuple[str, list[int]]]:
    """A task that trains, and a list whose only number is how many steps it has made."""
    write_sample(images, per_code=8)
    await loupe.import_folder(read_folder(images), dataset="bench", path="main")
    task = await submit(loupe, "watched", await small_image(loupe, 67, 1_000_000), "cpu")
    steps = [0]
    begun = asyncio.Event()

    async def count() -> None:
        request = task_service_pb2.WatchLossRequest(name=task, network=task_pb2.NETWORK_CLASSIFICATION)
        async for news in loupe.tasks.WatchLoss(request):
            steps[0] = news.first_iteration + len(news.losses)
            begun.set()

    counting = asyncio.create_task(count())
    async with asyncio.timeout(300):
        await begun.wait()
    await asyncio.sleep(_SETTLE_S)
    try:
        yield task, steps
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)


async def _rate(steps: list[int], seconds: float) -> float:
    first, began_s = steps[0], time.monotonic()
    await asyncio.sleep(seconds)
    return (steps[0] - first) / (time.monotonic() - began_s)


@contextlib.asynccontextmanager
async def _reading(
    profile: Profile, task: str, readers: int, seconds: float
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Readers that all have had an event; they go on for so long and then tell what they saw."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.readers", profile.gateway_address, task),
        *(str(readers), str(seconds)),
        env={**os.environ, "LOUPE_TOKEN": profile.token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if process.stderr is None:
        raise AssertionError("stderr is a pipe")
    try:
        async with asyncio.timeout(300):
            while b"all read" not in (line := await process.stderr.readline()):
                if not line:
                    raise RuntimeError("the readers ended before they began")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _cpu_s(processes: dict[str, psutil.Process], readers: int) -> dict[str, float]:
    """Processor seconds so far of each and its children, and of the readers."""
    found: dict[str, float] = {}
    for name, process in (*processes.items(), ("readers", psutil.Process(readers))):
        family = [process, *process.children(recursive=True)]
        found[name] = sum(sum(one.cpu_times()[:2]) for one in family)
    return found


def _memory_mb(process: psutil.Process) -> int:
    return round(process.memory_info().rss / 1e6)


class _Reader:
    """One connection, as an EventSource reads it: lines, cursors, and when each event came."""

    def __init__(self, address: str, task: str, token: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._request = (
            f"GET /v1/{task}/loss:watch?network=NETWORK_CLASSIFICATION HTTP/1.1\r\nHost: {address}\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()
        self.delays_s: list[float] = []
        self.events = 0
        self.gaps = 0
        self.begun = asyncio.Event()
        self.counts = False

    async def run(self) -> None:
        """Read for ever."""
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=1 << 24)
        expected = 0
        try:
            writer.write(self._request)
            while line := await reader.readline():
                if not line.startswith(b'data: {"'):
                    continue
                now_s = time.time()
                news = json.loads(line[6:])
                if "losses" not in news or not news["losses"]:
                    continue
                self.gaps += int(news["firstIteration"]) != expected
                expected = int(news["firstIteration"]) + len(news["losses"])
                self.begun.set()
                if self.counts:
                    self.events += 1
                    made_s = datetime.fromisoformat(news["stepTime"]).timestamp()
                    self.delays_s.append(now_s - made_s)
        finally:
            writer.close()


async def _read(address: str, task: str, count: int, seconds: float) -> dict[str, Any]:
    readers = [_Reader(address, task, os.environ["LOUPE_TOKEN"]) for _ in range(count)]
    running = []
    for reader in readers:
        running.append(asyncio.create_task(reader.run()))
        await asyncio.sleep(0.005)
    for reader in readers:
        await reader.begun.wait()
    await asyncio.sleep(_SETTLE_S)
    for reader in readers:
        reader.counts = True
    print("all read", file=sys.stderr, flush=True)
    await asyncio.sleep(seconds)
    for task_ in running:
        task_.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    delays_s = [delay for reader in readers for delay in reader.delays_s]
    cuts = statistics.quantiles(delays_s, n=100)
    return {
        "events": sum(reader.events for reader in readers),
        "gaps": sum(reader.gaps for reader in readers),
        "p50, ms": round(cuts[49] * 1e3),
        "p99, ms": round(cuts[98] * 1e3),
    }


if __name__ == "__main__":
    _address, _task, _count, _seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(_read(_address, _task, int(_count), float(_seconds)))))
