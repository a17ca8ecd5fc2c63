"""A job while its lease is held: its heartbeat, its unconfirmed reports, and its uploads."""

import asyncio
import contextlib
import logging
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from loupe.errors import LoupeError
from loupe.scheduler.v1 import job_pb2, task_pb2

from services.kit import tasks
from services.kit.metrics import Gauge, Reading
from services.kit.object_store import ObjectStore
from services.kit.retry import retry_transient
from services.worker.jobs import Jobs
from services.worker.report_buffer import Heartbeat, ReportBuffer

_log = logging.getLogger(__name__)

_CHECKPOINT_AGE = Gauge(
    "loupe_checkpoint_age_seconds",
    "seconds",
    "What a fault would cost the training now: since its last stored checkpoint, or its beginning here (T5)",
)

# M5: a point is on a screen within 200 ms. A child reports every 50 ms at most: its events are sent at
# once, and only those that arrive during a call, or right after one, are sent together.
_REPORT_INTERVAL_S = 0.04
# T2 leaves 10 s from the request to its confirmation; the child may take 5 of them.
_MAX_HEARTBEAT_S = 2.0


class HeldJob:
    """One lease while it is held. `run` keeps it; everything else reports to the scheduler through it."""

    def __init__(
        self,
        lease: job_pb2.JobLease,
        jobs: Jobs,
        objects: ObjectStore,
        *,
        max_unreported_bytes: int,
        folders: Sequence[Path],
    ) -> None:
        """`folders` are those in which the child writes: what it names elsewhere is not stored."""
        self.lease = lease
        self.buffer = ReportBuffer()
        self.cancel_requested = asyncio.Event()
        self.release_requested = asyncio.Event()
        self._jobs = jobs
        self._objects = objects
        self._max_unreported_bytes = max_unreported_bytes
        self._folders = [folder.resolve() for folder in folders]
        self._started = asyncio.Event()
        self._changed = asyncio.Event()
        self._confirmed = asyncio.Condition()
        self._checkpoint: tuple[Path, job_pb2.Checkpoint] | None = None
        self._checkpoint_changed = asyncio.Event()
        self._checkpoints_settled = asyncio.Event()
        self._checkpoints_settled.set()
        self._uploads: asyncio.Task[None] | None = None
        self._contact_sheet: asyncio.Task[None] | None = None
        self._kept_s = time.monotonic()

    async def run(self) -> None:
        """Send heartbeats and upload checkpoints until cancelled. Raises LeaseLost."""
        self._uploads = asyncio.create_task(self._upload_checkpoints())
        try:
            with _CHECKPOINT_AGE.read_by(self._checkpoint_age):
                await self._send_heartbeats()
        finally:
            uploads = (self._uploads, self._contact_sheet)
            await tasks.end(*(task for task in uploads if task is not None))

    async def started(self) -> None:
        """Return when the scheduler has answered where the attempt's log continues."""
        await self._started.wait()

    async def schedule_heartbeat(self) -> None:
        """Send what was added to the buffer soon.

        Waits while the buffer holds too much; the child's pipe then fills, and the child waits too.
        """
        self._changed.set()
        if self.buffer.size_bytes > self._max_unreported_bytes:
            async with self._confirmed:
                await self._confirmed.wait_for(lambda: self.buffer.size_bytes <= self._max_unreported_bytes)

    async def flush(self) -> None:
        """Return when the scheduler has confirmed everything so far, unfinished uploads included."""
        await self._checkpoints_settled.wait()
        if self._contact_sheet is not None:
            await asyncio.wait({self._contact_sheet})
        self._changed.set()
        async with self._confirmed:
            await self._confirmed.wait_for(lambda: self.buffer.is_empty)

    def keep_contact_sheet(self, path: Path, stage: task_pb2.Stage) -> None:
        """Upload the picture and report it with its stage, while the job runs."""
        self._contact_sheet = asyncio.create_task(self._upload_contact_sheet(path, stage))

    def keep_checkpoint(self, path: Path, checkpoint: job_pb2.Checkpoint) -> None:
        """Upload the file and report it, while the job runs; replaces one whose upload has not begun.

        PermissionError if it is not a file of the child's own.
        """
        self._require_own(path)
        if self._checkpoint is not None:
            self._checkpoint[0].unlink(missing_ok=True)
        self._checkpoint = (path, checkpoint)
        self._checkpoints_settled.clear()
        self._checkpoint_changed.set()

    def drop_checkpoint(self) -> None:
        """Cancel the upload of a checkpoint: the job will not be resumed."""
        if self._uploads is not None:
            self._uploads.cancel()
        self.buffer.set_checkpoint(None)
        self._checkpoints_settled.set()

    async def store(
        self, prefix: str, path: Path, suffix: str, content_type: str = "application/octet-stream"
    ) -> str:
        """Upload the file under its SHA-256, then delete it; returns the hash. Retries until stored.

        PermissionError if it is not a file of the child's own: the child itself could not read it.
        """
        await asyncio.to_thread(self._require_own, path)
        key = await retry_transient(
            lambda: self._objects.put_content(prefix, path, suffix=suffix, content_type=content_type),
            what=f"upload of {prefix} for {self.lease.job}",
        )
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return key.rpartition("/")[2].removesuffix(suffix)

    def _require_own(self, path: Path) -> None:
        found = path.lstat()
        inside = any(path.parent.resolve().is_relative_to(folder) for folder in self._folders)
        if not inside or not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise PermissionError(f"the child of {self.lease.job} named {path}, which is no file of its own")

    async def _send_heartbeats(self) -> None:
        heartbeat_s = min(self.lease.duration.ToTimedelta().total_seconds() / 3, _MAX_HEARTBEAT_S)
        answer = await self._jobs.report(self.lease, Heartbeat())
        self.buffer.begin(answer.positions)
        self._started.set()
        while True:
            if answer.cancel_requested:
                self.cancel_requested.set()
            if answer.release_requested:
                self.release_requested.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(heartbeat_s):
                    await self._changed.wait()
            self._changed.clear()
            started_s = time.monotonic()
            answer = await self._jobs.report(self.lease, self.buffer.next_heartbeat())
            async with self._confirmed:
                self.buffer.confirm(answer.positions)
                self._confirmed.notify_all()
            if not self.buffer.is_empty:
                self._changed.set()
            await asyncio.sleep(max(0.0, started_s + _REPORT_INTERVAL_S - time.monotonic()))

    def _checkpoint_age(self) -> list[Reading]:
        trains = self.lease.kind == job_pb2.JOB_KIND_TRAIN
        return [(time.monotonic() - self._kept_s, {})] if trains else []

    async def _upload_contact_sheet(self, path: Path, stage: task_pb2.Stage) -> None:
        try:
            sha256 = await self.store("contact-sheets", path, ".jpg", "image/jpeg")
        except (LoupeError, OSError):
            # The picture is only for people to look at; the training does not need it.
            _log.exception("a contact sheet was not stored", extra={"job": self.lease.job})
            return
        stored = task_pb2.Stage()
        stored.CopyFrom(stage)
        stored.contact_sheet_sha256 = sha256
        self.buffer.set_stage(stored)
        self._changed.set()

    async def _upload_checkpoints(self) -> None:
        while True:
            await self._checkpoint_changed.wait()
            self._checkpoint_changed.clear()
            while self._checkpoint is not None:
                path, checkpoint = self._checkpoint
                self._checkpoint = None
                try:
                    checkpoint.sha256 = await self.store("checkpoints", path, ".safetensors")
                except (LoupeError, OSError):
                    # Without it a fault costs more work; that is no reason to end the work now.
                    _log.exception("a checkpoint was not stored", extra={"job": self.lease.job})
                    continue
                self._kept_s = time.monotonic()
                self.buffer.set_checkpoint(checkpoint)
                self._changed.set()
            self._checkpoints_settled.set()
