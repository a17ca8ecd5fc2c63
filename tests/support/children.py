"""The children of workers as processes, over the objects of a folder."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from loupe.worker.v1 import event_pb2

from services.kit.child_process import ChildProcess
from services.worker.warm_child import Child
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
        yield Child(process), output


async def until(events: AsyncIterator[event_pb2.Event], *kinds: str) -> list[event_pb2.Event]:
    """Events up to and including the first of the kinds."""
    seen = []
    async for event in events:
        seen.append(event)
        if event.WhichOneof("event") in kinds:
            return seen
    raise AssertionError(f"the child ended; it sent {[event.WhichOneof('event') for event in seen]}")
