"""The input specification as value, as JSON column and as message."""

from dataclasses import asdict, replace

import numpy as np
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from loupe.registry.v1 import algorithm_image_pb2
from loupe.scheduler.v1 import job_pb2

from services.input_messages import from_message, to_message
from services.input_specification import InputSpecification

_float32 = st.floats(0, 1e6, width=32)
_triples = st.tuples(_float32, _float32, _float32).filter(any)


def test_a_specification_tells_all_its_faults() -> None:
    """An administrator corrects them in one go."""
    specification = InputSpecification(
        4, 5000, 1, (0.5,), (0.0, 1.0, float("nan")), 40_000, 0.5, per_image_normalisation=False, detail=17
    )
    assert {fault.field for fault in specification.faults("input")} == {
        "input.width",
        "input.height",
        "input.channels",
        "input.mean",
        "input.std",
        "input.max_aspect_ratio",
        "input.min_side",
        "input.detail",
    }
    assert not InputSpecification(128, 128).faults("input")


def test_a_specification_without_width_is_read_and_refused() -> None:
    """The fault names the field; a request without it is no crash."""
    assert [fault.field for fault in from_message(algorithm_image_pb2.InputSpecification()).faults("at")] == [
        "at.width",
        "at.height",
    ]


def test_numbers_that_are_none_are_refused_too() -> None:
    """Their JSON is a word."""
    message = algorithm_image_pb2.InputSpecification(
        width=64, height=64, mean=[float("nan"), 0, 0], max_aspect_ratio=float("inf")
    )
    assert [fault.field for fault in from_message(message).faults("at")] == ["at.mean", "at.max_aspect_ratio"]


def test_what_is_absent_has_its_default() -> None:
    """0 and empty mean the default in the contract, in columns of before, and in an order."""
    default = InputSpecification(64, 48)
    assert from_message(algorithm_image_pb2.InputSpecification(width=64, height=48)) == default
    assert InputSpecification.from_json({"width": 64, "height": 48, "mean": [], "detail": 0}) == default
    assert default == replace(default, channels=3, min_side=32, max_aspect_ratio=8.0, detail=1)


@given(
    st.builds(
        InputSpecification,
        width=st.integers(1, 2**32 - 1),
        height=st.integers(1, 2**32 - 1),
        channels=st.integers(1, 4),
        mean=_triples,
        std=_triples,
        min_side=st.integers(1, 30_000),
        max_aspect_ratio=_float32.filter(bool),
        per_image_normalisation=st.booleans(),
        detail=st.integers(1, 16),
    )
)
def test_a_specification_survives_its_message_and_its_column(value: InputSpecification) -> None:
    """What a task pinned is what its trainer is told, bit for bit as float32."""
    message = to_message(value)
    assert to_message(from_message(message)) == message
    assert InputSpecification.from_json(asdict(value)) == value


@given(st.decimals(0, 10, places=5))
def test_a_number_comes_back_as_it_was_written(number: object) -> None:
    """A float32 of the contract is not 0.485; the weights' certificate should be."""
    value = InputSpecification(8, 8, mean=(0.485, 0.456, float(str(number))))
    assert from_message(to_message(value)) == value
    assert float(np.float32(0.485)) != 0.485


def test_an_order_of_the_scheduler_before_is_read() -> None:
    """Its message was `WorkInput`, with the same numbers and names; servers are updated one after another."""
    work = job_pb2.TrainWork.FromString(
        bytes.fromhex(
            "2a2d084010301803220cec51f83ed578e93e3bdfcf3e2a0cfa7e6a3e4260653e6666663e30103d0000904040014803"
        )
    )
    line = (
        '{"input": {"width": 64, "height": 48, "channels": 3, "mean": [0.485, 0.456, 0.406], '
        '"std": [0.229, 0.224, 0.225], "minSide": 16, "maxAspectRatio": 4.5, '
        '"perImageNormalisation": true, "detail": 3}}'
    )
    assert json_format.Parse(line, job_pb2.TrainWork()) == work
    assert from_message(work.input) == InputSpecification(
        64, 48, min_side=16, max_aspect_ratio=4.5, per_image_normalisation=True, detail=3
    )
