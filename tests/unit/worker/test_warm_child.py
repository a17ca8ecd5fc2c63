"""The warm child of a worker, and what it leaves."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from services.worker.warm_child import WarmChild
from tests.support.waiting import DEADLINE_S

LITTERING = """
import tempfile
from services.kit.child_process import ParentLink
tempfile.mkdtemp(prefix="training-")
link = ParentLink.from_environ()
link.emit({"ready": {}})
list(link.orders())
"""


async def test_a_killed_child_leaves_nothing_behind(tmp_path: Path) -> None:
    """It cannot remove its temporary files any more, and a checkpoint in them is as large as the network."""
    scratch = tmp_path / "children"
    (scratch / "former").mkdir(parents=True)
    warm = WarmChild([sys.executable, "-c", LITTERING], os.environ, scratch=scratch)
    keeper = asyncio.create_task(warm.run())
    async with asyncio.timeout(DEADLINE_S):
        first = await warm.ready()
        left = list(scratch.glob("*/training-*"))
        assert [path.name for path in scratch.iterdir()] == [left[0].parent.name]
        os.kill(first.pid, signal.SIGKILL)
        await first.process.wait()
        second = await warm.ready()
        while second is first:
            await asyncio.sleep(0.01)
            second = await warm.ready()
    assert left[0].is_dir()  # until a checkpoint in it is stored
    warm.sweep()
    assert not left[0].exists()
    assert len(list(scratch.glob("*/training-*"))) == 1
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)
    assert not scratch.exists()
