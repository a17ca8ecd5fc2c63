"""The children as processes: what a worker sees of them."""

import os
import signal
from pathlib import Path

from tests.support.children import child, until
from tests.support.training import small_data_set, train_order


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
    async with child("services.evaluator.worker.child", tmp_path) as (process, _):
        await until(process.events(), "ready")
        os.kill(process.pid, signal.SIGTERM)
        assert await process.wait() == 143
