"""Evaluation and prediction as the evaluator's child does them, with weights that were really trained."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from services.evaluator.worker.child import Evaluator
from services.evaluator.worker.measuring.predict import predict
from services.trainer.training.session import run
from services.vision.faults import UserFault
from services.vision.masks import decode_mask
from services.vision.pack import PackCache
from services.vision.regions import RegionRule
from services.vision.samples import read_manifests
from services.vision.weights import load_weights, save_weights
from tests.support.training import RecordingChannel, masked_data_set, small_data_set, train_order


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of two classes and a special code, with its split."""
    folder = tmp_path_factory.mktemp("trained")
    data_set = small_data_set(folder / "objects")
    data_set.add("SPOT/tiny.png", b"never read", size=(10, 10))
    data_set.add("LINE/broken.png", b"not an image at all")
    packs = PackCache(folder / "packs")
    manifest = data_set.manifest()
    order = train_order(manifest, num_of_classes=2, classification={"max_iter": 16, "batch_size": 12})
    order["preprocessing"]["augmentations"] = ["flip"]
    channel = RecordingChannel()
    run(order, data_set.objects, packs, folder / "work", channel)
    finished = channel.events[-1]
    weights = Path(finished["weights_path"])
    split = Path(finished["split_path"]).read_bytes()
    return SimpleNamespace(
        data_set=data_set,
        packs=packs,
        manifest=manifest,
        weights_path=weights,
        weights_key=f"weights/{data_set.put('weights', weights.read_bytes(), '.safetensors')}.safetensors",
        split_key=f"splits/{data_set.put('splits', split, '.jsonl')}.jsonl",
        split=[json.loads(line) for line in split.splitlines()],
    )


def carry_out(trained, what: str, **work) -> RecordingChannel:
    channel = RecordingChannel()
    evaluator = Evaluator(trained.data_set.objects, trained.packs, channel)
    known = {"weights_key": trained.weights_key, "manifests": [trained.manifest], "threads": 1}
    getattr(evaluator, what)(known | work)
    return channel


def rows_of(channel: RecordingChannel) -> list[dict]:
    return [row for item in channel.of("samples") for row in item["samples"]]


def test_evaluation_judges_the_validation_side_and_nothing_else(trained):
    """E1: a training sample in the report would flatter the model. E3: what was set aside is listed."""
    channel = carry_out(trained, "evaluate", split_key=trained.split_key)
    rows = rows_of(channel)
    expected = {item["name"] for item in trained.split if item["side"] == "validation"}
    assert {row["name"] for row in rows if row["outcome"] == "PREDICTED"} == expected
    others = {row["name"]: (row["outcome"], row["reason"]) for row in rows if row["outcome"] != "PREDICTED"}
    assert others == {
        "SPOT/tiny.png": ("NONCONFORMING", "RESOLUTION_TOO_LOW"),
        "LINE/broken.png": ("UNREADABLE", "NOT_AN_IMAGE"),
    }
    finished = channel.events[-1]
    assert (finished["predicted"], finished["nonconforming"], finished["unreadable"]) == (len(expected), 1, 1)
    assert channel.of("progress")[-1]["fraction"] == 1


def test_a_code_without_validation_samples_fails_the_evaluation(trained, tmp_path):
    """D9: the last guard of COMPLETED, whatever wizard and trainer let pass."""
    rows = [row | {"side": "train"} if row["code"] == "RING" else row for row in trained.split]
    split = trained.data_set.put("splits", "".join(json.dumps(row) + "\n" for row in rows).encode(), ".jsonl")
    weights = load_weights(trained.weights_path)
    lineage = weights.certificate["lineage"] | {"split_sha256": split}
    path = tmp_path / "weights.safetensors"
    save_weights(path, replace(weights, certificate={**weights.certificate, "lineage": lineage}))
    sha256 = trained.data_set.put("weights", path.read_bytes(), ".safetensors")
    work = {"weights_key": f"weights/{sha256}.safetensors", "split_key": f"splits/{split}.jsonl"}
    with pytest.raises(UserFault, match="RING") as fault:
        carry_out(trained, "evaluate", **work)
    assert fault.value.code == "CODE_ON_ONE_SIDE"


def test_a_split_the_weights_were_not_trained_on_is_refused(trained):
    """Its validation side may be this model's training side."""
    other = trained.data_set.put("splits", b"", ".jsonl")
    with pytest.raises(UserFault, match="trained on split"):
        carry_out(trained, "evaluate", split_key=f"splits/{other}.jsonl")


def test_a_question_bank_has_a_row_for_every_sample(trained):
    """P5: a decode fault in one is a row in the report, not the end of the task."""
    rows = rows_of(carry_out(trained, "predict", manifests=[trained.manifest], filter_resolution=True))
    assert sorted(row["name"] for row in rows) == sorted(item["name"] for item in trained.split)
    unfiltered = rows_of(carry_out(trained, "predict", manifests=[trained.manifest], filter_resolution=False))
    tiny = next(row for row in unfiltered if row["name"] == "SPOT/tiny.png")
    assert tiny["outcome"] == "UNREADABLE"


