"""Rare codes by distance in feature space (S2)."""

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from services.vision import special
from services.vision.special import SpecialRule, fit, shrunk_covariance

CODES = ("A", "B", "RARE", "NEVER")


def features(counts, seed, spread=1.0):
    """Clusters in 30 dimensions, one per code index."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(0, 3, (len(CODES), 30))
    codes = np.repeat(list(counts), list(counts.values()))
    return centres[codes] + random.normal(0, spread, (len(codes), 30)), codes


def test_a_rare_code_is_found_and_ordinary_ones_are_left_alone():
    """Six samples teach a special defect; the line must not drown in false ones."""
    rule = fit(*features({0: 80, 1: 80, 2: 6}, 2), *features({0: 20, 1: 20, 2: 2}, 3), CODES, 2)
    assert rule
    assert rule.codes == ("RARE",)
    test, codes = features({0: 200, 1: 200, 2: 50}, 4)
    special, confidence = rule.decide(test)
    assert ((special == 0) == (codes == 2)).mean() > 0.99
    assert ((confidence > 0.5) == (special >= 0)).all()


def test_features_that_fire_rarely_and_strongly_are_evened_out(monkeypatch):
    """A rectified feature is mostly 0 and now and then large: a mean of six such says little of a code."""

    def firing(counts, seed):
        evened, codes = features(counts, seed)
        return np.maximum(evened, 0) ** 4, codes

    def right():
        rule = fit(*firing({0: 80, 1: 80, 2: 6}, 2), *firing({0: 20, 1: 20, 2: 2}, 3), CODES, 2)
        assert rule
        test, codes = firing({0: 200, 1: 200, 2: 50}, 4)
        return ((rule.decide(test)[0] == 0) == (codes == 2)).mean()

    evened = right()
    monkeypatch.setattr(special, "_POWER", 1.0)
    assert evened > 0.95
    assert evened > right()


def test_a_special_code_without_validation_samples_still_has_a_threshold():
    rule = fit(*features({0: 80, 1: 80, 2: 6}, 2), *features({0: 20, 1: 20}, 3), CODES, 2)
    assert rule
    test, codes = features({0: 200, 1: 200, 2: 50}, 4)
    assert ((rule.decide(test)[0] == 0) == (codes == 2)).mean() > 0.98


def test_no_sample_of_a_special_code_gives_no_rule():
    assert fit(*features({0: 9, 1: 9}, 2), *features({0: 3, 1: 3}, 3), CODES, 2) is None


def test_the_rule_survives_its_container():
    """Weights hold float32; the decisions must be the same."""
    rule = fit(*features({0: 80, 1: 80, 2: 6}, 2), *features({0: 20, 1: 20, 2: 2}, 3), CODES, 2)
    assert rule
    again = SpecialRule.from_arrays(rule.to_arrays(), rule.to_json())
    test, _ = features({0: 200, 1: 200, 2: 50}, 4)
    assert (rule.decide(test)[0] == again.decide(test)[0]).all()


@pytest.mark.parametrize("count", [3, 30, 300])
def test_the_shrinkage_is_ledoit_and_wolfs(count):
    """Fewer samples than features: the plain covariance has no inverse."""
    rows = np.random.default_rng(0).normal(0, 1, (count, 20)) * np.linspace(0.1, 3, 20)
    rows -= rows.mean(0)
    found = shrunk_covariance(rows)
    assert found == pytest.approx(LedoitWolf(assume_centered=True).fit(rows).covariance_, rel=0.02, abs=0.02)
    assert np.linalg.cond(found) < 1e7


def test_identical_features_do_not_divide_by_zero():
    assert np.isfinite(np.linalg.inv(shrunk_covariance(np.zeros((5, 4))))).all()
