"""The mathematics of calibrated confidences (E5)."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from services.vision.calibration import fit_steepness, fit_temperature, scaled
from services.vision.networks import build_classifier, features_and_logits


def drawn(count: int, temperature: float, *, classes: int = 5, seed: int = 0):
    """Logits, and classes that occur as often as the logits say once they are divided by the temperature."""
    random = np.random.default_rng(seed)
    logits_NC = random.normal(0, 4, (count, classes))
    cumulated_NC = softmax(logits_NC / temperature, axis=1).cumsum(axis=1)
    return logits_NC, (random.random((count, 1)) > cumulated_NC).sum(axis=1).clip(max=classes - 1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5, 8.0])
def test_the_temperature_that_made_the_classes_is_found(temperature):
    assert fit_temperature(*drawn(20000, temperature)) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize(("count", "temperature"), [(1, 1.0), (30, 0.5), (30, 3.0), (400, 1.7)])
def test_it_has_the_least_brier_score_with_the_prior(count, temperature):
    """By another program's search over the same definition."""
    logits_NC, classes_N = drawn(count, temperature, seed=3)

    def loss(logarithm):
        found_NC = softmax(logits_NC / np.exp(logarithm), axis=1)
        brier = ((found_NC - np.eye(5)[classes_N]) ** 2).sum() / 2
        return brier / 0.2 + ((logarithm - np.log(1.4)) / 0.3) ** 2 / 2

    best = minimize_scalar(loss, bounds=(-2.9, 2.9), method="bounded", options={"xatol": 1e-9})
    assert np.log(fit_temperature(logits_NC, classes_N)) == pytest.approx(best.x, abs=1e-5)


@pytest.mark.parametrize("count", [1, 20, 1000])
def test_a_split_without_errors_claims_no_certainty(count):
    """Without a prior a temperature of 0 is best."""
    classes_N = np.arange(count) % 4
    logits_NC = 6.0 * np.eye(4)[classes_N]
    temperature = fit_temperature(logits_NC, classes_N)
    assert 0.4 < temperature <= 1.4
    assert softmax(logits_NC / temperature, axis=1).max() < 1


def test_a_class_without_validation_samples_is_no_hindrance():
    logits_NC, classes_N = drawn(5000, 2.0)
    there_N = classes_N != 3
    logits_NC[there_N, 3] -= 4.0
    assert fit_temperature(logits_NC[there_N], classes_N[there_N]) == pytest.approx(2.0, rel=0.3)


def test_a_few_wrong_labels_do_not_make_all_confidences_small():
    """Two labels in a hundred contradict a network that is certain there and calibrated everywhere else."""
    logits_NC, classes_N = drawn(2000, 1.0)
    logits_NC[::50] = 60.0 * np.eye(5)[(classes_N[::50] + 1) % 5]

    def unlikely(temperature):
        return -np.log(softmax(logits_NC / temperature, axis=1)[np.arange(2000), classes_N]).sum()

    likeliest = minimize_scalar(unlikely, bounds=(0.5, 19), method="bounded").x
    assert likeliest > 1.8
    assert fit_temperature(logits_NC, classes_N) == pytest.approx(1.0, abs=0.15)


def test_without_validation_samples_nothing_changes():
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, np.int64)) == 1.0
    assert fit_steepness(np.zeros(0), np.zeros(0, np.bool_)) == 1.0


def test_logits_that_say_nothing_and_logits_that_are_all_wrong_give_a_number():
    assert fit_temperature(np.zeros((50, 3)), np.arange(50) % 3) == pytest.approx(1.4)
    classes_N = np.arange(500) % 3
    wrong = fit_temperature(50.0 * np.eye(3)[(classes_N + 1) % 3], classes_N)
    assert 2 < wrong <= 20


@pytest.mark.parametrize("steepness", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_steepness_that_made_decisions_right_is_found(steepness, share):
    random = np.random.default_rng(1)
    margin_N = random.exponential(1.0, 20000)
    confidence_N = 1 / (1 + np.exp(-steepness * margin_N))
    right_N = random.random(20000) < confidence_N + (1 - confidence_N) * share
    found = fit_steepness(margin_N, right_N, np.full(20000, share))
    assert found == pytest.approx(steepness, rel=0.1)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_decisions_that_were_all_right_are_as_sure_as_their_number_allows(count):
    steepness = fit_steepness(np.full(count, 2.5), np.ones(count, np.bool_))
    assert 1 / (1 + np.exp(-2.5 * steepness)) == pytest.approx((count + 1) / (count + 2), rel=1e-3)


def test_decisions_that_were_all_wrong_are_as_unsure_as_they_can_be():
    steepness = fit_steepness(np.full(9, 2.5), np.zeros(9, np.bool_))
    assert 0.5 < 1 / (1 + np.exp(-2.5 * steepness)) < 0.51


def test_folding_changes_how_sure_a_network_is_and_nothing_else():
    """Features stay bit for bit, answers stay, and confidences are softmax(logits / T)."""
    torch.manual_seed(0)
    network = build_classifier("ResNet18", 6).eval()
    images = torch.rand(16, 3, 32, 32)
    features, logits = features_and_logits(network, images)
    network.load_state_dict(scaled(network.state_dict(), 1 / 1.7))
    features_after, after = features_and_logits(network, images)
    assert torch.equal(features_after, features)
    assert torch.equal(after.argmax(1), logits.argmax(1))
    expected = softmax(logits.detach().double().numpy() / 1.7, axis=1)
    assert after.detach().double().softmax(1).numpy() == pytest.approx(expected, abs=1e-6)
    network.load_state_dict(scaled(network.state_dict(), 1.7))
    assert torch.allclose(features_and_logits(network, images)[1], logits, rtol=1e-5, atol=1e-6)
