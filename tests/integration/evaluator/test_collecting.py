"""Predicted masks are deleted when no report names them (T7)."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from loupe.evaluator.v1 import report_pb2

from services.evaluator.application.collecting import FOLDERS
from services.kit.orphans import ORPHAN_GRACE, Collector
from services.vision.masks import encode_labels
from tests.integration.evaluator.conftest import ReportServiceUnderTest


async def stored(service: ReportServiceUnderTest, path: Path, data: bytes) -> str:
    await asyncio.to_thread(path.write_bytes, data)
    key = await service.store.put_content("masks", path, suffix=".png", content_type="image/png")
    return key.removeprefix("masks/").removesuffix(".png")


async def test_t7_a_mask_goes_when_no_report_names_it_and_not_before(
    reports: ReportServiceUnderTest, tmp_path: Path
) -> None:
    """A young mask may still get its report, so it stays; an old one without a report is deleted."""
    named = await stored(reports, tmp_path / "a", encode_labels(np.eye(8, dtype=np.uint8)))
    await reports.store.put_bytes("masks/README.txt", b"what is no content is nobody's to delete")
    orphan = await stored(reports, tmp_path / "b", encode_labels(np.ones((8, 8), np.uint8)))
    await reports.create(
        [
            report_pb2.SampleResult(
                file="TPFIP/1.png",
                sha256="cd" * 32,
                true_code="TPFIP",
                predicted_code="TPFIP",
                verdict=report_pb2.VERDICT_CORRECT,
                confidence=0.9,
                decided_by=report_pb2.DECIDED_BY_REGION,
                predicted_mask_sha256=named,
            )
        ]
    )

    async def left(after: timedelta) -> set[str]:
        collector = Collector(reports.database.sessions, reports.store, FOLDERS)
        await collector.collect(ORPHAN_GRACE - after)
        later = datetime.now(UTC) + timedelta(days=9)
        return {key async for keys in reports.store.old_keys("masks/", later) for key in keys}

    assert await left(timedelta(hours=1)) == {f"masks/{named}.png", f"masks/{orphan}.png", "masks/README.txt"}
    assert await left(timedelta(days=2)) == {f"masks/{named}.png", "masks/README.txt"}
    async with reports.database.sessions.begin() as session:
        await reports.use_cases.delete_of_task(session, "tasks/1")
    assert await left(timedelta(days=2)) == {"masks/README.txt"}