def test_confidences_are_shares_and_the_threshold_sends_the_rest_to_a_human(trained):
    """P1: the confidence threshold is a parameter of the prediction."""
    rows = rows_of(carry_out(trained, "predict", manifests=[trained.manifest], confidence_threshold=0.8))
    for row in rows:
        if row["outcome"] == "PREDICTED":
            assert row["top"][0] == [row["predicted"], row["confidence"]]
            assert sum(share for _, share in row["top"]) == pytest.approx(1, abs=1e-6)
            assert row["to_human"] == (row["confidence"] < 0.8)


def test_special_codes_say_that_the_distance_decided(trained):
    """S3: reports say which way decided; and most rings, which no softmax class stands for, are found."""
    rows = rows_of(carry_out(trained, "predict", manifests=[trained.manifest]))
    predicted = [row for row in rows if row["outcome"] == "PREDICTED"]
    for row in predicted:
        assert (row["decided_by"] == "feature_distance") == (row["predicted"] == "RING")
    rings = [row["predicted"] == "RING" for row in predicted if row["code"] == "RING"]
    assert np.mean(rings) > 0.5


def test_the_batch_size_changes_no_answer(trained):
    """P1 offers it for speed; a result must not depend on its neighbours."""
    results = []
    for batch_size in (1, 7, 64):
        rows = rows_of(carry_out(trained, "predict", manifests=[trained.manifest], batch_size=batch_size))
        results.append({row["name"]: row.get("confidence") for row in rows})
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


@pytest.mark.parametrize("change", [{"confidence_threshold": 1.5}, {"batch_size": -1}, {"manifests": None}])
def test_an_order_that_cannot_be_carried_out_is_a_user_fault(trained, change):
    with pytest.raises(UserFault) as fault:
        carry_out(trained, "predict", **({"manifests": [trained.manifest]} | change))
    assert fault.value.code == "BAD_ORDER"


def test_bytes_that_are_no_weights_are_a_user_fault(trained):
    data = b"not a model"
    trained.data_set.put("weights", data, ".safetensors")
    with pytest.raises(UserFault) as fault:
        carry_out(
            trained,
            "predict",
            manifests=[trained.manifest],
            weights_key=f"weights/{hashlib.sha256(data).hexdigest()}.safetensors",
        )
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
        codes=["SPOT", "RING", "LINE"],
        num_of_classes=2,
        train_segmentation=True,
        classification={"max_iter": 1},
        segmentation={"max_iter": 1},
    )
    order["preprocessing"]["augmentations"] = []
    channel = RecordingChannel()
    run(order, data_set.objects, packs, folder / "work", channel)
    weights = load_weights(Path(channel.events[-1]["weights_path"]))
    tensors = dict(weights.segmentation.tensors)
    tensors["head.bias"] = torch.tensor([0.0, 0.0, 0.0, 1e6])
    seeing = replace(weights.segmentation, tensors=tensors, regions=RegionRule({"LINE": 100.0}))
    save_weights(folder / "weights", replace(weights, segmentation=seeing))
    sha256 = data_set.put("weights", (folder / "weights").read_bytes(), ".safetensors")
    split = data_set.put("splits", Path(channel.events[-1]["split_path"]).read_bytes(), ".jsonl")
    return SimpleNamespace(
        data_set=data_set,
        packs=packs,
        manifest=manifest,
        weights_key=f"weights/{sha256}.safetensors",
        split_key=f"splits/{split}.jsonl",
        masks=folder / "masks",
    )


def test_s1_a_region_decides_and_its_mask_and_pixels_are_reported(segmented):
    """S3, P3: IoU follows from pixels of the true mask, which a split does not name but the manifest does."""
    order = {"split_key": segmented.split_key, "masks_folder": str(segmented.masks)}
    rows = rows_of(carry_out(segmented, "evaluate", **order))
    for row in rows:
        assert (row["predicted"], row["decided_by"]) == ("LINE", "region")
        mask = decode_mask(
            (segmented.masks / f"{row['predicted_mask_sha256']}.png").read_bytes(), indexed=True
        )
        assert (mask == 3).all()
        pixels = {code: counts for code, *counts in row["pixels"]}
        shown = pixels[""][1]
        assert (shown > 0) is (row["code"] != "RING")
        assert pixels[""] == [shown, shown, mask.size]
        lines = shown if row["code"] == "LINE" else 0
        assert pixels["LINE"] == [lines, lines, mask.size]
    assert len({row["predicted_mask_sha256"] for row in rows}) == 1
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
    rows = rows_of(carry_out(segmented, "predict", classification_only=True))
    assert {row["decided_by"] for row in rows} == {"softmax"}
    assert not any("pixels" in row for row in rows)
