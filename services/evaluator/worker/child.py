"""The warm child of an evaluator worker: imports torch once, then measures, predicts and packages.

    python -m services.evaluator.worker.child

Orders are JSON lines of `loupe.worker.v1.Order` on stdin; events are JSON lines of `loupe.worker.v1.Event`
on the descriptor in LOUPE_EVENT_FD. Settings, log, SIGTERM and exit codes are as in services.trainer.child.

EVALUATE measures the validation side of a training's split (E1), PREDICT a question bank (P1); PACKAGE
writes a released version's package (X). No figures are computed here: the evaluator does, from the results.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import torch
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.registry.v1 import model_pb2
from loupe.scheduler.v1 import job_pb2, task_pb2
from loupe.translation import sentence
from loupe.worker.v1 import event_pb2, order_pb2

from services.evaluator.worker.measuring.masks import MaskFiles
from services.evaluator.worker.measuring.predict import NotPredicted, Prediction, predict
from services.evaluator.worker.packaging.faults import CannotBuild, NotPackageable
from services.evaluator.worker.packaging.formats import make_package
from services.evaluator.worker.packaging.models import PackageName
from services.failure_codes import FailureCode
from services.kit.child_process import ParentLink
from services.vision.faults import BadOrder, UnreadableRecord, UserFault
from services.vision.judgement import refuse_one_sided
from services.vision.pack import PackCache
from services.vision.samples import ObjectReader, Sample, read_manifests, read_verified
from services.vision.sources import from_environment
from services.vision.weights import Weights, load_weights
from services.worker.child_channel import Channel

_RESULTS_PER_EVENT = 200
_PROGRESS_INTERVAL_S = 0.5
_DEFAULT_BATCH_SIZE = 64
_THREADS = torch.get_num_threads()
"""torch's own choice, before an order changed it: the cores this process may use."""
_DECIDED_BY = {
    "softmax": report_pb2.DECIDED_BY_SOFTMAX,
    "feature_distance": report_pb2.DECIDED_BY_FEATURE_DISTANCE,
    "region": report_pb2.DECIDED_BY_REGION,
}


@dataclass(frozen=True)
class Measurement:
    """What an EVALUATE or PREDICT order measures, and how."""

    phase: task_pb2.Phase.ValueType
    weights: Weights
    samples: Sequence[Sample]
    set_aside: Sequence[NotPredicted]
    batch_size: int
    data_paths: Mapping[str, str]
    """Names of data paths by the SHA-256 of their manifests."""
    masks: MaskFiles | None
    """None where the segmentation network is not used."""


