"""The children of workers as processes, over the objects of a folder."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from services.kit.child_process import ChildProcess
from tests.support.waiting import DEADLINE_S

_REPOSITORY = Path(__file__).parents[2]


def environment(folder: Path) -> dict[str, str]:
    """Of a child whose objects, packs and work are below the folder."""
    return os.environ | {
        "LOUPE_OBJECTS_DIR": str(folder / "objects"),
        "LOUPE_CACHE_DIR": str(folder / "cache"),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(_REPOSITORY),
    }


@contextlib.asynccontextmanager
async def child(module: str, folder: Path, *arguments: str):
    """A child, and its log."""
    output: list[str] = []
    process = await ChildProcess.spawn(
        [sys.executable, "-m", module, *arguments],
        on_output=lambda _stream, line: output.append(line),
        environ=environment(folder),
    )
    async with process, asyncio.timeout(DEADLINE_S):
        yield process, output


async def until(events, *names: str) -> list[dict[str, Any]]:
    """Events up to and including the first of the named."""
    seen = []
    async for event in events:
        seen.append(event)
        if event["event"] in names:
            return seen
    raise AssertionError(f"the child ended; it told {[its['event'] for its in seen]}")
