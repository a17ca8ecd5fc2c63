"""HTTP requests to messages."""

import json
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loupe.errors import InvalidArgument
from loupe.registry.v1 import dataset_service_pb2, identity_service_pb2
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from gateway.contracts import all_services, operations
from gateway.json_mapping import parse_json, render
from gateway.transcoding import HttpRequest, transcode

OPERATIONS = {operation.method.name: operation for operation in operations(all_services())}


def request_of(rpc: str, *, body: object = None, **rest: Any) -> Any:  # noqa: ANN401 -- any message
    """The message that a request makes."""
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return transcode(OPERATIONS[rpc], HttpRequest(body=raw, **rest))


def faults_of(rpc: str, **rest: Any) -> dict[str, str]:  # noqa: ANN401 -- what request_of takes
    """Field to reason of every violation of a request that must be refused."""
    with pytest.raises(InvalidArgument) as refused:
        request_of(rpc, **rest)
    assert all(v.message and v.message_zh for v in refused.value.violations)
    return {v.field: v.reason for v in refused.value.violations}


def test_a_whole_body_becomes_the_message_with_the_path_bound() -> None:
    """Body `*`: every field but those of the path."""
    made = request_of(
        "AddSamples",
        bindings={"parent": "datasets/d/paths/p"},
        body={"candidates": [{"file": "TPFIP/1.png", "sha256": "ab", "mask_sha256": "cd"}]},
    )
    assert made == dataset_service_pb2.AddSamplesRequest(
        parent="datasets/d/paths/p",
        candidates=[{"file": "TPFIP/1.png", "sha256": "ab", "mask_sha256": "cd"}],
    )


def test_a_field_body_leaves_the_rest_to_the_query() -> None:
    """Body `dataset`: its id and the flag beside it are query parameters."""
    made = request_of(
        "CreateDataset",
        body={"description": "面板"},
        query=[("datasetId", "d1"), ("allow_existing", "true")],
    )
    assert made == dataset_service_pb2.CreateDatasetRequest(
        dataset_id="d1", dataset={"description": "面板"}, allow_existing=True
    )


def test_query_parameters_take_every_scalar_kind() -> None:
    """Numbers, repeated enums by name, times."""
    made = request_of(
        "ListTasks",
        query=[
            ("pageSize", "50"),
            ("states", "TASK_STATE_FAILED"),
            ("states", "TASK_STATE_WAITING"),
            ("modelNameContains", "cf & <x>"),
            ("kind", "TASK_KIND_TRAINING"),
        ],
    )
    assert made == task_service_pb2.ListTasksRequest(
        page_size=50,
        states=[task_pb2.TASK_STATE_FAILED, task_pb2.TASK_STATE_WAITING],
        model_name_contains="cf & <x>",
        kind=task_service_pb2.TASK_KIND_TRAINING,
    )
    entries = request_of("ListAuditEntries", query=[("after", "2026-01-31T08:00:00Z")])
    assert entries == identity_service_pb2.ListAuditEntriesRequest(after={"seconds": 1769846400})


def test_all_faults_of_a_request_come_together() -> None:
    """A person corrects a form once, not once a fault; the nearest known name helps with typing errors."""
    body = {
        "task": {
            "training": {
                "modelNam": "x",
                "seed": "many",
                "dataPaths": "datasets/d/paths/p",
                "preprocessing": {"augmentations": ["AUGMENTATION_FLIP", "AUGMENTATION_SPIN"]},
            },
            "priority": 1.5,
            "createTime": "yesterday",
        },
        "validateOnly": "yes",
    }
    with pytest.raises(InvalidArgument) as refused:
        request_of("CreateTask", body=body)
    told = {v.field: v for v in refused.value.violations}
    assert {field: v.reason for field, v in told.items()} == {
        "task.training.modelNam": "UNKNOWN_FIELD",
        "task.training.seed": "WRONG_TYPE",
        "task.training.data_paths": "WRONG_TYPE",
        "task.training.preprocessing.augmentations[1]": "WRONG_TYPE",
        "task.priority": "WRONG_TYPE",
        "task.create_time": "WRONG_TYPE",
        "validate_only": "WRONG_TYPE",
    }
    assert "'modelName'" in told["task.training.modelNam"].message
    assert "AUGMENTATION_FLIP" in told["task.training.preprocessing.augmentations[1]"].message