class Evaluator:
    """Executes orders; `evaluate`, `predict` and `package` raise Fault."""

    def __init__(self, objects: ObjectReader, packs: PackCache, channel: Channel) -> None:
        self._objects = objects
        self._packs = packs
        self._channel = channel

    def evaluate(self, order: order_pb2.Order) -> None:
        """The validation side of the split the weights were trained on."""
        work = order.evaluate.work
        weights = self._weights(order, work)
        split_sha256 = _required(work, "split_sha256")
        trained_split = weights.certificate["lineage"].get("split_sha256")
        if trained_split != split_sha256:
            # Another split would measure on samples that the network was trained with.
            raise BadOrder(f"the weights were trained on split {trained_split}, not on {split_sha256}")
        key = f"splits/{split_sha256}.jsonl"
        rows = read_split(read_verified(self._objects, key, split_sha256))
        training = [sample for side, sample, _ in rows if side == "train"]
        validation = [sample for side, sample, _ in rows if side == "validation"]
        # Wizard and trainer checked this before; here it is certain that nothing unjudged becomes COMPLETED.
        refuse_one_sided(weights.codes, training, validation)
        # The split says which samples judge; only the manifests name their masks.
        listed = {(sample.manifest, sample.name): sample for sample in self._listed(work)}
        judges = [listed.get((sample.manifest, sample.name), sample) for sample in validation]
        set_aside = [
            not_predicted for side, _, not_predicted in rows if side == "set_aside" and not_predicted
        ]
        self._measure(
            Measurement(
                phase=task_pb2.PHASE_EVALUATING,
                weights=weights,
                samples=judges,
                set_aside=set_aside,
                batch_size=work.batch_size or _DEFAULT_BATCH_SIZE,
                data_paths=_data_paths(work),
                masks=_masks(weights, order.evaluate),
            )
        )

    def predict(self, order: order_pb2.Order) -> None:
        """All samples of the manifests."""
        work = order.predict.work
        weights = self._weights(order, work)
        samples = self._listed(work)
        if not 0 <= work.confidence_threshold <= 1:
            raise BadOrder("confidence_threshold must be in [0, 1]")
        rule = weights.resolution
        set_aside, kept = [], []
        for sample in samples:
            known = work.filter_resolution and sample.width and sample.height
            fault = rule.fault(sample.width, sample.height) if known else None
            if fault:
                reason, message = fault
                set_aside.append(NotPredicted(sample, reason, message.english))
            else:
                kept.append(sample)
        self._measure(
            Measurement(
                phase=task_pb2.PHASE_PREDICTING,
                weights=weights,
                samples=kept,
                set_aside=set_aside,
                batch_size=work.batch_size or _DEFAULT_BATCH_SIZE,
                data_paths=_data_paths(work),
                masks=None if work.classification_only else _masks(weights, order.predict),
            )
        )

    def package(self, order: order_pb2.Order) -> None:
        """The package of a released version."""
        work = order.package.work
        self._emit_packaging(0.0)
        weights = self._weights(order, work)
        self._emit_packaging(0.1)
        self._channel.stop_if_asked()
        package_format = model_pb2.PackageFormat.Name(work.format).removeprefix("PACKAGE_FORMAT_")
        folder = Path(_required(order.package, "folder"))
        try:
            made = make_package(weights, _named(work), package_format, folder)
        except NotPackageable as error:
            raise UserFault(
                FailureCode.NOT_PACKAGEABLE,
                *sentence("this version cannot be packaged: {error}", error=error),
            ) from error
        except CannotBuild as error:
            # Another worker may have the compiler; a retry on this machine would fail again.
            raise UserFault(
                FailureCode.CANNOT_BUILD,
                *sentence("the library of the package cannot be built: {error}", error=error),
            ) from error
        self._emit_packaging(0.9)
        package = model_pb2.Package(
            format=work.format, abi_version=made.abi_version, format_version=made.format_version
        )
        finished = event_pb2.PackagingFinished(path=str(made.path), package=package)
        self._channel.emit(event_pb2.Event(packaged=finished))

    def _weights(self, order: order_pb2.Order, work: Message) -> Weights:
        torch.set_num_threads(order.threads or _THREADS)
        sha256 = _required(work, "weights_sha256")
        with TemporaryDirectory(prefix="loupe-") as folder:
            path = Path(folder) / "weights.safetensors"
            path.write_bytes(read_verified(self._objects, f"weights/{sha256}.safetensors", sha256))
            return load_weights(path)

    def _listed(self, work: job_pb2.EvaluateWork | job_pb2.PredictWork) -> list[Sample]:
        if not work.manifests:
            raise BadOrder("the order lacks manifests")
        return read_manifests(self._objects, (manifest.sha256 for manifest in work.manifests))

    def _measure(self, measurement: Measurement) -> None:
        """Emits the results of all samples: first those that were set aside, then the predicted."""
        weights, samples = measurement.weights, measurement.samples
        started_s = reported_s = time.monotonic()
        predictions = predict(
            weights,
            samples,
            self._objects,
            self._packs,
            batch_size=measurement.batch_size,
            stop_if_asked=self._channel.stop_if_asked,
            segments=measurement.masks is not None,
        )
        waiting: list[report_pb2.SampleResult] = []
        for _ in self._emit_results(measurement.set_aside, measurement, waiting):
            pass
        for done in self._emit_results(predictions, measurement, waiting):
            now_s = time.monotonic()
            if now_s - reported_s >= _PROGRESS_INTERVAL_S or done == len(samples):
                reported_s = now_s
                self._emit_progress(measurement.phase, done, len(samples), now_s - started_s)
        if waiting:
            self._emit_batch(waiting)
        finished = event_pb2.MeasurementFinished(
            code_list=weights.codes,
            num_of_classes=weights.num_of_classes,
            duration_s=round(time.monotonic() - started_s, 3),
        )
        self._channel.emit(event_pb2.Event(measured=finished))

    def _emit_results(
        self,
        results: Iterable[Prediction | NotPredicted],
        measurement: Measurement,
        waiting: list[report_pb2.SampleResult],
    ) -> Iterator[int]:
        """How many were taken, after each; `waiting` holds those that do not fill an event yet."""
        for done, found in enumerate(results, 1):
            result = sample_result(found, measurement.data_paths)
            if measurement.masks and isinstance(found, Prediction):
                measurement.masks.complete(result, found)
            waiting.append(result)
            if len(waiting) == _RESULTS_PER_EVENT:
                self._emit_batch(waiting)
            yield done

    def _emit_batch(self, waiting: list[report_pb2.SampleResult]) -> None:
        batch = report_service_pb2.CreateReportRequest.Batch(results=waiting)
        waiting.clear()
        self._channel.emit(event_pb2.Event(sample_results=batch.SerializeToString()))

    def _emit_progress(
        self, phase: task_pb2.Phase.ValueType, done: int, count: int, elapsed_s: float
    ) -> None:
        images_per_s = done / max(elapsed_s, 1e-9)
        remaining = Duration()
        remaining.FromMilliseconds(round((count - done) / images_per_s * 1e3))
        progress = task_pb2.Progress(
            fraction=done / count, images_per_s=round(images_per_s, 3), remaining=remaining
        )
        self._channel.emit(event_pb2.Event(progress=event_pb2.JobProgress(phase=phase, progress=progress)))

    def _emit_packaging(self, fraction: float) -> None:
        progress = event_pb2.JobProgress(
            phase=task_pb2.PHASE_PACKAGING, progress=task_pb2.Progress(fraction=fraction)
        )
        self._channel.emit(event_pb2.Event(progress=progress))


