"""What the scheduler's rows name and announce, compared with what is stored."""

from typing import Any

from loupe.server.v1 import server_pb2, server_service_pb2

from services.kit.messaging import Messaging
from tests.support.waiting import eventually

Finding = server_pb2.StorageFinding


async def check(
    stack: Any,
) -> tuple[server_service_pb2.CheckStorageResponse, dict[str, server_pb2.StorageFinding]]:
    """The last counts, and the findings by subject."""
    findings = {}
    async for response in stack.admin.server.CheckStorage(
        server_service_pb2.CheckStorageRequest(name="servers/scheduler")
    ):
        findings.update({finding.subject: finding for finding in response.findings})
    return response, findings


async def test_events_that_the_stream_lost_are_found(bench: Any) -> None:
    """I2: a subscriber that follows the stream would never hear of the task."""
    task = await bench.submit()
    subject = f"loupe.{task.name.replace('/', '.')}.state"
    async with await Messaging.connect(bench.stack.environment["LOUPE_NATS_URL"]) as messaging:

        async def stored() -> bool:
            info = await messaging.ask_jetstream("STREAM.INFO.TASKS", {"subjects_filter": subject})
            return bool(info["state"].get("subjects"))

        await eventually(stored)
        before, findings = await check(bench.stack)
        assert before.event_count > 0
        assert subject not in findings
        await messaging.jetstream.purge_stream("TASKS", subject=subject)
        after, findings = await check(bench.stack)
    assert findings[subject].kind == Finding.KIND_EVENT_MISSING
    assert after.lost_count == before.lost_count + 1


async def test_weights_that_are_gone_are_found_with_their_task(bench: Any) -> None:
    """R3: a version whose weights are gone must be known before somebody needs it."""
    task = await bench.completed()
    key = f"weights/{task.weights_sha256}.safetensors"
    _, findings = await check(bench.stack)
    # The test's worker stored none.
    assert findings[key].kind == Finding.KIND_MISSING
    assert findings[key].resource.startswith("tasks/")
