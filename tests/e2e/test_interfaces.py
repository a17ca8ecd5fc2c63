"""What machines meet: reflection, roles on every RPC, JSON and events over HTTP; on a whole running stack."""

import importlib
import json
from collections.abc import Iterator
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

from .conftest import Loupe

pytestmark = pytest.mark.stack

_PROTOS = Path(__file__).resolve().parents[2] / "protos"
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
            timeout=10,
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
            channel.stream_unary(path)(iter(()), metadata=metadata, timeout=10)
        elif method.server_streaming:
            next(iter(channel.unary_stream(path)(b"", metadata=metadata, timeout=10)), None)
        else:
            channel.unary_unary(path)(b"", metadata=metadata, timeout=10)
    except grpc.RpcError as error:
        return error.code()
    return None


def _guarded_methods() -> Iterator[MethodDescriptor]:
    for method in _served_methods():
        if method.GetOptions().Extensions[access_pb2.role] != access_pb2.ROLE_ANYONE:
            yield method


@pytest.mark.parametrize("method", list(_guarded_methods()), ids=lambda method: method.full_name)
def test_a2_every_rpc_admits_exactly_its_roles(
    method: MethodDescriptor, profile: Profile, tokens: dict[str, str]
) -> None:
    """A1, A2: the whole matrix, on servers that really run; nobody anonymous, nobody beyond their role."""
    addresses = {
        "registry": profile.registry_address,
        "scheduler": profile.scheduler_address,
        "evaluator": profile.evaluator_address,
    }
    least = method.GetOptions().Extensions[access_pb2.role]
    with grpc.insecure_channel(addresses[method.full_name.split(".")[1]]) as channel:
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


def test_i3_a_dashboard_reads_task_curve_and_report_over_http(
    profile: Profile, trained: dict[str, Any]
) -> None:
    """The gateway of the running stack answers what the command line does."""
    with httpx.Client(
        base_url=f"http://{profile.gateway_address}",
        headers={"Authorization": f"Bearer {profile.token}"},
        timeout=20,
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
        httpx.Client(base_url=f"http://{profile.gateway_address}", timeout=20) as http,
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