def test_faults_of_body_and_query_come_together() -> None:
    """They are one request to the person who wrote it."""
    assert faults_of(
        "CreateDataset", body={"descripton": "x"}, query=[("datasetid", "d"), ("allowExisting", "maybe")]
    ) == {
        "dataset.descripton": "UNKNOWN_FIELD",
        "datasetid": "UNKNOWN_FIELD",
        "allow_existing": "WRONG_TYPE",
    }


@pytest.mark.parametrize(
    ("rpc", "query", "field", "reason"),
    [
        ("ListTasks", ("pagesize", "1"), "pagesize", "UNKNOWN_FIELD"),
        ("ListTasks", ("pageSize", "many"), "page_size", "WRONG_TYPE"),
        ("ListTasks", ("kind", "TRAINING"), "kind", "WRONG_TYPE"),
        ("GetTask", ("name", "tasks/8"), "name", "CONFLICT"),
        ("CreateTask", ("requestId", "r"), "requestId", "UNKNOWN_PARAMETER"),
        ("CreateDataset", ("dataset.description", "r"), "dataset", "UNKNOWN_FIELD"),
        ("ListAuditEntries", ("after.seconds", "1"), "after", "WRONG_TYPE"),
        ("ListTasks", ("states.x", "1"), "states", "UNKNOWN_PARAMETER"),
    ],
)
def test_a_query_parameter_that_cannot_be_is_named(
    rpc: str, query: tuple[str, str], field: str, reason: str
) -> None:
    """Ignoring one would answer another question than was asked."""
    bindings = {"name": "tasks/7"} if rpc == "GetTask" else {}
    assert faults_of(rpc, bindings=bindings, query=[query]) == {field: reason}


def test_a_parameter_given_twice_is_a_fault() -> None:
    """Taking one of them would be a guess."""
    assert faults_of("ListTasks", query=[("pageSize", "1"), ("page_size", "2")]) == {
        "page_size": "DUPLICATE_FIELD"
    }


def test_two_of_a_oneof_are_a_conflict() -> None:
    """Protobuf would keep the last."""
    found = faults_of("CreateTask", body={"task": {"training": {}, "prediction": {}}})
    assert found == {"task.prediction": "CONFLICT"}


def test_the_path_and_the_body_may_agree_but_not_differ() -> None:
    """A client that sends a resource back has its name in both."""
    name = {"name": "tasks/7"}
    assert request_of("StartTask", bindings=name, body={"name": "tasks/7"}).name == "tasks/7"
    assert request_of("StartTask", bindings=name).name == "tasks/7"
    assert faults_of("StartTask", bindings=name, body={"name": "tasks/8"}) == {"name": "CONFLICT"}


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [
        (b'{"task": {}\n "requestId": "r"}', 2, 2),
        (b'{"task": tru}', 1, 10),
        (b"{", 1, 2),
        ('{"任务": }'.encode(), 1, 8),
        (b'{"a": "\xff"}', 1, 8),
    ],
)
def test_malformed_json_is_told_with_line_and_column(body: bytes, line: int, column: int) -> None:
    """W3's rule for parameters, kept for every document."""
    with pytest.raises(InvalidArgument) as refused:
        request_of("CreateTask", body=body)
    assert (refused.value.reason, refused.value.facts) == (
        "MALFORMED_JSON",
        {"line": str(line), "column": str(column)},
    )


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"task":' * 50_000,
        b'{"task": {"priority": ' + b"9" * 5000 + b"}}",
        b'{"task": {"priority": NaN}}',
        b'{"task": {}, "task": {}}',
        b'{"task": {"creator": "\\ud800"}}',
        b'{"\\ud800": 1}',
        b'{"task": {"training": {"modelParams": {"\\ud800": 1}}}}',
        b'{"\\ud800": 1, "\\ud800": 1}',
        b'{"task": {"creator": "\\u0000"}}',
        b'{"task": {"priority": 1e400}}',
        b"[]",
        b'"x"',
        b"\xef\xbb\xbf{}",
    ],
    ids=range(14),
)
def test_odd_documents_are_refused_and_never_a_failure_of_ours(body: bytes) -> None:
    """Each of these makes a JSON reader somewhere raise what nobody expects."""
    with pytest.raises(InvalidArgument) as refused:
        request_of("CreateTask", body=body)
    for violation in refused.value.violations:
        f"{violation.field} {violation.message} {violation.message_zh}".encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
