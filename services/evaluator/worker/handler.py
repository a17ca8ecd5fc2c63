"""EVALUATE, PREDICT and PACKAGE jobs of an evaluator worker.

No torch: it is loaded in the child (`services.evaluator.worker.child`).
"""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError
from loupe import names
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.registry.v1 import model_pb2
from loupe.scheduler.v1 import job_pb2
from loupe.worker.v1 import event_pb2, order_pb2

from services.evaluator.worker.packaging import native_library
from services.evaluator.worker.packaging.faults import CannotBuild
from services.evaluator.worker.packaging.signing import Signer
from services.evaluator.worker.reporting import ReportSender, Spool
from services.worker.held_job import HeldJob
from services.worker.outcomes import Outcome

_log = logging.getLogger(__name__)

_CONCURRENT_UPLOADS = 16


@dataclass(frozen=True, slots=True)
class MeasurementRun:
    """One EVALUATE or PREDICT job."""

    order: order_pb2.Order
    report: report_pb2.Report
    """What is known of the report before the child has run."""
    spool: Spool
    sender: ReportSender
    masks_folder: Path

    async def prepare(self) -> None:
        """Nothing: the child does it all."""

    async def add_sample_results(self, batch: bytes, job: HeldJob) -> None:
        """Store the masks that the results name, and keep the results until their report is sent."""
        try:
            results = report_service_pb2.CreateReportRequest.Batch.FromString(batch)
        except DecodeError as error:
            raise ValueError("the sample results cannot be read") from error
        masks = {result.predicted_mask_sha256 for result in results.results} - {""}
        slots = asyncio.Semaphore(_CONCURRENT_UPLOADS)

        async def store(path: Path) -> None:
            async with slots:
                # Equal masks are one file; one that is missing was stored with an earlier event.
                if await asyncio.to_thread(path.exists):
                    await job.store("masks", path, ".png", "image/png")

        await asyncio.gather(*(store(self.masks_folder / f"{sha256}.png") for sha256 in masks))
        await self.spool.add(results)

    async def conclude(self, event: event_pb2.Event, job: HeldJob) -> Outcome:
        """Store the report with all its samples; the outcome names it."""
        measured = event.measured
        report = report_pb2.Report()
        report.CopyFrom(self.report)
        if not report.code_list:
            report.code_list.extend(measured.code_list)
            report.num_of_classes = measured.num_of_classes
        # A question bank may hold codes that the model does not know: misjudged, each in its own row.
        report.code_list.extend(sorted(self.spool.codes - set(report.code_list)))
        report.images_per_s = self.spool.predicted_count / max(measured.duration_s, 1e-3)
        return Outcome(
            reported=Outcome.Reported(report=await self.sender.send(job.lease, report, self.spool))
        )


@dataclass(frozen=True, slots=True)
class PackagingRun:
    """One PACKAGE job."""

    order: order_pb2.Order
    signer: Signer | None

    async def prepare(self) -> None:
        """Build the library: it is in every package, and the child has read files of strangers."""
        if self.order.package.work.format != model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT:
            return
        try:
            await asyncio.to_thread(native_library.library)
        except CannotBuild:
            # The child finds no library and says why the job fails; what a compiler said is in this log.
            _log.warning("the library of packages was not built", exc_info=True)

    async def add_sample_results(self, batch: bytes, job: HeldJob) -> None:
        """Refuse them: an export has none."""
        del batch
        raise ValueError(f"{job.lease.job} is an export; it has no sample results")

    async def conclude(self, event: event_pb2.Event, job: HeldJob) -> Outcome:
        """Sign and store the package; the outcome names it."""
        path, package = Path(event.packaged.path), event.packaged.package
        work = self.order.package.work
        if self.signer and work.format == model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT:
            await asyncio.to_thread(self.signer.sign, path, names.short(work.model_version), self.order.task)
        package.size_bytes = (await asyncio.to_thread(path.stat)).st_size
        package.sha256 = await job.store("packages", path, ".zip", "application/zip")
        return Outcome(packaged=Outcome.Packaged(package=package))


class EvaluatorHandler:
    """Handles evaluations, predictions and exports."""

    kinds = (job_pb2.JOB_KIND_EVALUATE, job_pb2.JOB_KIND_PREDICT, job_pb2.JOB_KIND_PACKAGE)

    def __init__(self, sender: ReportSender, *, threads: int, signer: Signer | None = None) -> None:
        self._sender = sender
        self._signer = signer
        self._threads = threads

    def start(self, lease: job_pb2.JobLease, folder: Path) -> MeasurementRun | PackagingRun:
        """The order of a job, and where its results are kept until their report is sent."""
        order = order_pb2.Order(task=lease.task, job=lease.job, attempt=lease.attempt, threads=self._threads)
        masks_folder = folder / "masks"
        work: job_pb2.EvaluateWork | job_pb2.PredictWork
        report = report_pb2.Report(task=lease.task)
        match lease.WhichOneof("work"):
            case "package":
                order.package.CopyFrom(order_pb2.Package(work=lease.package, folder=str(folder)))
                return PackagingRun(order, self._signer)
            case "evaluate":
                work = lease.evaluate
                order.evaluate.CopyFrom(order_pb2.Evaluate(work=work, masks_folder=str(masks_folder)))
                report.kind = report_pb2.REPORT_KIND_VALIDATION
                if work.HasField("looks"):
                    report.looks.CopyFrom(work.looks)
            case "predict":
                work = lease.predict
                order.predict.CopyFrom(order_pb2.Predict(work=work, masks_folder=str(masks_folder)))
                report.kind = report_pb2.REPORT_KIND_PREDICTION
                report.model_version = work.model_version
                report.training_task = work.training_task
                report.confidence_threshold = work.confidence_threshold
                report.question_bank = work.question_bank
                report.excluded_sample_count = work.excluded_sample_count
                if work.HasField("training_overlap"):
                    report.training_overlap.CopyFrom(work.training_overlap)
            case _:
                raise ValueError(f"{lease.job} is neither an evaluation nor a prediction nor an export")
        report.weights_sha256 = work.weights_sha256
        report.code_list.extend(work.code_list)
        report.num_of_classes = work.num_of_classes
        report.data_paths.extend(manifest.data_path for manifest in work.manifests)
        return MeasurementRun(order, report, Spool(folder / "results"), self._sender, masks_folder)
