"""A service as a process of its own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.waiting import DEADLINE_S


@asynccontextmanager
async def service_process(
    module: str, environment: Mapping[str, str], log: Path
) -> AsyncIterator[tuple[int, str]]:
    """Its process id and the address that it serves at; killed at the end, if it lives then."""
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            env={**os.environ, **environment, "LOUPE_LISTEN": "127.0.0.1:0"},
            stderr=stderr,
        )
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not (port := told_port(log, "serving")):
                assert process.returncode is None, f"see {log}"
                await asyncio.sleep(0.1)
        yield process.pid, f"127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def told_port(log: Path, message: str) -> int | None:
    """The port that a log's first line of that message tells: `serving`, or `answering probes`."""
    whole = (line for line in log.read_text().splitlines(keepends=True) if line.endswith("\n"))
    # A process that cannot start may say so in its own way.
    lines = [json.loads(line) for line in whole if line.startswith("{")]
    return next((line["port"] for line in lines if line["message"] == message), None)
