"""Pixels: what masks say of samples, how predicted ones agree with them, and what regions tell (S1)."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score

from services.input_specification import InputSpecification
from services.vision.masks import decode_mask, encode_labels
from services.vision.pack import PackCache
from services.vision.pixel_labels import PixelLabels, agreement, clean_codes
from services.vision.regions import RegionRule, calibrate, calibrate_ordinary, largest_regions
from services.vision.samples import UNKNOWN, read_manifests
from tests.support.training import DataSet

CODES = ("SPOT", "LINE", "CLEAN")
SPECIFICATION = InputSpecification(16, 16)


def png(mask_HW) -> bytes:
    return cv2.imencode(".png", np.asarray(mask_HW, np.uint8))[1].tobytes()


def marked(value: int = 255) -> np.ndarray:
    mask_HW = np.zeros((32, 32), np.uint8)
    mask_HW[8:16, 8:16] = value
    return mask_HW


def truth_of(data_set, tmp_path):
    samples = {sample.name: sample for sample in read_manifests(data_set.objects, [data_set.manifest()])}
    masks = PackCache(tmp_path / "packs").load_labels(samples.values(), SPECIFICATION, data_set.objects)
    return samples, PixelLabels(CODES, masks, clean_codes(samples.values(), masks))


def test_d1_what_a_mask_says_of_each_pixel(tmp_path):
    """A mask marks its folder's code, an indexed one any code; what no code names is unknown, not clean."""
    data_set = DataSet(tmp_path / "objects")
    image = png(np.full((32, 32, 3), 90))
    data_set.add("SPOT/own.png", image, mask=png(marked()))
    data_set.add("SPOT/empty.png", image, mask=png(marked(0)))
    data_set.add("SPOT/none.png", image)
    data_set.add("LINE/indexed.png", image, mask=png(marked(2) + np.flipud(marked(3))))
    data_set.lines[-1]["mask_codes"] = ["LINE", "SPOT", "DUST"]
    data_set.add("CLEAN/empty.png", image, mask=png(marked(0)))
    samples, truth = truth_of(data_set, tmp_path)
    assert truth.clean == {"CLEAN"}
    own_HW = truth.of(samples["SPOT/own.png"])
    assert own_HW[4:8, 4:8].tolist() == [[1] * 4] * 4
    assert own_HW.sum() == 16
    indexed_HW = truth.of(samples["LINE/indexed.png"])
    assert set(np.unique(indexed_HW)) == {0, 1, UNKNOWN}
    assert not truth.of(samples["CLEAN/empty.png"]).any()
    # A defect that nobody marked: its pixels are not background.
    assert truth.of(samples["SPOT/empty.png"]) is None
    assert truth.of(samples["SPOT/none.png"]) is None


@pytest.mark.parametrize("masked_lines", [10, 5])
def test_a_code_without_masks_is_clean_only_if_all_others_have_them(tmp_path, masked_lines):
    """With half of the lines unmarked, clean samples without masks may be as unmarked as those."""
    data_set = DataSet(tmp_path / "objects")
    for number in range(10):
        image = png(np.full((32, 32, 3), number))
        data_set.add(f"SPOT/{number}.png", image, mask=png(marked()))
        data_set.add(f"LINE/{number}.png", image, mask=png(marked()) if number < masked_lines else None)
        data_set.add(f"CLEAN/{number}.png", image)
    samples, truth = truth_of(data_set, tmp_path)
    assert truth.clean == ({"CLEAN"} if masked_lines == 10 else set())
    assert (truth.of(samples["CLEAN/0.png"]) is None) is (masked_lines == 5)


def test_agreement_counts_any_defect_beside_each_code():
    """A pixel that is a defect, but of another code, is right as a defect and wrong as either code."""
    truth_HW = np.array([[0, 1, 1, 2], [0, 0, UNKNOWN, UNKNOWN]], np.uint8)
    predicted_HW = np.array([[0, 1, 2, 2], [3, 0, 1, 0]], np.uint8)
    found = {
        label: (its.intersection, its.truth, its.predicted)
        for label, its in agreement(truth_HW, predicted_HW).items()
    }
    assert found == {0: (4, 5, 5), 1: (1, 2, 2), 2: (1, 1, 2), 3: (0, 0, 1)}
    nothing = agreement(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))
    assert list(nothing) == [0]
    assert np.isnan(nothing[0].iou)


def test_predicted_masks_are_indexed_pngs_of_equal_bytes():
    """They are stored under their hash; another palette or order would store all of them again."""
    labels_HW = np.arange(256, dtype=np.uint8).reshape(16, 16)
    encoded = encode_labels(labels_HW)
    assert encoded == encode_labels(labels_HW.copy())
    assert Image.open(BytesIO(encoded)).mode == "P"
    assert (decode_mask(encoded, indexed=True) == labels_HW).all()


def test_s1_a_region_is_what_touches():
    """Many specks are not one defect, whatever they add up to."""
    labels_HW = np.zeros((20, 20), np.uint8)
    labels_HW[::4, ::4] = 2
    labels_HW[5:8, 5:8] = 1
    labels_HW[8, 8] = 1
    assert largest_regions(labels_HW) == {1: 10, 2: 1}


