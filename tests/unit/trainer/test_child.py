"""The children as processes: what a worker sees of them."""

import os
import signal
from pathlib import Path

from loupe.worker.v1 import order_pb2

from tests.support.children import child, until
from tests.support.training import small_data_set, train_order


async def test_a_warm_child_takes_order_after_order_and_survives_a_user_fault(tmp_path):
    """Importing torch costs seconds: one bad order must not cost the next task another start."""
    data_set = small_data_set(tmp_path / "objects")
    order = train_order(data_set.manifest(), classification={"max_iter": 2})
    async with child("services.trainer.child", tmp_path) as (warm, output):

        async def fault_of(wrong: order_pb2.Order) -> tuple[str, bool]:
            await warm.send(wrong)
            failed = (await until(warm.events, "failed"))[-1].failed
            return failed.failure.code, failed.retryable

        (ready,) = await until(warm.events, "ready")
        assert ready.HasField("ready")
        unknown_network = train_order(data_set.manifest(), classification_network="ResNet19")
        assert await fault_of(unknown_network) == ("BAD_ORDER", False)
        assert await fault_of(train_order("0" * 64)) == ("OBJECT_MISSING", True)
        assert await fault_of(order_pb2.Order(predict=order_pb2.Predict())) == ("BAD_ORDER", False)
        await warm.process.send({"dance": {}})
        assert (await until(warm.events, "failed"))[-1].failed.failure.code == "BAD_ORDER"
        await warm.send(order)
        (*_, finished) = await until(warm.events, "trained", "failed")
        assert finished.HasField("trained"), output
        assert Path(finished.trained.weights_path).stat().st_size > 40_000_000  # noqa: ASYNC240


async def test_sigterm_saves_a_checkpoint_and_ends_with_143(tmp_path):
    """A machine that is drained loses no work: the next one goes on from here."""
    data_set = small_data_set(tmp_path / "objects")
    order = train_order(data_set.manifest(), classification={"max_iter": 10_000})
    async with child("services.trainer.child", tmp_path) as (warm, _):
        await until(warm.events, "ready")
        await warm.send(order)
        await until(warm.events, "loss_points")
        os.kill(warm.pid, signal.SIGTERM)
        file = (await until(warm.events, "checkpoint"))[-1].checkpoint
        assert await warm.process.wait() == 143
        assert file.checkpoint.next_iteration >= 1
        assert Path(file.path).exists()  # noqa: ASYNC240


async def test_sigterm_ends_an_idle_child_at_once(tmp_path):
    async with child("services.evaluator.worker.child", tmp_path) as (warm, _):
        await until(warm.events, "ready")
        os.kill(warm.pid, signal.SIGTERM)
        assert await warm.process.wait() == 143
