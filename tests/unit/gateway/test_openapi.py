"""The description of the interface."""

import json
import re

import pytest
from google.api import annotations_pb2
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.contracts import ContractError, all_services, operations
from gateway.openapi import describe, path_of
from gateway.routing import Form, routes_of
from gateway.templates import PathTemplate
from services.kit.auth import Role

ROUTES = routes_of(operations(all_services()))
DOCUMENT = describe(ROUTES)
DESCRIBED = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def test_it_is_valid() -> None:
    """A generator accepts it."""
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_every_rpc_with_a_rule_is_served_and_described() -> None:
    """A new RPC appears by itself."""
    ruled = {
        f"/{service.full_name}/{method.name}"
        for service in all_services()
        for method in service.methods
        if method.GetOptions().HasExtension(annotations_pb2.http)
    }
    assert len(ruled) > 50
    assert {operation["x-loupe-rpc"] for _, _, operation in DESCRIBED} == ruled
    assert len(DESCRIBED) == len(ROUTES)


def test_every_route_names_its_role() -> None:
    """Rule A2: one table, from the contracts."""
    assert {operation["x-loupe-role"] for _, _, operation in DESCRIBED} <= {role.name for role in Role}
    for _, _, operation in DESCRIBED:
        assert f"Least role: {operation['x-loupe-role']}." in operation["description"]
    assert "SERVICE" not in {operation["x-loupe-role"] for _, _, operation in DESCRIBED}


def test_operation_ids_are_unique() -> None:
    """Generators name functions by them."""
    ids = [operation["operationId"] for _, _, operation in DESCRIBED]
    assert len(set(ids)) == len(ids)


def test_every_reference_leads_somewhere() -> None:
    """A dangling one is valid to most validators and breaks every generator."""
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)):
        part = DOCUMENT
        for key in reference.split("/"):
            part = part[key]


def test_comments_of_the_contracts_are_the_descriptions() -> None:
    """The enum's comment is the state machine; whoever reads the interface must see it."""
    states = DOCUMENT["components"]["schemas"]["TaskState"]
    assert "Next: TRAINING, PREDICTING, PACKAGING; may be deleted." in states["description"]
    assert states["enum"][1] == "TASK_STATE_WAITING"
    assert "W12" in DOCUMENT["paths"]["/v1/tasks"]["post"]["description"]
    training = DOCUMENT["components"]["schemas"]["TrainingSpec"]["properties"]
    assert training["modelName"]["description"] == "W1."
    assert training["targetMajor"]["readOnly"] is True


def test_a_stream_is_an_event_stream_that_resumes() -> None:
    """Its reader must find Last-Event-ID without reading our code."""
    watch = DOCUMENT["paths"]["/v1/tasks/{task}/loss:watch"]["get"]
    assert "text/event-stream" in watch["responses"]["200"]["content"]
    assert "Last-Event-ID" in [parameter["name"] for parameter in watch["parameters"]]
    forms = {route.form for route in ROUTES if route.operation.streaming}
    assert forms - {Form.FILE} == {Form.EVENTS, Form.LOG_FILE}


def test_what_the_path_binds_is_asked_for_nowhere_else() -> None:
    """`name` in the body of `tasks/{task}:start` would be a second answer to one question."""
    schemas = DOCUMENT["components"]["schemas"]
    assert set(schemas["StartTaskRequest"]["properties"]) == {"etag"}
    lists = DOCUMENT["paths"]["/v1/tasks/{task}/nonconformingSamples"]["get"]["parameters"]
    assert [parameter["name"] for parameter in lists] == ["task", "pageSize", "pageToken", "attempt"]
    created = DOCUMENT["paths"]["/v1/datasets"]["post"]
    assert [parameter["name"] for parameter in created["parameters"]] == ["datasetId", "allowExisting"]


def test_headers_are_described_where_they_mean_something() -> None:
    """Idempotency-Key, If-Match, If-None-Match, and what keeps other sites from logging people in."""

    def headers(path: str, method: str) -> list[str]:
        parameters = DOCUMENT["paths"][path][method]["parameters"]
        return [parameter["name"] for parameter in parameters if parameter["in"] == "header"]

    assert headers("/v1/tasks", "post") == ["Idempotency-Key"]
    assert headers("/v1/tasks/{task}", "delete") == ["If-Match"]
    assert headers("/v1/tasks/{task}", "get") == ["If-None-Match"]
    assert headers("/v1/session", "post") == ["X-Loupe-Client"]


def test_who_calls_is_described_for_programs_and_for_pages() -> None:
    """A generated client sends a token or the session; the log-in is the one call that takes neither."""
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert {name for alternative in DOCUMENT["security"] for name in alternative} == set(schemes)
    open_to_all = [
        (path, method)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        if operation.get("security") == []
    ]
    assert open_to_all == [("/v1/session", "post")]


def test_every_answer_has_a_type_that_a_generator_knows() -> None:
    """`*/*` says nothing, and some generators refuse it."""
    types = {
        kind
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        for kind in operation["responses"].get("200", {}).get("content", {})
    }
    assert types == {
        "application/json",
        "application/jsonl",
        "application/zip",
        "text/csv",
        "text/event-stream",
        "text/html",
        "text/plain",
    }


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/v1/{name=tasks/*}:watch", "/v1/tasks/{task}:watch"),
        ("/v1/{parent=datasets/*/paths/*}:addSamples", "/v1/datasets/{dataset}/paths/{path}:addSamples"),
        ("/v1/{a=x/*/*}", "/v1/x/{x}/{a}"),
    ],
)
def test_paths_have_a_parameter_per_identifier(template: str, path: str) -> None:
    """One parameter `name` holding slashes is what most generators escape wrongly."""
    assert path_of(PathTemplate.parse(template))[0] == path


def test_two_operations_at_one_path_are_refused_at_start() -> None:
    """Else one of them could never be reached."""
    services = all_services()
    with pytest.raises(ContractError, match="answer the same"):
        operations((*services, *services))
