"""Requests through a running gateway to a running gRPC server."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.integration.gateway.installation import Installation

TRAINING = {"task": {"training": {"modelName": "cf-array", "dataPaths": ["datasets/d/paths/p"]}}}


@pytest.fixture(scope="module", autouse=True)
def _spans() -> None:
    """Spans exist in every process of ours; `telemetry.configure` would also take over pytest's logging."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider())


async def test_a_task_is_created_listed_got_and_deleted(loupe: Installation) -> None:
    """The main way through, by HTTP alone."""
    created = await loupe.http.post("/v1/tasks", json=TRAINING, headers=loupe.as_engineer)
    assert created.status_code == 200
    task = created.json()
    assert (task["creator"], task["state"], task["revision"]) == ("users/emil", "TASK_STATE_WAITING", "1")
    got = await loupe.http.get(f"/v1/{task['name']}", headers=loupe.as_viewer)
    assert got.json() == task
    listed = await loupe.http.get(
        "/v1/tasks", params={"states": ["TASK_STATE_WAITING"], "pageSize": 5}, headers=loupe.as_viewer
    )
    assert listed.json() == {"tasks": [task], "nextPageToken": ""}
    deleted = await loupe.http.delete(f"/v1/{task['name']}", headers=loupe.as_engineer)
    assert (deleted.status_code, deleted.json()) == (200, {})
    assert (await loupe.http.get(f"/v1/{task['name']}", headers=loupe.as_viewer)).status_code == 404


async def test_a_repeated_submission_with_one_key_is_one_task(loupe: Installation) -> None:
    """W12 for a client that did not get the first answer."""
    headers = {**loupe.as_engineer, "Idempotency-Key": "once"}
    names = {
        (await loupe.http.post("/v1/tasks", json=TRAINING, headers=headers)).json()["name"] for _ in range(3)
    }
    assert len(names) == 1


async def test_violations_of_the_service_arrive_whole(loupe: Installation) -> None:
    """The console marks the fields by them."""
    refused = await loupe.http.post("/v1/tasks", json={"task": {"training": {}}}, headers=loupe.as_engineer)
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["violations"] == [
        {
            "field": f"task.training.{name}",
            "reason": "REQUIRED",
            "message": "must be given",
            "messageZh": "必须填写",
            "severity": "error",
        }
        for name in ("model_name", "data_paths")
    ]