field_names = st.sampled_from(
    [
        "task",
        "requestId",
        "validateOnly",
        "training",
        "prediction",
        "seed",
        "modelParams",
        "stages",
        "wait",
        "progress",
    ]
)
task_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([0.5, 1e300, "", "7", "x", "3.5s"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(field_names, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(field_names, task_like))
def test_a_refused_document_always_has_a_named_fault(document: dict[str, Any]) -> None:
    """The second look at a refused document finds what protobuf's reader refused."""
    try:
        wanted = json_format.ParseDict(document, task_service_pb2.CreateTaskRequest())
    except (json_format.Error, ValueError, TypeError, AttributeError):
        with pytest.raises(InvalidArgument) as refused:
            request_of("CreateTask", body=document)
        reasons = {violation.reason for violation in refused.value.violations}
        assert reasons
        assert "MALFORMED_VALUE" not in reasons
    else:
        assert request_of("CreateTask", body=document) == wanted


def test_the_idempotency_key_is_the_request_id() -> None:
    """W12 by HTTP's own header; two different keys are nobody's wish."""
    headers = {"idempotency-key": "k1"}
    assert request_of("CreateTask", body={"task": {}}, headers=headers).request_id == "k1"
    assert faults_of("CreateTask", body={"requestId": "k2"}, headers=headers) == {"request_id": "CONFLICT"}
    assert request_of("ListTasks", headers=headers) == task_service_pb2.ListTasksRequest()


def test_bytes_that_are_not_utf_8_are_refused_by_the_name_of_their_parameter() -> None:
    """`?page_token=%ff` is a bad page token like any other; Python's own sentence helps nobody."""
    for name in ("page_token", "pageToken"):
        assert faults_of("ListTasks", query=[(name, "a\udcff")]) == {"page_token": "BAD_PAGE_TOKEN"}
    assert faults_of("ListTasks", query=[("creator", "\udcff"), ("\udcfe", "1")]) == {
        "creator": "MALFORMED_QUERY",
        "\\udcfe": "MALFORMED_QUERY",
    }


def test_if_match_is_the_etag_and_is_never_ignored() -> None:
    """A precondition that is not checked is worse than one that is refused."""
    name = {"name": "tasks/7"}
    assert request_of("DeleteTask", bindings=name, headers={"if-match": '"5"'}).etag == "5"
    assert request_of("DeleteTask", bindings=name, headers={"if-match": "*"}).etag == ""
    assert faults_of("DeleteTask", bindings=name, headers={"if-match": '"5", "6"'}) == {
        "If-Match": "WRONG_TYPE"
    }
    assert faults_of("DeleteDataPath", headers={"if-match": '"5"'}) == {
        "If-Match": "PRECONDITION_UNSUPPORTED"
    }


def test_last_event_id_wins_over_the_cursor_of_the_url() -> None:
    """EventSource repeats its first URL when it reconnects; where it was is in the header."""
    made = request_of("WatchTask", query=[("cursor", "1")], headers={"last-event-id": "9"})
    assert made.cursor == "9"


def test_answers_are_proto3_json() -> None:
    """camelCase, 64-bit integers as strings, enums by name, fields without presence always there."""
    told = json.loads(render(task_pb2.Task(name="tasks/7", revision=2**60, state=task_pb2.TASK_STATE_FAILED)))
    assert told["revision"] == str(2**60)
    assert told["state"] == "TASK_STATE_FAILED"
    assert told["modelVersion"] == ""
    assert told["stages"] == []
    assert "failure" not in told


@settings(max_examples=25, deadline=None)
@given(
    # protobuf's own reader takes the largest floats for an overflow.
    st.lists(
        st.floats(width=32).filter(lambda x: not (3e38 < abs(x) < float("inf"))), min_size=1, max_size=20
    ),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20),
)
def test_a_long_curve_is_written_as_a_short_one(losses: list[float], iterations: list[int]) -> None:
    """The fast way for arrays loses nothing: what is read back is what was written, finite or not."""
    long = task_service_pb2.LossCurve(task="tasks/1", losses=losses * 201, iterations=iterations * 201)
    told = json.loads(render(long))
    read = json_format.ParseDict(told, task_service_pb2.LossCurve())
    assert np.array_equal(np.float32(read.losses), np.float32(long.losses), equal_nan=True)
    assert list(read.iterations) == list(long.iterations)
    short = json_format.MessageToDict(
        task_service_pb2.LossCurve(task="tasks/1"), always_print_fields_with_no_presence=True
    )
    assert told.keys() == short.keys()


@settings(max_examples=50)
@given(json_values)
def test_what_is_json_is_read_as_json_reads_it(value: object) -> None:
    """The stricter reader refuses only what JSON does not allow."""
    assert parse_json(json.dumps(value).encode()) == value
