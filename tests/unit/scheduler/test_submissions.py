"""What a submission's message may hold."""

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from loupe.errors import InvalidArgument
from loupe.registry.v1 import model_pb2
from loupe.scheduler.v1 import task_pb2

from gateway.contracts import comments
from services.scheduler.domain.spec import TrainingRequest
from services.scheduler.wire.submissions import OUTPUT_ONLY, draft, request

PARAMS = Struct()
PARAMS.update({"classification": {"max_iter": 3}})


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"training": {"training_params": PARAMS}}, {"training_params": "give training_params_json"}),
        (
            {"training": {"training_params": PARAMS, "training_params_json": "{}", "model_params": PARAMS}},
            {"training_params": "give training_params_json", "model_params": "give model_params_json"},
        ),
        (
            {"training": {"snapshots": ["x"], "target_major": 3}},
            {"snapshots": "leave it out", "target_major": "leave it out"},
        ),
        (
            {"prediction": {"snapshots": ["x"], "training_overlap": model_pb2.TrainingOverlap()}},
            {"snapshots": "leave it out", "training_overlap": "leave it out"},
        ),
    ],
)
def test_a_field_that_only_the_server_sets_is_refused(spec: dict[str, Any], told: dict[str, str]) -> None:
    """W8: who sent 3 iterations there had the image's 450 trained."""
    with pytest.raises(InvalidArgument) as refused:
        request(task_pb2.Task(**spec))
    by_field = {one.field: one for one in refused.value.violations}
    assert {one.reason for one in by_field.values()} == {"OUTPUT_ONLY"}
    assert set(by_field) == set(told)
    for field, words in told.items():
        assert words in by_field[field].message


def test_what_the_contract_calls_output_only_is_what_is_refused() -> None:
    told = {
        field.name
        for spec in (task_pb2.TrainingSpec.DESCRIPTOR, task_pb2.PredictionSpec.DESCRIPTOR)
        for field in spec.fields
        if comments().get(field.full_name, "").startswith("Output only")
    }
    assert told == set(OUTPUT_ONLY)


def test_w13_a_draft_can_be_submitted_as_it_is() -> None:
    answers = TrainingRequest(model_name="a", train_fraction=0.8, training_params_json="{}")
    assert request(task_pb2.Task(training=draft(answers))) == answers
