"""The children as processes: what a worker sees of them."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from services.kit.child_process import ChildProcess
from tests.support.training import small_data_set, train_order

DEADLINE_S = 240


@contextlib.asynccontextmanager
async def child(module: str, tmp_path: Path):
    """A child that reads objects from a folder, and its log."""
    output: list[str] = []
    environ = os.environ | {
        "LOUPE_OBJECTS_DIR": str(tmp_path / "objects"),
        "LOUPE_CACHE_DIR": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path),
    }
    process = await ChildProcess.spawn(
        [sys.executable, "-m", module],
        on_output=lambda _stream, line: output.append(line),
        environ=environ,
        cwd=str(Path(__file__).parents[3]),
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


async def test_a_warm_child_takes_order_after_order_and_survives_a_user_fault(tmp_path):
    """Importing torch costs seconds: one bad order must not cost the next task another start."""
    data_set = small_data_set(tmp_path / "objects")
    order = train_order(data_set.manifest(), classification={"max_iter": 2})
    async with child("services.trainer.child", tmp_path) as (process, output):
        events = process.events()
        assert await until(events, "ready") == [{"event": "ready"}]
        await process.send({"order": "train", "work": order | {"network": "ResNet19"}})
        failed = (await until(events, "failed"))[-1]
        assert (failed["code"], failed["user_fault"], failed["retryable"]) == ("BAD_ORDER", True, False)
        await process.send({"order": "train", "work": order | {"manifests": ["0" * 64]}})
        failed = (await until(events, "failed"))[-1]
        assert (failed["code"], failed["user_fault"], failed["retryable"]) == (
            "OBJECT_UNAVAILABLE",
            False,
            True,
        )
        await process.send({"order": "dance"})
        assert (await until(events, "failed"))[-1]["code"] == "BAD_ORDER"
        await process.send({"order": "train", "work": order})
        finished = (await until(events, "finished", "failed"))[-1]
        assert finished["event"] == "finished", output
        assert Path(finished["weights_path"]).stat().st_size > 40_000_000  # noqa: ASYNC240


async def test_sigterm_saves_a_checkpoint_and_ends_with_143(tmp_path):
    """A machine that is drained loses no work: the next one goes on from here."""
    data_set = small_data_set(tmp_path / "objects")
    order = train_order(data_set.manifest(), classification={"max_iter": 10_000})
    async with child("services.trainer.child", tmp_path) as (process, _):
        events = process.events()
        await until(events, "ready")
        await process.send({"order": "train", "work": order})
        await until(events, "loss")
        os.kill(process.pid, signal.SIGTERM)
        checkpoint = (await until(events, "checkpoint"))[-1]
        assert await process.wait() == 143
        assert checkpoint["iteration"] >= 1
        assert Path(checkpoint["path"]).exists()  # noqa: ASYNC240


async def test_sigterm_ends_an_idle_child_at_once(tmp_path):
    async with child("services.evaluator.child", tmp_path) as (process, _):
        await until(process.events(), "ready")
        os.kill(process.pid, signal.SIGTERM)
        assert await process.wait() == 143
