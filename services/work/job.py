"""A job in hand: its heartbeat, what is still to be reported, and its files on their way to storage."""

import asyncio
import contextlib
import logging
import time
from dataclasses import replace
from pathlib import Path

from loupe.errors import LoupeError

from services.kit import tasks
from services.kit.database import retrying_transient
from services.kit.object_store import ObjectStore
from services.work.jobs import Jobs
from services.work.unreported import Unreported
from services.work.values import Checkpoint, Lease, Network, Report, Stage

_log = logging.getLogger(__name__)

# M5: a point is on a screen within 200 ms. A child speaks every 50 ms at most: what it says goes out at once,
# and only what comes while a report is under way, or right after one, goes out together.
_REPORT_INTERVAL_S = 0.04
# T2 leaves 10 s from the wish to its confirmation; the child may take 5 of them.
_MAX_HEARTBEAT_S = 2.0


class JobInHand:
    """One lease while it is held. `run` keeps it; everything else talks to the scheduler through it."""

    def __init__(self, lease: Lease, jobs: Jobs, objects: ObjectStore, *, max_unreported_bytes: int) -> None:
        self.lease = lease
        self.unreported = Unreported()
        self.cancel_requested = asyncio.Event()
        self._jobs = jobs
        self._objects = objects
        self._max_unreported_bytes = max_unreported_bytes
        self._begun = asyncio.Event()
        self._changed = asyncio.Event()
        self._confirmed = asyncio.Condition()
        self._checkpoint: tuple[Path, int, Network] | None = None
        self._checkpoint_changed = asyncio.Event()
        self._checkpoints_settled = asyncio.Event()
        self._checkpoints_settled.set()
        self._uploads: asyncio.Task[None] | None = None
        self._contact_sheet: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Heartbeats, reports and checkpoints until cancelled. Raises LeaseLost."""
        self._uploads = asyncio.create_task(self._upload_checkpoints())
        try:
            await self._report()
        finally:
            uploads = (self._uploads, self._contact_sheet)
            await tasks.end(*(task for task in uploads if task is not None))

    async def begun(self) -> None:
        """Return when the scheduler has said where the attempt's log goes on."""
        await self._begun.wait()

    async def heard(self) -> None:
        """Something was added: send it soon. Waits while too much is unsent, and so does the child."""
        self._changed.set()
        if self.unreported.size_bytes > self._max_unreported_bytes:
            async with self._confirmed:
                await self._confirmed.wait_for(
                    lambda: self.unreported.size_bytes <= self._max_unreported_bytes
                )

    async def flush(self) -> None:
        """Return when the scheduler knows everything that was said so far, what is being stored included."""
        await self._checkpoints_settled.wait()
        if self._contact_sheet is not None:
            await asyncio.wait({self._contact_sheet})
        self._changed.set()
        async with self._confirmed:
            await self._confirmed.wait_for(lambda: self.unreported.is_empty)

    def keep_contact_sheet(self, path: Path, stage: Stage) -> None:
        """Upload the picture and report it with its stage, beside the job."""
        self._contact_sheet = asyncio.create_task(self._upload_contact_sheet(path, stage))

    def keep_checkpoint(self, path: Path, next_iteration: int, network: Network) -> None:
        """Upload the file and report it, beside the job; a newer one overtakes one that was not begun."""
        if self._checkpoint is not None:
            self._checkpoint[0].unlink(missing_ok=True)
        self._checkpoint = (path, next_iteration, network)
        self._checkpoints_settled.clear()
        self._checkpoint_changed.set()

    def drop_checkpoint(self) -> None:
        """The job will not go on: nobody waits for what is still being uploaded."""
        if self._uploads is not None:
            self._uploads.cancel()
        self.unreported.set_checkpoint(None)
        self._checkpoints_settled.set()

    async def store(
        self, prefix: str, path: Path, suffix: str, content_type: str = "application/octet-stream"
    ) -> str:
        """Upload the file under its hash, however long storage is away, and remove it; returns the hash."""
        key = await retrying_transient(
            lambda: self._objects.put_content(prefix, path, suffix=suffix, content_type=content_type),
            what=f"upload of {prefix} for {self.lease.job}",
        )
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return key.rpartition("/")[2].removesuffix(suffix)

    async def _report(self) -> None:
        heartbeat_s = min(self.lease.duration_s / 3, _MAX_HEARTBEAT_S)
        answer = await self._jobs.report(self.lease, Report())
        self.unreported.begin(answer.positions)
        self._begun.set()
        while True:
            if answer.cancel_requested:
                self.cancel_requested.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(heartbeat_s):
                    await self._changed.wait()
            self._changed.clear()
            started_s = time.monotonic()
            report = self.unreported.next_report()
            answer = await self._jobs.report(self.lease, report)
            async with self._confirmed:
                self.unreported.confirm(report, answer.positions)
                self._confirmed.notify_all()
            if not self.unreported.is_empty:
                self._changed.set()
            await asyncio.sleep(max(0.0, started_s + _REPORT_INTERVAL_S - time.monotonic()))

    async def _upload_contact_sheet(self, path: Path, stage: Stage) -> None:
        try:
            sha256 = await self.store("contact-sheets", path, ".jpg", "image/jpeg")
        except (LoupeError, OSError):
            # It is there to be looked at; the training is as good without it.
            _log.exception("a contact sheet was not stored", extra={"job": self.lease.job})
            return
        self.unreported.set_stage(replace(stage, contact_sheet_sha256=sha256))
        self._changed.set()

    async def _upload_checkpoints(self) -> None:
        while True:
            await self._checkpoint_changed.wait()
            self._checkpoint_changed.clear()
            while self._checkpoint is not None:
                path, next_iteration, network = self._checkpoint
                self._checkpoint = None
                try:
                    sha256 = await self.store("checkpoints", path, ".safetensors")
                except (LoupeError, OSError):
                    # Without it a fault costs more work; that is no reason to end the work now.
                    _log.exception("a checkpoint was not stored", extra={"job": self.lease.job})
                    continue
                self.unreported.set_checkpoint(Checkpoint(sha256, next_iteration, network))
                self._changed.set()
            self._checkpoints_settled.set()
