"""Evaluation and prediction as the evaluator's child does them, with weights that were really trained."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from google.protobuf.message import Message
from loupe.evaluator.v1 import report_pb2
from loupe.scheduler.v1 import job_pb2
from loupe.worker.v1 import order_pb2

from services.evaluator.worker.child import Evaluator
from services.evaluator.worker.measuring.predict import predict
from services.trainer.training.session import run
from services.vision.faults import UserFault
from services.vision.masks import decode_mask
from services.vision.pack import PackCache
from services.vision.regions import RegionRule
from services.vision.samples import read_manifests
from services.vision.weights import load_weights, save_weights
from tests.support.training import (
    DATA_PATH,
    RecordingChannel,
    masked_data_set,
    small_data_set,
    train_order,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of two classes and a special code, with its split."""
    folder = tmp_path_factory.mktemp("trained")
    data_set = small_data_set(folder / "objects")
    data_set.add("SPOT/tiny.png", b"never read", size=(10, 10))
    data_set.add("LINE/broken.png", b"not an image at all")
    packs = PackCache(folder / "packs")
    manifest = data_set.manifest()
    classification = {"max_iter": 16, "batch_size": 12}
    order = train_order(manifest, num_of_classes=2, classification=classification, augmentations=["flip"])
    channel = RecordingChannel()
    run(order, data_set.objects, packs, folder / "work", channel)
    finished = channel.events[-1].trained
    weights = Path(finished.weights_path)
    split = Path(finished.split_path).read_bytes()
    return SimpleNamespace(
        data_set=data_set,
        packs=packs,
        manifest=manifest,
        weights_path=weights,
        weights_sha256=data_set.put("weights", weights.read_bytes(), ".safetensors"),
        split_sha256=data_set.put("splits", split, ".jsonl"),
        split=[json.loads(line) for line in split.splitlines()],
        masks=folder / "masks",
    )


def evaluated(trained, **changes) -> RecordingChannel:
    """The events of an evaluation."""
    return _executed(trained, {"split_sha256": trained.split_sha256} | changes, job_pb2.EvaluateWork)


def predicted(trained, **changes) -> list[report_pb2.SampleResult]:
    """The results of a prediction."""
    return _executed(trained, changes, job_pb2.PredictWork).results


def _executed(trained, changes: dict, make_work: type[Message]) -> RecordingChannel:
    manifests = [job_pb2.Manifest(data_path=DATA_PATH, sha256=trained.manifest)]
    work = make_work(**{"weights_sha256": trained.weights_sha256, "manifests": manifests} | changes)
    channel = RecordingChannel()
    evaluator = Evaluator(trained.data_set.objects, trained.packs, channel)
    masks = str(trained.masks)
    if isinstance(work, job_pb2.EvaluateWork):
        evaluator.evaluate(
            order_pb2.Order(threads=1, evaluate=order_pb2.Evaluate(work=work, masks_folder=masks))
        )
    else:
        evaluator.predict(
            order_pb2.Order(threads=1, predict=order_pb2.Predict(work=work, masks_folder=masks))
        )
    return channel


def is_predicted(result: report_pb2.SampleResult) -> bool:
    return result.verdict != report_pb2.VERDICT_NONCONFORMING


def test_evaluation_judges_the_validation_side_and_nothing_else(trained):
    """E1: a training sample in the report would flatter the model. E3: what was set aside is listed."""
    channel = evaluated(trained)
    expected = {its["name"] for its in trained.split if its["side"] == "validation"}
    assert {its.file for its in channel.results if is_predicted(its)} == expected
    others = {its.file: its.reason for its in channel.results if not is_predicted(its)}
    assert others == {"SPOT/tiny.png": "RESOLUTION_TOO_LOW", "LINE/broken.png": "NOT_AN_IMAGE"}
    assert {its.data_path for its in channel.results} == {DATA_PATH}
    for its in channel.results:
        right = its.predicted_code == its.true_code
        assert not is_predicted(its) or (its.verdict == report_pb2.VERDICT_CORRECT) == right
    finished = channel.events[-1].measured
    assert (list(finished.code_list), finished.num_of_classes) == (["SPOT", "LINE", "RING"], 2)
    assert channel.of("progress")[-1].progress.fraction == 1


