"""What machines meet: reflection, roles of RPCs and routes, JSON and events over HTTP; on a whole stack."""

import importlib
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from loupe.access.v1 import access_pb2
from loupe.profile import Profile, load_profile

from gateway.contracts import EVERY_BACKEND, all_services, operations
from gateway.openapi import describe, path_of
from gateway.routing import Route, routes_of
from services.kit.auth import Role
from services.service_tokens import ROLES, SCHEDULER
from tests.probing.generated import probe
from tests.support.tokens import token_of
from tests.support.waiting import DEADLINE_S

from .conftest import Loupe

pytestmark = pytest.mark.stack

_PROTOS = Path(__file__).resolve().parents[2] / "protos"
_THE_SCHEDULERS = (
    "CreateModelVersion",
    "ExcludeTrainingOverlap",
    "MeasureOverlapOfTraining",
    "RecordPackage",
)
_PEOPLE = ("viewer", "engineer", "releaser", "admin")


@pytest.fixture(scope="session")
def profile(loupe: Loupe) -> Profile:
    return load_profile(loupe.data_dir, {})


@pytest.fixture(scope="session")
def tokens(loupe: Loupe) -> dict[str, str]:
    """A token of each role that people have."""
    secrets = {}
    for role in _PEOPLE:
        loupe.json("users", "create", f"matrix-{role}", "--role", role)
        secrets[role] = loupe.json("tokens", "create", f"matrix-{role}", "--role", role, "--days", "1")[
            "secret"
        ]
    return secrets


