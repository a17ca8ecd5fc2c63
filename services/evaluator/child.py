"""The warm child of an evaluator worker: imports torch once, then measures, predicts and packages.

    python -m services.evaluator.child

Pipes, settings, SIGTERM, `ready`, `log` and `failed` are as in services.trainer.child.

Orders: {"order": "evaluate", "work": {…}} over the validation side of a training's split (E1), where work has

    task, job                  names, for whoever reads the log
    weights_key                "weights/<sha256>.safetensors"
    split_key                  "splits/<sha256>.jsonl", from the same training
    manifests                  [sha256, …] that the training was of: objects manifests/<sha256>.jsonl
    masks_folder               where predicted masks are written; may be left out without segmentation
    batch_size                 optional, 64
    threads                    optional, all cores

and {"order": "predict", "work": {…}} over a question bank (P1), where work has

    task, job, weights_key, batch_size, threads, manifests, masks_folder    as above
    classification_only        optional: only the classifier looks, though there be a segmentation network
    filter_resolution          whether samples that do not conform are set aside; the rule is the weights' own
    confidence_threshold       in [0, 1], optional 0: a prediction under it is marked for a human

and {"order": "package", "work": {…}} of a released version (X), where work has

    task, job, weights_key     as above
    model, version             how people call it, such as panel-adc and v3.01
    format                     CSOT_ARTIFACT or ONNX
    folder                     where the package is written

Events

    progress       phase: EVALUATING, PREDICTING or PACKAGING; fraction; of the first two eta_s; images_per_s
    samples        samples: [{manifest, name, sha256, code, mask_sha256, outcome, …}, …]; at most 200.
                   outcome:
                     PREDICTED: predicted, confidence, top [[code, confidence], …] (3), decided_by: softmax,
                       feature_distance or region, to_human (confidence under the threshold); with
                       segmentation predicted_mask_sha256 where a defect was found or expected, and pixels
                       [[code or "" for any, intersection, truth, predicted], …] where the truth is known.
                       Before the event <masks_folder>/<sha256>.png is whole; it is now the worker's, to
                       upload as masks/<sha256>.png and to delete
                     NONCONFORMING (the resolution filter) or UNREADABLE: reason, message, as in
                       the trainer's `nonconforming`
                   every sample once; evaluate tells all that was set aside, then the validation side
    finished       predicted, nonconforming, unreadable (counts), codes, num_of_classes, duration_s; of a
                   package its path, to upload and to delete, abi_version and format_version
    failed         WEIGHTS_* (user fault) for weights that cannot be used; CODE_ON_ONE_SIDE as in the trainer;
                   NOT_PACKAGEABLE, CANNOT_BUILD

The figures are not computed here: services.evaluator.measuring.metrics, without torch, takes what was told.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import torch
from loupe.image_files import Reason

from services.evaluator.measuring.masks import MaskFiles
from services.evaluator.measuring.predict import NotPredicted, Prediction, predict
from services.evaluator.packaging.faults import CannotBuild, NotPackageable
from services.evaluator.packaging.making import make_package
from services.evaluator.packaging.models import Named
from services.kit.child_process import ParentLink
from services.vision.channel import Channel
from services.vision.faults import BadOrder, UnreadableRecord, UserFault
from services.vision.judgement import refuse_one_sided
from services.vision.pack import PackCache
from services.vision.samples import Objects, Sample, hash_in_key, read_manifests, read_verified
from services.vision.sources import from_environment
from services.vision.weights import Weights, load_weights

_SAMPLES_PER_EVENT = 200
_PROGRESS_INTERVAL_S = 0.5
_THREADS = torch.get_num_threads()
"""torch's own choice, before an order changed it: the cores this process may use."""


