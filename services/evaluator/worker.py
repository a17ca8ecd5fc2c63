"""The evaluator's worker, `python -m services.evaluator.worker`: EVALUATE, PREDICT and PACKAGE jobs.

No torch: that is its child's (`services.evaluator.child`).
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loupe import settings as loupe_settings
from loupe.evaluator.v1 import report_pb2
from loupe.rpc.channel import connect
from loupe.scheduler.v1 import job_pb2
from loupe.settings import setting

from services.evaluator import worker_wire
from services.evaluator.reporting import ReportSender, Spool
from services.kit import process as kit
from services.kit import telemetry
from services.work.job import JobInHand
from services.work.process import start
from services.work.settings import WorkerSettings
from services.work.values import JobKind, Lease, Network, Outcome, Packaged, Reported

_UPLOADS = 16
"""At a time."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One EVALUATE or PREDICT job."""

    lease: Lease
    order: Mapping[str, Any]
    data_paths: Mapping[str, str]
    report: report_pb2.Report
    """What is known of the report beforehand."""
    spool: Spool
    sender: ReportSender
    masks_folder: Path
    max_iterations: Mapping[Network, int] = field(default_factory=dict)

    async def hear(self, event: Mapping[str, Any], job: JobInHand) -> bool:
        """Keep the samples until their report is sent; what it will name of them is stored before."""
        if event["event"] != "samples":
            return False
        masks = {sha256 for row in event["samples"] if (sha256 := row.get("predicted_mask_sha256"))}
        at_once = asyncio.Semaphore(_UPLOADS)

        async def store(path: Path) -> None:
            async with at_once:
                # One that is not there was told of before, and stored then: equal masks are one file.
                if await asyncio.to_thread(path.exists):
                    await job.store("masks", path, ".png", "image/png")

        await asyncio.gather(*(store(self.masks_folder / f"{sha256}.png") for sha256 in masks))
        await self.spool.add(event["samples"])
        return True

    async def conclude(self, event: Mapping[str, Any], job: JobInHand) -> Outcome:
        """Store the report with all its samples; only then is it named."""
        del job
        report = report_pb2.Report()
        report.CopyFrom(self.report)
        if not report.code_list:
            report.code_list.extend(event["codes"])
            report.num_of_classes = event["num_of_classes"]
        # A question bank may hold codes that the model never knew: misjudged, and in a row of their own.
        report.code_list.extend(sorted(self.spool.codes - set(report.code_list)))
        report.images_per_s = self.spool.predicted_count / max(event["duration_s"], 1e-3)
        return Reported(await self.sender.send(self.lease, report, self.spool, self.data_paths))


@dataclass(frozen=True, slots=True)
class Packaging:
    """One PACKAGE job."""

    order: Mapping[str, Any]
    data_paths: Mapping[str, str] = field(default_factory=dict)
    max_iterations: Mapping[Network, int] = field(default_factory=dict)

    async def hear(self, event: Mapping[str, Any], job: JobInHand) -> bool:
        """Nothing that not all jobs tell."""
        del event, job
        return False

    async def conclude(self, event: Mapping[str, Any], job: JobInHand) -> Outcome:
        """Store the package; only then is it named."""
        path = Path(event["path"])
        size_bytes = (await asyncio.to_thread(path.stat)).st_size
        sha256 = await job.store("packages", path, ".zip", "application/zip")
        return Packaged(sha256, size_bytes, event["abi_version"], event["format_version"])


class EvaluatorCraft:
    """Measures, predicts and packages."""

    kinds = (JobKind.EVALUATE, JobKind.PREDICT, JobKind.PACKAGE)

    def __init__(self, sender: ReportSender, *, threads: int) -> None:
        self._sender = sender
        self._threads = threads

    def assign(self, lease: Lease, folder: Path) -> Measurement | Packaging:
        """The order of a job, and where its results wait for their report."""
        work = lease.work
        names = {"task": lease.task, "job": lease.job, "threads": self._threads}
        if isinstance(work, job_pb2.PackageWork):
            order_work = worker_wire.package_work(work)
            return Packaging({"order": "package", "work": {**names, "folder": str(folder), **order_work}})
        report = report_pb2.Report(task=lease.task)
        match work:
            case job_pb2.EvaluateWork():
                order, order_work = "evaluate", worker_wire.evaluate_work(work)
                report.kind = report_pb2.REPORT_KIND_VALIDATION
            case job_pb2.PredictWork():
                order, order_work = "predict", worker_wire.predict_work(work)
                report.kind = report_pb2.REPORT_KIND_PREDICTION
                report.model_version = work.model_version
                report.confidence_threshold = work.confidence_threshold
                if work.HasField("training_overlap"):
                    report.training_overlap.CopyFrom(work.training_overlap)
            case _:
                raise TypeError(f"{lease.job} is neither an evaluation nor a prediction nor an export")
        report.weights_sha256 = work.weights_sha256
        report.code_list.extend(work.code_list)
        report.num_of_classes = work.num_of_classes
        report.data_paths.extend(manifest.data_path for manifest in work.manifests)
        masks_folder = folder / "masks"
        return Measurement(
            lease=lease,
            order={"order": order, "work": {**names, "masks_folder": str(masks_folder), **order_work}},
            data_paths=worker_wire.data_paths(work.manifests),
            report=report,
            spool=Spool(folder / "results.jsonl"),
            sender=self._sender,
            masks_folder=masks_folder,
        )


@dataclass(frozen=True, kw_only=True)
class Settings(WorkerSettings):
    """Settings of an evaluator worker."""

    evaluator_address: str = setting("LOUPE_EVALUATOR_ADDRESS", doc="host:port of the report service")


async def main(process: kit.Process) -> None:
    """Read the settings and start working."""
    settings = loupe_settings.load(Settings, os.environ)
    telemetry.configure("evaluator-worker", settings.log_level)
    # No retries below ours: a stream of samples cannot be repeated from its middle.
    reports = await process.enter(
        connect(
            settings.evaluator_address,
            lambda: settings.service_token,
            credentials=settings.tls.channel_credentials(),
            retries=False,
        )
    )
    craft = EvaluatorCraft(ReportSender(reports), threads=settings.threads)
    await start(process, settings, craft, "services.evaluator.child")


if __name__ == "__main__":
    kit.run(main)