def test_a_code_without_validation_samples_fails_the_evaluation(trained, tmp_path):
    """D9: the last guard of COMPLETED, whatever wizard and trainer let pass."""
    rows = [row | {"side": "train"} if row["code"] == "RING" else row for row in trained.split]
    split = trained.data_set.put("splits", "".join(json.dumps(row) + "\n" for row in rows).encode(), ".jsonl")
    weights = load_weights(trained.weights_path)
    lineage = weights.certificate["lineage"] | {"split_sha256": split}
    path = tmp_path / "weights.safetensors"
    save_weights(path, replace(weights, certificate={**weights.certificate, "lineage": lineage}))
    sha256 = trained.data_set.put("weights", path.read_bytes(), ".safetensors")
    with pytest.raises(UserFault, match="RING") as fault:
        evaluated(trained, weights_sha256=sha256, split_sha256=split)
    assert fault.value.code == "CODE_ON_ONE_SIDE"


def test_a_split_the_weights_were_not_trained_on_is_refused(trained):
    """Its validation side may be this model's training side."""
    other = trained.data_set.put("splits", b"", ".jsonl")
    with pytest.raises(UserFault, match="trained on split"):
        evaluated(trained, split_sha256=other)


def test_a_question_bank_has_a_row_for_every_sample(trained):
    """P5: a decode fault in one is a row in the report, not the end of the task."""
    results = predicted(trained, filter_resolution=True)
    assert sorted(its.file for its in results) == sorted(its["name"] for its in trained.split)
    unfiltered = predicted(trained, filter_resolution=False)
    tiny = next(its for its in unfiltered if its.file == "SPOT/tiny.png")
    assert (tiny.verdict, tiny.reason) == (report_pb2.VERDICT_NONCONFORMING, "NOT_AN_IMAGE")


def test_confidences_are_shares(trained):
    """P1: what the confidence threshold of a prediction is compared with."""
    for result in filter(is_predicted, predicted(trained, confidence_threshold=0.8)):
        best = result.top[0]
        assert (best.code, best.score) == (result.predicted_code, result.confidence)
        assert sum(its.score for its in result.top) == pytest.approx(1, abs=1e-6)


def test_special_codes_say_that_the_distance_decided(trained):
    """S3: reports say which way decided; and most rings, which no softmax class stands for, are found."""
    results = list(filter(is_predicted, predicted(trained)))
    for result in results:
        by_distance = result.decided_by == report_pb2.DECIDED_BY_FEATURE_DISTANCE
        assert by_distance == (result.predicted_code == "RING")
    rings = [its.predicted_code == "RING" for its in results if its.true_code == "RING"]
    assert np.mean(rings) > 0.5


def test_the_batch_size_changes_no_answer(trained):
    """P1 offers it for speed; a result must not depend on its neighbours."""
    results = []
    for batch_size in (1, 7, 64):
        found = predicted(trained, batch_size=batch_size)
        results.append({its.file: its.confidence for its in found})
    for other in results[1:]:
        assert other == pytest.approx(results[0], abs=1e-5)


def test_results_come_in_the_order_of_the_samples(trained):
    samples = read_manifests(trained.data_set.objects, [trained.manifest])
    results = predict(
        load_weights(trained.weights_path),
        samples,
        trained.data_set.objects,
        trained.packs,
        batch_size=16,
        stop_if_asked=lambda: None,
    )
    assert [item.sample for item in results] == samples


@pytest.mark.parametrize(
    "change", [{"confidence_threshold": 1.5}, {"weights_sha256": ""}, {"manifests": []}], ids=str
)
def test_an_order_that_cannot_be_carried_out_is_a_user_fault(trained, change):
    with pytest.raises(UserFault) as fault:
        predicted(trained, **change)
    assert fault.value.code == "BAD_ORDER"


def test_bytes_that_are_no_weights_are_a_user_fault(trained):
    data = b"not a model"
    sha256 = trained.data_set.put("weights", data, ".safetensors")
    with pytest.raises(UserFault) as fault:
        predicted(trained, weights_sha256=sha256)
    assert fault.value.code == "WEIGHTS_UNREADABLE"