class Evaluator:
    """Carries out orders; `evaluate`, `predict` and `package` raise Fault."""

    def __init__(self, objects: Objects, packs: PackCache, channel: Channel) -> None:
        self._objects = objects
        self._packs = packs
        self._channel = channel

    def evaluate(self, work: Mapping[str, Any]) -> None:
        """The validation side of the split the weights were trained on."""
        weights = self._weights(work)
        split_sha256 = hash_in_key(_entry(work, "split_key"))
        born_from = weights.certificate["lineage"].get("split_sha256")
        if born_from != split_sha256:
            # Another split would measure on samples that the network was trained with.
            raise BadOrder(f"the weights were trained on split {born_from}, not on {split_sha256}")
        rows = read_split(read_verified(self._objects, _entry(work, "split_key"), split_sha256))
        training = [sample for side, sample, _ in rows if side == "train"]
        validation = [sample for side, sample, _ in rows if side == "validation"]
        # The wizard and the trainer asked before; nothing unjudged is COMPLETED whatever they let pass.
        refuse_one_sided(weights.codes, training, validation)
        # The split says who judges; the manifests know of masks.
        listed = {
            (its.manifest, its.name): its for its in read_manifests(self._objects, _entry(work, "manifests"))
        }
        judges = [listed.get((sample.manifest, sample.name), sample) for sample in validation]
        set_aside = [
            not_predicted for side, _, not_predicted in rows if side == "set_aside" and not_predicted
        ]
        self._tell(weights, set_aside, judges, work, "EVALUATING")

    def predict(self, work: Mapping[str, Any]) -> None:
        """All samples of the manifests."""
        weights = self._weights(work)
        samples = read_manifests(self._objects, _entry(work, "manifests"))
        rule = weights.input_specification.resolution
        set_aside, kept = [], []
        for sample in samples:
            known = work.get("filter_resolution") and sample.width and sample.height
            fault = rule.fault(sample.width, sample.height) if known else None
            if fault:
                set_aside.append(NotPredicted(sample, *fault))
            else:
                kept.append(sample)
        self._tell(weights, set_aside, kept, work, "PREDICTING")

    def package(self, work: Mapping[str, Any]) -> None:
        """The zip of a released version."""
        self._channel.emit("progress", phase="PACKAGING", fraction=0.0)
        weights = self._weights(work)
        self._channel.emit("progress", phase="PACKAGING", fraction=0.1)
        self._channel.stop_if_asked()
        named = Named(_entry(work, "model"), _entry(work, "version"))
        try:
            made = make_package(weights, named, _entry(work, "format"), Path(_entry(work, "folder")))
        except NotPackageable as error:
            raise UserFault(
                "NOT_PACKAGEABLE",
                f"this version cannot be packaged: {error}",
                f"该版本无法打包：{error}",
            ) from error
        except CannotBuild as error:
            # Another worker may have the compiler; this machine will not get one by trying again.
            raise UserFault(
                "CANNOT_BUILD",
                f"the library of the package cannot be built: {error}",
                f"无法构建模型包中的动态库，请联系运维人员：{error}",
            ) from error
        self._channel.emit("progress", phase="PACKAGING", fraction=0.9)
        self._channel.emit(
            "finished",
            path=str(made.path),
            abi_version=made.abi_version,
            format_version=made.format_version,
        )

    def _weights(self, work: Mapping[str, Any]) -> Weights:
        torch.set_num_threads(int(work.get("threads") or _THREADS))
        key = _entry(work, "weights_key")
        with TemporaryDirectory(prefix="loupe-") as folder:
            path = Path(folder) / "weights.safetensors"
            path.write_bytes(read_verified(self._objects, key, hash_in_key(key)))
            return load_weights(path)

    def _tell(
        self,
        weights: Weights,
        set_aside: Sequence[NotPredicted],
        samples: Sequence[Sample],
        work: Mapping[str, Any],
        phase: str,
    ) -> None:
        threshold = float(work.get("confidence_threshold") or 0.0)
        batch_size = int(work.get("batch_size") or 64)
        if not 0 <= threshold <= 1 or batch_size < 1:
            raise BadOrder("confidence_threshold must be in [0, 1] and batch_size at least 1")
        segments = weights.segmentation is not None and not work.get("classification_only")
        masks = MaskFiles(Path(_entry(work, "masks_folder")), weights.codes) if segments else None
        started = told_at = time.monotonic()
        outcomes: Counter[str] = Counter()
        waiting: list[dict[str, Any]] = []

        def tell(results: Iterable[Prediction | NotPredicted]) -> Iterable[int]:
            for done, result in enumerate(results, 1):
                row = result_row(result, threshold)
                if masks and isinstance(result, Prediction):
                    row |= masks.told(result)
                outcomes[row["outcome"]] += 1
                waiting.append(row)
                if len(waiting) == _SAMPLES_PER_EVENT:
                    self._channel.emit("samples", samples=waiting.copy())
                    waiting.clear()
                yield done

        for _ in tell(set_aside):
            pass
        predictions = predict(
            weights,
            samples,
            self._objects,
            self._packs,
            batch_size=batch_size,
            stop_if_asked=self._channel.stop_if_asked,
            segments=segments,
        )
        for done in tell(predictions):
            now = time.monotonic()
            if now - told_at >= _PROGRESS_INTERVAL_S or done == len(samples):
                told_at = now
                pace = done / max(now - started, 1e-9)
                self._channel.emit(
                    "progress",
                    phase=phase,
                    fraction=done / len(samples),
                    eta_s=round((len(samples) - done) / pace, 3),
                    images_per_s=round(pace, 3),
                )
        if waiting:
            self._channel.emit("samples", samples=waiting)
        self._channel.emit(
            "finished",
            predicted=outcomes["PREDICTED"],
            nonconforming=outcomes["NONCONFORMING"],
            unreadable=outcomes["UNREADABLE"],
            codes=list(weights.codes),
            num_of_classes=weights.num_of_classes,
            duration_s=round(time.monotonic() - started, 3),
        )


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
                manifest=row["manifest"],
            )
            aside = row["side"] == "set_aside"
            why = NotPredicted(sample, row["reason"], row["message"]) if aside else None
            rows.append((row["side"], sample, why))
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableRecord(
                f"line {number} of the split", f"数据划分记录的第 {number} 行", error
            ) from error
    return rows


