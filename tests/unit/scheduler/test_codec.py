"""Columns that were written before are read."""

import json

from services.input_specification import InputSpecification
from services.scheduler.domain.task import TaskKind
from services.scheduler.storage.codec import spec_from_json, spec_to_json
from tests.support.specs import training_spec

_INPUT_OF_BEFORE = {
    "width": 64,
    "height": 64,
    "channels": 3,
    "mean": [0.4850000143051147, 0.4560000002384186, 0.4059999883174896],
    "std": [0.2290000021457672, 0.2240000069141388, 0.22499999403953552],
    "min_side": 0,
    "max_aspect_ratio": 0.0,
    "per_image_normalisation": False,
    "detail": 3,
}


def test_w12_a_spec_that_was_pinned_before_is_read() -> None:
    """W12: 0 stood for the default, and numbers were those of the float32."""
    column = spec_to_json(training_spec()) | {"input": _INPUT_OF_BEFORE}
    spec = spec_from_json(TaskKind.TRAINING, json.loads(json.dumps(column)))
    mean, std = tuple(_INPUT_OF_BEFORE["mean"]), tuple(_INPUT_OF_BEFORE["std"])
    assert spec == training_spec(input=InputSpecification(64, 64, mean=mean, std=std, detail=3))


def test_w12_a_spec_comes_back_as_it_was() -> None:
    """W12: what is pinned is pinned for ever."""
    spec = training_spec(input=InputSpecification(64, 48, per_image_normalisation=True, min_side=16))
    assert spec_from_json(TaskKind.TRAINING, json.loads(json.dumps(spec_to_json(spec)))) == spec