def test_s1_least_areas_are_calibrated_by_code():
    """RARE needs more than what others show of it; UNSEEN has no sample, so nothing can be believed."""
    areas = [{"RARE": 30}, {"RARE": 25}, {"RARE": 8}, {"RARE": 6, "SPOT": 90}, {}, {"UNSEEN": 50}]
    truth = ["RARE", "RARE", "SPOT", "SPOT", "LINE", "LINE"]
    rule = calibrate(areas, truth, ["RARE", "UNSEEN"])
    assert set(rule.min_area_px) == {"RARE"}
    assert 8 < rule.min_area_px["RARE"] < 25
    assert rule.decide({"RARE": 9}) is None
    code, confidence = rule.decide({"RARE": 30, "UNSEEN": 900})
    assert code == "RARE"
    assert 0.5 < confidence < 1


def test_s1_no_region_is_no_evidence():
    """A code that the network never finds must not be predicted of every image."""
    rule = calibrate([{}, {}, {}], ["RARE", "RARE", "SPOT"], ["RARE"])
    assert rule.decide({}) is None
    assert RegionRule({"A": 4.0, "B": 4.0}).decide({"A": 5, "B": 50}) == ("B", pytest.approx(50 / 54))


ALONE = RegionRule({})


def test_ordinary_codes_are_told_by_regions_where_that_judges_better():
    """Above 14 px a region is right against the classifier; under it, it is more often wrong."""
    truth = ["SPOT"] * 4 + ["LINE"] * 3 + ["CLEAN"] * 6
    told = ["CLEAN"] * 3 + ["SPOT"] + ["LINE", "CLEAN", "SPOT"] + ["CLEAN"] * 6
    areas = [{"SPOT": 30}, {"SPOT": 40, "LINE": 9}, {"SPOT": 22}, {}, {"SPOT": 6}, {}, {"LINE": 16}]
    areas += [{"SPOT": 12}, {"LINE": 9}, {"LINE": 5}, {}, {}, {}]
    rule = calibrate_ordinary(ALONE, areas, truth, told, ["SPOT", "LINE"])
    assert rule.min_area_px == {"SPOT": 14, "LINE": 14}
    assert _decided(rule, areas, told) == ["SPOT"] * 4 + ["LINE", "CLEAN", "LINE"] + ["CLEAN"] * 6


@pytest.mark.parametrize(
    ("areas", "truth", "told"),
    [
        ([{"SPOT": 9}, {}, {"SPOT": 4}], ["SPOT", "CLEAN", "CLEAN"], ["SPOT", "CLEAN", "CLEAN"]),
        ([{"SPOT": 9}, {"SPOT": 9}, {"SPOT": 9}], ["CLEAN", "CLEAN", "SPOT"], ["CLEAN"] * 3),
        ([{}, {}, {}], ["SPOT", "CLEAN", "LINE"], ["CLEAN"] * 3),
        ([{"SPOT": 9}, {}], ["CLEAN", "LINE"], ["CLEAN", "CLEAN"]),
        ([{"SPOT": 9, "LINE": 8}, {"LINE": 7}], ["CLEAN", "CLEAN"], ["CLEAN", "CLEAN"]),
        ([], [], []),
    ],
    ids=["right already", "all alike", "no regions", "no sample of the code", "one code only", "nothing"],
)
def test_where_regions_do_not_help_the_classifier_decides_alone(areas, truth, told):
    """With all regions alike SPOT would gain F1, and two of three right answers would be lost."""
    assert calibrate_ordinary(ALONE, areas, truth, told, ["SPOT", "LINE"]) == ALONE


def test_s1_special_codes_keep_their_least_areas_beside_ordinary_ones():
    """What a special code's region decides is not the classifier's any more, when SPOT is judged."""
    special = RegionRule({"RARE": 5.5})
    truth = ["RARE", "SPOT", "SPOT", "CLEAN"]
    areas = [{"RARE": 40, "SPOT": 8}, {"SPOT": 8}, {"SPOT": 9}, {}]
    rule = calibrate_ordinary(special, areas, truth, ["CLEAN"] * 4, ["SPOT"])
    assert rule.min_area_px == {"RARE": 5.5, "SPOT": 4.0}
    assert _decided(rule, areas, ["CLEAN"] * 4) == truth  # in the first, 40 / 5.5 is more than 8 / 4


@given(data=st.data(), count=st.integers(0, 30))
def test_on_the_calibrating_samples_regions_never_judge_worse(data, count):
    """Neither in accuracy nor in macro F1, by scikit-learn's account and by the rule as it predicts."""
    codes = st.sampled_from(["SPOT", "LINE", "RARE", "CLEAN"])
    truth, told = (data.draw(st.lists(codes, min_size=count, max_size=count)) for _ in range(2))
    area = st.dictionaries(st.sampled_from(["SPOT", "LINE", "RARE"]), st.integers(1, 6))
    areas = data.draw(st.lists(area, min_size=count, max_size=count))
    special = RegionRule({"RARE": 2.5})
    rule = calibrate_ordinary(special, areas, truth, told, ["SPOT", "LINE"])
    assert rule.min_area_px["RARE"] == 2.5
    before, after = (_decided(its, areas, told) for its in (special, rule))
    if rule == special:
        return
    there = sorted(set(truth))
    scores = [f1_score(truth, its, labels=there, average="macro", zero_division=0) for its in (before, after)]
    assert scores[1] > scores[0]
    assert accuracy_score(truth, after) >= accuracy_score(truth, before)


def _decided(rule, areas, told):
    found = [rule.decide(its) for its in areas]
    return [its[0] if its else code for its, code in zip(found, told, strict=True)]
