"""The weights container: no pickle, a certificate, and a reason for every refusal (invariant 8, X5)."""

import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from services.input_specification import InputSpecification
from services.vision.networks import build_classifier, features_and_logits
from services.vision.preprocessing import ResolutionRule
from services.vision.special import SpecialRule
from services.vision.weights import FORMAT_VERSION, BadWeights, Weights, certify, load_weights, save_weights

SPECIFICATION = InputSpecification(32, 32)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_classifier("ResNet18", 3).eval()


def weights_of(network, special=None) -> Weights:
    certificate = certify("ResNet18", ("A", "B", "C", "RARE"), 3, SPECIFICATION, seed=1)
    return Weights(certificate, network.state_dict(), special)


def rule() -> SpecialRule:
    random = np.random.default_rng(0)
    return SpecialRule(
        ("RARE",), random.normal(size=(1, 512)), random.normal(size=(3, 512)), np.eye(512), -1.5, 2.0
    )


def test_a_model_comes_back_as_it_was(network, tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(path, weights_of(network, rule()))
    loaded = load_weights(path)
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded.classifier()(images), network(images))
    assert loaded.codes == ("A", "B", "C", "RARE")
    assert loaded.input_specification == SPECIFICATION
    assert loaded.certificate["lineage"] == {"seed": 1}
    assert loaded.special
    assert loaded.special.threshold == -1.5


def test_a_certificate_of_before_is_read_and_written_alike(network, tmp_path):
    """Released weights live for years, and a retraining with equal weights must give equal bytes."""
    of_before = {
        "width": 32,
        "height": 32,
        "channels": 3,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "normalisation": "fixed",
        "resolution": {
            "width": None,
            "height": None,
            "tolerance": 0.1,
            "min_side_px": 32,
            "max_aspect_ratio": 8.0,
        },
        "detail": 1,
    }
    path = tmp_path / "w.safetensors"
    save_weights(path, weights_of(network))
    assert load_weights(path).certificate["input_specification"] == of_before
    named = of_before | {
        "normalisation": "per_image",
        "resolution": of_before["resolution"] | {"width": 600, "height": 400, "min_side_px": 16},
    }
    rewritten(path, lambda its: its.update(input_specification=named))
    loaded = load_weights(path)
    assert loaded.input_specification == replace(SPECIFICATION, per_image_normalisation=True, min_side=16)
    assert loaded.resolution == ResolutionRule(600, 400, min_side_px=16)


def test_equal_weights_are_equal_bytes(network, tmp_path):
    """The digest of the file is the model's identity."""
    for name in "ab":
        save_weights(tmp_path / name, weights_of(network, rule()))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def rewritten(path, change_certificate=None, change_tensors=None):
    """The container with something changed by hand."""
    with safetensors.safe_open(path, "pt") as file:
        certificate = json.loads(file.metadata()["loupe"])
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    (change_certificate or (lambda _its: None))(certificate)
    (change_tensors or (lambda _its: None))(tensors)
    safetensors.torch.save_file(tensors, path, {"loupe": json.dumps(certificate)})


@pytest.mark.parametrize(
    ("code", "change_certificate", "change_tensors"),
    [
        ("WEIGHTS_NEWER_FORMAT", lambda its: its.update(format_version=FORMAT_VERSION + 1), None),
        ("WEIGHTS_OTHER_RULE", lambda its: its.update(preprocessing_rule="area-1"), None),
        ("WEIGHTS_NOT_CERTIFIED", lambda its: its.pop("codes"), None),
        ("WEIGHTS_NOT_CERTIFIED", lambda its: its.update(special={"codes": ["X"]}), None),
        ("WEIGHTS_NOT_CERTIFIED", lambda its: its["input_specification"].update(width=4), None),
        ("WEIGHTS_NOT_CERTIFIED", lambda its: its["input_specification"]["resolution"].update(least=4), None),
        ("WEIGHTS_TAMPERED", None, lambda its: its["network.fc.bias"].add_(1)),
        ("WEIGHTS_TAMPERED", None, lambda its: its.pop("network.fc.bias")),
        ("WEIGHTS_MISMATCH", lambda its: its.update(num_of_classes=4), None),
    ],
)
def test_a_container_that_was_changed_is_refused_with_a_reason(
    network, tmp_path, code, change_certificate, change_tensors
):
    path = tmp_path / "w.safetensors"
    save_weights(path, weights_of(network))
    rewritten(path, change_certificate, change_tensors)
    with pytest.raises(BadWeights) as refused:
        load_weights(path)
    assert refused.value.code == code
    assert not refused.value.retryable


def test_weights_that_are_not_finite_are_refused(network, tmp_path):
    path = tmp_path / "w.safetensors"
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    tensors["fc.bias"][0] = float("nan")
    save_weights(path, Weights(weights_of(network).certificate, tensors, None))
    with pytest.raises(BadWeights, match=r"fc\.bias is not finite"):
        load_weights(path)


@pytest.mark.parametrize("kept", [0, 7, 100, 5000, 44_000_000])
def test_a_cut_file_is_refused(network, tmp_path, kept):
    path = tmp_path / "w.safetensors"
    save_weights(path, weights_of(network))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadWeights) as refused:
        load_weights(path)
    assert refused.value.code == "WEIGHTS_UNREADABLE"


def test_safetensors_without_a_certificate_were_not_trained_here(network, tmp_path):
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(network.state_dict(), path)
    with pytest.raises(BadWeights) as refused:
        load_weights(path)
    assert refused.value.code == "WEIGHTS_NOT_CERTIFIED"


def test_the_penultimate_features_are_what_the_last_layer_sees(network):
    """S2 measures distances in them."""
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        features, logits = features_and_logits(network, images)
        torch.testing.assert_close(network.fc(features), logits)
        torch.testing.assert_close(network(images), logits)
    assert features.shape == (2, 512)