@pytest.fixture(scope="module")
def segmented(tmp_path_factory):
    """A model of SPOT, RING and, special, LINE, whose segmentation network sees LINE everywhere."""
    folder = tmp_path_factory.mktemp("segmented")
    data_set = masked_data_set(folder / "objects")
    packs = PackCache(folder / "packs")
    manifest = data_set.manifest()
    order = train_order(
        manifest,
        code_list=["SPOT", "RING", "LINE"],
        num_of_classes=2,
        train_segmentation=True,
        classification={"max_iter": 1},
        segmentation={"max_iter": 1},
        augmentations=[],
    )
    channel = RecordingChannel()
    run(order, data_set.objects, packs, folder / "work", channel)
    weights = load_weights(Path(channel.events[-1].trained.weights_path))
    tensors = dict(weights.segmentation.tensors)
    tensors["head.bias"] = torch.tensor([0.0, 0.0, 0.0, 1e6])
    seeing = replace(weights.segmentation, tensors=tensors, regions=RegionRule({"LINE": 100.0}))
    save_weights(folder / "weights", replace(weights, segmentation=seeing))
    sha256 = data_set.put("weights", (folder / "weights").read_bytes(), ".safetensors")
    split = data_set.put("splits", Path(channel.events[-1].trained.split_path).read_bytes(), ".jsonl")
    return SimpleNamespace(
        data_set=data_set,
        packs=packs,
        manifest=manifest,
        weights_sha256=sha256,
        split_sha256=split,
        masks=folder / "masks",
    )


def test_s1_a_region_decides_and_its_mask_and_pixels_are_reported(segmented):
    """S3, P3: IoU follows from pixels of the true mask, which a split does not name but the manifest does."""
    results = evaluated(segmented).results
    for result in results:
        assert (result.predicted_code, result.decided_by) == ("LINE", report_pb2.DECIDED_BY_REGION)
        png = (segmented.masks / f"{result.predicted_mask_sha256}.png").read_bytes()
        mask = decode_mask(png, indexed=True)
        assert (mask == 3).all()
        pixels = {its.code: (its.intersection, its.truth, its.predicted) for its in result.pixels}
        shown = pixels[""][1]
        assert (shown > 0) is (result.true_code != "RING")
        assert pixels[""] == (shown, shown, mask.size)
        lines = shown if result.true_code == "LINE" else 0
        assert pixels["LINE"] == (lines, lines, mask.size)
    assert len({its.predicted_mask_sha256 for its in results}) == 1
    assert mask.shape == (32, 32)


def test_s3_a_region_tells_an_ordinary_code_too_and_confidences_go_on_adding_up_to_one(segmented):
    """What the softmax leaves for that code stays its own, so a code is ranked once."""
    data_set, folder = segmented.data_set, segmented.masks.parent
    weights = load_weights(folder / "weights")
    tensors = dict(weights.segmentation.tensors)
    tensors["head.bias"] = torch.tensor([0.0, 1e6, 0.0, 0.0])
    rule = RegionRule({"SPOT": 200.0, "LINE": 100.0})
    seeing = replace(weights, segmentation=replace(weights.segmentation, tensors=tensors, regions=rule))
    samples = read_manifests(data_set.objects, [segmented.manifest])[::9]
    found = {
        segments: list(
            predict(
                seeing,
                samples,
                data_set.objects,
                segmented.packs,
                batch_size=4,
                stop_if_asked=lambda: None,
                segments=segments,
            )
        )
        for segments in (True, False)
    }
    for item, alone in zip(found[True], found[False], strict=True):
        assert (item.predicted, item.decided_by, alone.decided_by) == ("SPOT", "region", "softmax")
        assert sum(score for _, score in item.ranked) == pytest.approx(1)
        assert sorted(code for code, _ in item.ranked) == ["RING", "SPOT"]
        of_region = 32 * 32 / (32 * 32 + 200)
        assert item.confidence == pytest.approx(of_region + (1 - of_region) * dict(alone.ranked)["SPOT"])


def test_p1_classification_only_ignores_the_segmentation_network(segmented):
    results = predicted(segmented, classification_only=True)
    assert {its.decided_by for its in results} == {report_pb2.DECIDED_BY_SOFTMAX}
    assert not any(its.pixels for its in results)