def read_split(data: bytes) -> list[tuple[str, Sample, NotPredicted | None]]:
    """(side, sample, why it was set aside) of each line of a split file."""
    rows: list[tuple[str, Sample, NotPredicted | None]] = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            row = json.loads(line)
            sample = Sample(
                name=row["name"],
                code=row["code"],
                sha256=row["sha256"],
                group=row.get("group"),
                pixels_sha256=row.get("pixels_sha256"),
                manifest=row["manifest"],
            )
            aside = row["side"] == "set_aside"
            why = NotPredicted(sample, row["reason"], row["message"]) if aside else None
            rows.append((row["side"], sample, why))
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableRecord(*sentence("line {number} of the split", number=number), error) from error
    return rows


def sample_result(found: Prediction | NotPredicted, data_paths: Mapping[str, str]) -> report_pb2.SampleResult:
    """A result as the report has it; `data_paths` as in Measurement."""
    sample = found.sample
    result = report_pb2.SampleResult(
        file=sample.name,
        data_path=data_paths.get(sample.manifest, ""),
        sha256=sample.sha256,
        true_code=sample.code,
        mask_sha256=sample.mask_sha256 or "",
    )
    if isinstance(found, NotPredicted):
        result.verdict = report_pb2.VERDICT_NONCONFORMING
        result.reason, result.message = str(found.reason), found.message
        return result
    right = found.predicted == sample.code
    result.verdict = report_pb2.VERDICT_CORRECT if right else report_pb2.VERDICT_MISJUDGED
    result.predicted_code = found.predicted
    result.confidence = found.confidence
    result.top.extend(report_pb2.CodeScore(code=code, score=score) for code, score in found.top)
    result.decided_by = _DECIDED_BY[found.decided_by]
    result.perceptual_hash = found.perceptual_hash
    return result


def _data_paths(work: job_pb2.EvaluateWork | job_pb2.PredictWork) -> dict[str, str]:
    return {manifest.sha256: manifest.data_path for manifest in work.manifests}


def _masks(weights: Weights, order: order_pb2.Evaluate | order_pb2.Predict) -> MaskFiles | None:
    """Where predicted masks are written; None without a segmentation network."""
    if weights.segmentation is None:
        return None
    return MaskFiles(Path(_required(order, "masks_folder")), weights.codes)


def _named(work: job_pb2.PackageWork) -> PackageName:
    match work.model_version.split("/"):
        case ["models", model, "versions", version] if model and version:
            return PackageName(model, version)
        case _:
            raise BadOrder(f"{work.model_version!r} is no model version")


def _required(message: Message, name: str) -> str:
    value: str = getattr(message, name)
    if not value:
        raise BadOrder(f"the order lacks {name}")
    return value


def main() -> int:
    """Executes orders until stdin closes."""
    channel = Channel(ParentLink.from_environ())
    cv2.setNumThreads(1)  # the pack decodes in threads of its own
    objects, packs, _ = from_environment()
    evaluator = Evaluator(objects, packs, channel)
    return channel.serve(
        {"evaluate": evaluator.evaluate, "predict": evaluator.predict, "package": evaluator.package}
    )


if __name__ == "__main__":
    sys.exit(main())
