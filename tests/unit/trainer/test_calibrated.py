"""A training of handwritten digits, judged on digits that neither of its sides has (E5)."""

from services.vision.pack import PackCache
from tests.bench.calibration import digits, errors, judge, train


def test_e5_confidences_of_digits_that_were_held_back_are_no_worse_with_calibration(tmp_path):
    """Sixty iterations over 320 digits: nearly all are learnt by heart, one in sixteen others is misread."""
    its = digits(tmp_path / "images", seed=0, iterations=60, size=32)
    packs = PackCache(tmp_path / "packs")
    for name in ("training", "judged"):
        (tmp_path / name).mkdir()
    weights = train(its, tmp_path, packs, seed=0)
    predictions = judge(weights, its, tmp_path, packs)
    assert len(predictions) == 1397
    found = errors(predictions, its.codes)
    assert found["accuracy"] > 0.8
    assert found["after"] <= found["before"]