async def test_a_viewer_who_submits_is_refused(loupe: Installation) -> None:
    """A2: the token decides, not the way it came."""
    refused = await loupe.http.post("/v1/tasks", json=TRAINING, headers=loupe.as_viewer)
    assert (refused.status_code, refused.json()["reason"]) == (403, "ROLE_TOO_LOW")
    assert loupe.tasks.tasks == {}


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "TOKEN_MISSING"),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, "TOKEN_MALFORMED"),
        ({"Authorization": "Bearer"}, "TOKEN_MALFORMED"),
        ({"Authorization": "Bearer a b"}, "TOKEN_MALFORMED"),
        ({"Authorization": b"Bearer \xe4"}, "TOKEN_MALFORMED"),
        ({"Authorization": "Bearer nobody"}, "TOKEN_UNKNOWN"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/tasks/1/loss:watch", "/v1/tasks/1/log", "/v1/whoami"])
async def test_a_call_without_a_valid_token_is_refused(
    loupe: Installation, path: str, headers: dict[str, str], reason: str
) -> None:
    """A1, on every form of answer."""
    refused = await loupe.http.get(path, headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (401, reason)
    assert refused.headers["www-authenticate"].startswith("Bearer")


async def test_the_caller_is_passed_on_and_nobody_else(loupe: Installation) -> None:
    """The gateway has no rights of its own."""
    assert (await loupe.http.get("/v1/whoami", headers=loupe.as_viewer)).json()["name"] == "users/vera"
    await loupe.http.post("/v1/tasks", json=TRAINING, headers=loupe.as_engineer)
    assert loupe.tasks.metadata["authorization"] == "Bearer engineer-token"
    assert loupe.tasks.metadata["x-forwarded-for"] == "127.0.0.1"


async def test_the_trace_of_the_caller_goes_through(loupe: Installation) -> None:
    """One id finds the request in every log."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {**loupe.as_engineer, "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    await loupe.http.post("/v1/tasks", json=TRAINING, headers=headers)
    assert loupe.tasks.metadata["traceparent"].split("-")[1] == trace_id
    assert (await loupe.http.get("/v1/tasks/none", headers=headers)).json()["traceId"] == trace_id


async def test_an_etag_saves_the_answer_and_guards_the_change(loupe: Installation) -> None:
    """What nobody changed is not sent again; what somebody changed is not acted on."""
    name = (await loupe.http.post("/v1/tasks", json=TRAINING, headers=loupe.as_engineer)).json()["name"]
    got = await loupe.http.get(f"/v1/{name}", headers=loupe.as_viewer)
    assert got.headers["etag"] == '"1"'
    again = await loupe.http.get(f"/v1/{name}", headers={**loupe.as_viewer, "If-None-Match": '"1"'})
    assert (again.status_code, again.content) == (304, b"")
    past = await loupe.http.delete(f"/v1/{name}", headers={**loupe.as_engineer, "If-Match": '"0"'})
    assert (past.status_code, past.json()["code"]) == (412, "ABORTED")
    now = await loupe.http.delete(f"/v1/{name}", headers={**loupe.as_engineer, "If-Match": '"1"'})
    assert now.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/v1/nothing", 404, "UNKNOWN_ROUTE"),
        ("GET", "/nothing", 404, "UNKNOWN_ROUTE"),
        ("GET", "/v1/tasks/1:fly", 404, "UNKNOWN_ROUTE"),
        ("PUT", "/v1/tasks", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/docs", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/tasks/%ff", 400, "INVALID_ARGUMENT"),
        ("GET", "/v1/tasks?pageSize=%ff", 400, "INVALID_ARGUMENT"),
        ("GET", "/v1/../../etc/passwd", 404, "UNKNOWN_ROUTE"),
        ("GET", "/v1/reports", 501, "UNIMPLEMENTED"),
    ],
)
async def test_every_refusal_is_a_problem(
    loupe: Installation, method: str, path: str, status: int, reason: str
) -> None:
    """One shape, whoever refused."""
    refused = await loupe.http.request(method, path, headers=loupe.as_engineer)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    told = refused.json()
    assert (told["status"], told["reason"]) == (status, reason if status != 501 else told["reason"])
    assert ("allow" in refused.headers) == (status == 405)


async def test_a_body_is_json_and_short(loupe: Installation) -> None:
    """1 MiB: bytes go to object storage, not through here; declared or not."""
    too_long = json.dumps({"requestId": "x" * 1024 * 1024}).encode()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(too_long), 65536):
            yield too_long[start : start + 65536]

    for content in (too_long, chunks()):
        refused = await loupe.http.post("/v1/tasks", content=content, headers=loupe.as_engineer)
        assert (refused.status_code, refused.json()["reason"]) == (413, "BODY_TOO_LARGE")
    form = await loupe.http.post("/v1/tasks", data={"task": "1"}, headers=loupe.as_engineer)
    assert (form.status_code, form.json()["reason"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    broken = await loupe.http.post("/v1/tasks", content=b'{"task": {},\n}', headers=loupe.as_engineer)
    assert (broken.status_code, broken.json()["reason"]) == (400, "MALFORMED_JSON")
    assert broken.json()["metadata"] == {"line": "2", "column": "1"}


async def test_a_sample_is_a_redirect_to_its_bytes(loupe: Installation) -> None:
    """An image element needs an address; the bytes never pass through here."""
    path = "/v1/datasets/d/paths/p/samples/TPFIP/%E9%9D%A2%201%3A2.png"
    shown = await loupe.http.get(path, headers=loupe.as_viewer)
    assert (shown.status_code, shown.headers["location"]) == (
        302,
        "http://s3.test/datasets/d/paths/p/TPFIP/%E9%9D%A2%201:2.png",
    )
    mask = await loupe.http.get(path, params={"mask": "true"}, headers=loupe.as_viewer)
    assert mask.headers["location"].endswith("?mask")


async def test_m1_a_contact_sheet_is_a_redirect_to_its_bytes(loupe: Installation) -> None:
    """The monitor shows it in an image element."""
    shown = await loupe.http.get("/v1/tasks/t1/contactSheet", headers=loupe.as_viewer)
    assert (shown.status_code, shown.headers["location"]) == (302, "http://s3.test/tasks/t1")
    linked = await loupe.http.get("/v1/tasks/t1:linkContactSheet", headers=loupe.as_viewer)
    assert linked.json()["url"] == "http://s3.test/tasks/t1"


async def test_every_answer_has_the_security_headers(loupe: Installation) -> None:
    """No framing, no sniffing, no CORS, no stored answers."""
    for path in ("/", "/docs", "/openapi.json", "/healthz", "/v1/tasks", "/nothing"):
        answered = await loupe.http.get(path, headers={**loupe.as_viewer, "Origin": "http://evil.test"})
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answered.headers["content-security-policy"]
        assert answered.headers["referrer-policy"] == "no-referrer"
        assert answered.headers["cache-control"] in {"no-store", "no-cache"}
        assert "access-control-allow-origin" not in answered.headers
        assert "server" not in answered.headers


async def test_the_page_of_the_interface_needs_nothing_from_elsewhere(loupe: Installation) -> None:
    """The fab's network has no way out."""
    page = await loupe.http.get("/docs")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text
    assert "/v1/tasks/{task}/loss:watch" in page.text


async def test_not_ready_when_no_service_serves(loupe: Installation) -> None:
    """A load balancer takes this gateway out; a supervisor leaves it running."""
    ready = await loupe.http.get("/readyz")
    assert (ready.status_code, ready.json()["backends"]) == (
        200,
        {"registry": "SERVING", "scheduler": "SERVING", "evaluator": "SERVING"},
    )
    await loupe.backend.stop(0)
    gone = await loupe.http.get("/readyz")
    assert (gone.status_code, gone.json()["status"]) == (503, "NOT_SERVING")
    assert (await loupe.http.get("/healthz")).status_code == 200
    refused = await loupe.http.get("/v1/tasks", headers=loupe.as_viewer)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


async def test_many_requests_at_once_are_all_answered(loupe: Installation) -> None:
    """One process, one loop: nothing in it may block."""
    answered = await asyncio.gather(
        *(loupe.http.get("/v1/tasks", headers=loupe.as_viewer) for _ in range(200))
    )
    assert {response.status_code for response in answered} == {200}