def test_i1_a_client_that_knows_only_reflection_gets_a_task(
    profile: Profile, trained: dict[str, Any]
) -> None:
    """An MES integrator begins with grpcurl and no .proto file at hand."""
    with grpc.insecure_channel(profile.scheduler_address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert "loupe.scheduler.v1.TaskService" in database.get_services()
        service = DescriptorPool(database).FindServiceByName("loupe.scheduler.v1.TaskService")
        method = service.FindMethodByName("GetTask")
        request_type, answer_type = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        call = channel.unary_unary(
            f"/{service.full_name}/{method.name}",
            request_serializer=request_type.SerializeToString,
            response_deserializer=answer_type.FromString,
        )
        task = call(
            request_type(name=trained["name"]),
            metadata=(("authorization", f"Bearer {profile.token}"),),
            timeout=DEADLINE_S,
        )
    assert task.name == trained["name"]


def _served_methods() -> Iterator[MethodDescriptor]:
    for source in sorted((_PROTOS / "loupe").rglob("*_service.proto")):
        if "trainer" in source.parts:
            continue  # a worker's own server; its address is not in the profile
        module = ".".join((*source.relative_to(_PROTOS).parent.parts, f"{source.stem}_pb2"))
        for service in importlib.import_module(module).DESCRIPTOR.services_by_name.values():
            yield from service.methods


def _refusal(channel: grpc.Channel, method: MethodDescriptor, token: str) -> grpc.StatusCode | None:
    """The status of a call with an empty request; None if it succeeded."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    try:
        if method.client_streaming:
            channel.stream_unary(path)(iter(()), metadata=metadata, timeout=DEADLINE_S)
        elif method.server_streaming:
            next(iter(channel.unary_stream(path)(b"", metadata=metadata, timeout=DEADLINE_S)), None)
        else:
            channel.unary_unary(path)(b"", metadata=metadata, timeout=DEADLINE_S)
    except grpc.RpcError as error:
        return error.code()
    return None


def _guarded_methods() -> Iterator[MethodDescriptor]:
    for method in _served_methods():
        if method.GetOptions().Extensions[access_pb2.role] != access_pb2.ROLE_ANYONE:
            yield method


@pytest.mark.parametrize("method", list(_guarded_methods()), ids=lambda method: method.full_name)
def test_a2_every_rpc_admits_exactly_its_roles(
    method: MethodDescriptor, profile: Profile, tokens: dict[str, str], loupe: Loupe
) -> None:
    """A1, A2: the whole matrix, on servers that really run; no call without a token, none beyond its role."""
    addresses = {
        "registry": profile.registry_address,
        "scheduler": profile.scheduler_address,
        "evaluator": profile.evaluator_address,
    }
    least = method.GetOptions().Extensions[access_pb2.role]
    owner = method.full_name.split(".")[1]
    # What every server has is asked of the one that asks nobody, and of one that asks it.
    for name in ("registry", "scheduler") if owner == EVERY_BACKEND else (owner,):
        _admits_exactly(method, least, addresses[name], tokens)
        with grpc.insecure_channel(addresses[name]) as channel:
            for process, role in ROLES.items():
                token = token_of(process, loupe.data_dir / "service-tokens")
                refused = _refusal(channel, method, token) == grpc.StatusCode.PERMISSION_DENIED
                admitted = Role(least).admits(role) and (
                    process == SCHEDULER or method.name not in _THE_SCHEDULERS
                )
                assert refused is not admitted, process


def _admits_exactly(method: MethodDescriptor, least: int, address: str, tokens: dict[str, str]) -> None:
    with grpc.insecure_channel(address) as channel:
        assert _refusal(channel, method, "") == grpc.StatusCode.UNAUTHENTICATED
        assert _refusal(channel, method, "loupe_nobody_" + "0" * 48) == grpc.StatusCode.UNAUTHENTICATED
        for role in _PEOPLE:
            refusal = _refusal(channel, method, tokens[role])
            if access_pb2.Role.Value(f"ROLE_{role.upper()}") < least:
                assert refusal == grpc.StatusCode.PERMISSION_DENIED, role
            else:
                assert refusal not in {
                    grpc.StatusCode.PERMISSION_DENIED,
                    grpc.StatusCode.UNAUTHENTICATED,
                    grpc.StatusCode.INTERNAL,
                    grpc.StatusCode.UNKNOWN,
                }, role


_ROUTES = routes_of(operations(all_services()))


@pytest.fixture(scope="module")
def http(profile: Profile) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{profile.gateway_address}", timeout=DEADLINE_S) as client:
        yield client


def _ask(http: httpx.Client, route: Route, token: str) -> tuple[int, str]:
    """Status and reason of an empty request to the route, about things that do not exist."""
    path = re.sub(r"\{[a-zA-Z]+\}", "none", path_of(route.template)[0])
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with http.stream(route.http_method, path, headers=headers) as answer:
        if "json" not in answer.headers.get("content-type", ""):
            return answer.status_code, ""
        return answer.status_code, json.loads(answer.read()).get("reason", "")


@pytest.mark.parametrize(
    "route", _ROUTES, ids=lambda route: f"{route.http_method} {path_of(route.template)[0]}"
)
def test_a2_every_route_admits_exactly_its_roles(
    route: Route, http: httpx.Client, tokens: dict[str, str]
) -> None:
    """The same table over HTTP, whatever form the answer has: JSON, events, files and links."""
    if route.role is Role.ANYONE:
        assert route.operation.method.name == "LogIn"
        assert _ask(http, route, "") == (403, "CROSS_SITE_REQUEST")
        return
    assert _ask(http, route, "") == (401, "TOKEN_MISSING")
    assert _ask(http, route, "loupe_nobody_" + "0" * 48) == (401, "TOKEN_UNKNOWN")
    for role in _PEOPLE:
        status, reason = _ask(http, route, tokens[role])
        if Role[role.upper()] < route.role:
            assert (status, reason) == (403, "ROLE_TOO_LOW"), role
        else:
            assert status < 500, (role, reason)
            assert status not in {401, 403}, (role, reason)


def test_i3_each_server_answers_for_itself(http: httpx.Client, tokens: dict[str, str]) -> None:
    """After an upgrade one sees at one address what runs; a name that nobody has is not there."""
    headers = {"Authorization": f"Bearer {tokens['viewer']}"}
    told = {
        name: http.get(f"/v1/servers/{name}", headers=headers).raise_for_status().json()
        for name in ("registry", "scheduler", "evaluator")
    }
    version = http.get("/readyz").json()["version"]
    assert {one["name"]: one["version"] for one in told.values()} == {f"servers/{n}": version for n in told}
    assert all(one["schemaRevision"] and one["startTime"] for one in told.values())
    assert http.get("/v1/servers/mes", headers=headers).status_code == 404


@pytest.mark.parametrize("server", ["registry", "scheduler", "evaluator"])
def test_i3_each_server_checks_what_it_stored_for_the_console(
    server: str, http: httpx.Client, tokens: dict[str, str]
) -> None:
    """The page System shows it as events, with the counts growing; the last message has them all."""
    headers = {"Authorization": f"Bearer {tokens['admin']}"}
    answers, ended = [], False
    with http.stream("GET", f"/v1/servers/{server}:checkStorage", headers=headers) as response:
        event = ""
        for line in response.iter_lines():
            kind, _, value = line.partition(": ")
            event = value if kind == "event" else event
            if kind == "data" and event == "CheckStorageResponse":
                answers.append(json.loads(value))
            ended |= event == "end"
    assert ended
    assert int(answers[-1]["objectCount"]) >= int(answers[0]["objectCount"])
    assert answers[-1]["lostCount"] == "0"


def test_i3_workers_of_the_stack_say_what_they_are(http: httpx.Client, tokens: dict[str, str]) -> None:
    """The real ones, as they announce themselves: what an operator compares after an upgrade."""
    headers = {"Authorization": f"Bearer {tokens['viewer']}"}
    workers = http.get("/v1/workers", headers=headers).raise_for_status().json()["workers"]
    assert {worker["name"] for worker in workers} >= {"workers/trainer-1", "workers/evaluator-worker-1"}
    version = http.get("/readyz").json()["version"]
    assert {(one["version"], bool(one["torchVersion"]), bool(one["device"])) for one in workers} == {
        (version, True, True)
    }
    assert http.get("/v1/queue", headers=headers).raise_for_status().json()["resources"]


def test_i3_generated_requests_are_all_answered_as_described(profile: Profile) -> None:
    """No 5xx and no status that the document does not name; `make probe` sends 10,000, to every route."""
    outcome = probe(
        describe(_ROUTES),
        f"http://{profile.gateway_address}",
        profile.token,
        requests_wanted=60,
        seed=1,
        names={},
        choose=lambda name: sum(map(ord, name)) % 6 == 0,
    )
    assert outcome.faults == {}
    assert outcome.requests > 40


def _from(http: httpx.Client, address: str) -> httpx.Client:
    """A client of the same server with another address."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=http.base_url, timeout=DEADLINE_S, transport=transport)


def _token(
    http: httpx.Client, admin: str, *, user: str = "matrix-engineer", **fields: object
) -> dict[str, Any]:
    made = http.post(f"/v1/users/{user}/tokens", json=fields, headers=_bearer(admin))
    token: dict[str, Any] = made.raise_for_status().json()
    return token


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


_ONE_OF_EACH_SERVICE = {
    "/v1/datasets": "loupe.registry.v1.DatasetService/ListDatasets",
    "/v1/tasks": "loupe.scheduler.v1.TaskService/ListTasks",
    "/v1/reports": "loupe.evaluator.v1.ReportService/ListReports",
}


def _audit(http: httpx.Client, admin: str, since: datetime) -> list[dict[str, str]]:
    """What was written down since then, oldest first."""
    found = http.get("/v1/auditEntries?pageSize=200", headers=_bearer(admin)).raise_for_status().json()
    stamp = since.strftime("%Y-%m-%dT%H:%M:%S")
    return [entry for entry in reversed(found["entries"]) if entry["time"] >= stamp]


@pytest.mark.parametrize(
    ("why", "reason", "address"),
    [
        ("revoked", "TOKEN_REVOKED", "127.0.0.21"),
        ("expired", "TOKEN_EXPIRED", "127.0.0.22"),
        ("forged", "TOKEN_UNKNOWN", "127.0.0.23"),
    ],
)
def test_a3_a_token_that_counts_no_more_is_refused_by_all_and_written_down(  # noqa: PLR0917 -- three of them say which
    http: httpx.Client, tokens: dict[str, str], profile: Profile, why: str, reason: str, address: str
) -> None:
    """A stolen token: revoked, or past its time, or with a secret that somebody guesses.

    From an address of its own: of those that have failed often, failures are counted.
    """
    assert tokens
    thief = _from(http, address)
    began = datetime.now(UTC) - timedelta(seconds=1)
    token = (
        _token(
            http, profile.token, expireTime=(began + timedelta(seconds=4)).isoformat().replace("+00:00", "Z")
        )
        if why == "expired"
        else _token(http, profile.token)
    )
    secret: str = token["secret"]
    if why == "revoked":
        http.post(f"/v1/{token['name']}:revoke", headers=_bearer(profile.token)).raise_for_status()
    elif why == "forged":
        secret = secret[:-4] + ("AAAA" if secret[-4:] != "AAAA" else "BBBB")
    else:
        deadline_s = time.monotonic() + DEADLINE_S
        while http.get("/v1/whoami", headers=_bearer(secret)).status_code == 200:
            assert time.monotonic() < deadline_s
    for path in _ONE_OF_EACH_SERVICE:
        refused = thief.get(path, headers=_bearer(secret))
        assert (refused.status_code, refused.json()["reason"]) == (401, reason)
        with thief.stream("GET", "/v1/tasks/none:watch", headers=_bearer(secret)) as stream:
            assert stream.status_code == 401
    entries = _audit(http, profile.token, began)
    # Whose it was; of a secret that is none of ours nobody knows.
    told = "" if why == "forged" else f"token={token['name']} reason={reason}"
    refusals = [entry for entry in entries if entry["result"] == "UNAUTHENTICATED"]
    assert {entry["action"] for entry in refusals if told in entry["resource"]} >= {
        *_ONE_OF_EACH_SERVICE.values(),
        # The gateway asks whose token it is before it opens a stream.
        "loupe.registry.v1.IdentityService/WhoAmI",
    }
    assert not [entry for entry in refusals if entry["principal"]]


def test_a3_what_was_done_and_what_was_refused_is_written_down_for_every_service(
    http: httpx.Client, profile: Profile
) -> None:
    """Who, what, from where, with what result: for a token whose scope is too small, and for one that may."""
    began = datetime.now(UTC) - timedelta(seconds=1)
    # A user of its own: of those who have failed often, failures are counted.
    user = {"params": {"userId": "audited"}, "json": {"role": "ROLE_ENGINEER"}}
    http.post("/v1/users", **user, headers=_bearer(profile.token)).raise_for_status()
    narrow, wide = (
        _token(http, profile.token, user="audited", role=f"ROLE_{role}")["secret"]
        for role in ("VIEWER", "ENGINEER")
    )
    mark = {"sampleResult": "reports/none/sampleResults/none", "rightCode": "A"}
    for token in (narrow, wide):
        http.post("/v1/datasets?datasetId=Not!An-Id", json={}, headers=_bearer(token))
        http.post("/v1/tasks/none:terminate", headers=_bearer(token))
        http.post("/v1/relabelMarks", json=mark, headers=_bearer(token))
    entries = [entry for entry in _audit(http, profile.token, began) if entry["principal"] == "users/audited"]
    assert all(entry["peer"].endswith(" for 127.0.0.1") for entry in entries)
    told = [(entry["action"].rpartition("/")[2], entry["resource"], entry["result"]) for entry in entries]
    assert told == [
        ("CreateDataset", "Not!An-Id", "PERMISSION_DENIED"),
        ("TerminateTask", "tasks/none", "PERMISSION_DENIED"),
        ("CreateRelabelMark", "", "PERMISSION_DENIED"),
        ("CreateDataset", "Not!An-Id", "INVALID_ARGUMENT"),
        ("TerminateTask", "tasks/none", "NOT_FOUND"),
        ("CreateRelabelMark", "", "NOT_FOUND"),
    ]


def test_i3_a_dashboard_reads_task_curve_and_report_over_http(
    profile: Profile, trained: dict[str, Any]
) -> None:
    """The gateway of the running stack answers what the command line does."""
    with httpx.Client(
        base_url=f"http://{profile.gateway_address}",
        headers={"Authorization": f"Bearer {profile.token}"},
        timeout=DEADLINE_S,
    ) as http:
        task = http.get(f"/v1/{trained['name']}").raise_for_status().json()
        assert task["state"] in {"TASK_STATE_COMPLETED", "TASK_STATE_RELEASED"}
        curve = http.get(
            f"/v1/{trained['name']}/lossCurve", params={"network": "NETWORK_CLASSIFICATION"}
        ).raise_for_status()
        assert len(curve.json()["losses"]) == 20
        report = http.get(f"/v1/{task['report']}").raise_for_status().json()
        assert report["overall"]["sampleCount"]
        assert http.get("/openapi.json").raise_for_status().json()["openapi"].startswith("3.1")
        assert http.get("/v1/tasks", headers={"Authorization": "Bearer x"}).status_code == 401


def test_m5_the_curve_as_events_has_every_point_once(profile: Profile, trained: dict[str, Any]) -> None:
    """I3: a dashboard that connects late still draws the whole curve."""
    iterations: list[int] = []
    with (
        httpx.Client(base_url=f"http://{profile.gateway_address}", timeout=DEADLINE_S) as http,
        http.stream(
            "GET",
            f"/v1/{trained['name']}/loss:watch",
            params={"network": "NETWORK_CLASSIFICATION"},
            headers={"Authorization": f"Bearer {profile.token}"},
        ) as answer,
    ):
        for line in answer.iter_lines():
            if line.startswith("event: end"):
                break
            if line.startswith("data: "):
                message = json.loads(line.removeprefix("data: "))
                first = int(message.get("firstIteration", 0))
                iterations.extend(range(first, first + len(message.get("losses", []))))
    assert iterations == list(range(20))