def result_row(result: Prediction | NotPredicted, threshold: float) -> dict[str, Any]:
    """A result as the `samples` event tells it."""
    sample = result.sample
    row: dict[str, Any] = {
        "manifest": sample.manifest,
        "name": sample.name,
        "sha256": sample.sha256,
        "code": sample.code,
        "mask_sha256": sample.mask_sha256,
    }
    if isinstance(result, NotPredicted):
        unreadable = result.reason in set(Reason)
        outcome = "UNREADABLE" if unreadable else "NONCONFORMING"
        return row | {"outcome": outcome, "reason": str(result.reason), "message": result.message}
    return row | {
        "outcome": "PREDICTED",
        "predicted": result.predicted,
        "confidence": result.confidence,
        "top": [list(item) for item in result.top],
        "decided_by": result.decided_by,
        "to_human": result.confidence < threshold,
        "perceptual_hash": result.perceptual_hash.hex(),
    }


def _entry(work: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    if not work.get(name):
        raise BadOrder(f"the order lacks {name}")
    return work[name]


def main() -> int:
    """Serves orders until stdin closes."""
    channel = Channel(ParentLink.from_environ())
    cv2.setNumThreads(1)  # the pack decodes in threads of its own
    objects, packs, _ = from_environment()
    evaluator = Evaluator(objects, packs, channel)
    return channel.serve(
        {"evaluate": evaluator.evaluate, "predict": evaluator.predict, "package": evaluator.package}
    )


if __name__ == "__main__":
    sys.exit(main())
