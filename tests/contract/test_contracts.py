"""What the contracts promise as a whole, read from their descriptors."""

import importlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor
from loupe.access.v1 import access_pb2
from loupe.image_files import Reason

from services.input_specification import InputSpecification
from services.vision.preprocessing import ResolutionReason

_ROOT = Path(__file__).resolve().parents[2]
_PROTOS = _ROOT / "protos"


def _methods() -> Iterator[MethodDescriptor]:
    for source in sorted((_PROTOS / "loupe").rglob("*_service.proto")):
        module = ".".join((*source.relative_to(_PROTOS).parent.parts, f"{source.stem}_pb2"))
        for service in importlib.import_module(module).DESCRIPTOR.services_by_name.values():
            yield from service.methods


@pytest.mark.parametrize("method", list(_methods()), ids=lambda method: method.full_name)
def test_a2_every_rpc_names_its_role(method: MethodDescriptor) -> None:
    """An RPC without a role would be open to nobody, or worse, to everybody."""
    assert method.GetOptions().Extensions[access_pb2.role] != access_pb2.ROLE_UNSPECIFIED


@pytest.mark.parametrize("method", list(_methods()), ids=lambda method: method.full_name)
def test_a3_every_rpc_says_what_the_audit_log_has_of_it(method: MethodDescriptor) -> None:
    """A name says nothing: `Export…` hands out a package in one service and a page in another."""
    assert method.GetOptions().Extensions[access_pb2.audit] != access_pb2.AUDIT_UNSPECIFIED


@pytest.mark.parametrize("method", list(_methods()), ids=lambda method: method.full_name)
def test_a2_workers_rpcs_are_not_on_the_web(method: MethodDescriptor) -> None:
    """What only processes may call has no HTTP mapping: the gateway cannot be talked into it."""
    options = method.GetOptions()
    if options.Extensions[access_pb2.role] in {access_pb2.ROLE_SERVICE, access_pb2.ROLE_WORKER}:
        assert not options.HasExtension(annotations_pb2.http)


def test_a2_workers_may_call_what_they_need_and_nothing_else() -> None:
    """Each more is one more that a picture can do which takes over a worker."""
    theirs = [
        method.full_name.removeprefix("loupe.")
        for method in _methods()
        if method.GetOptions().Extensions[access_pb2.role] == access_pb2.ROLE_WORKER
    ]
    assert sorted(theirs) == [
        "evaluator.v1.ReportService.CreateReport",
        "registry.v1.IdentityService.Authenticate",
        "registry.v1.IdentityService.RecordAuditEntry",
        "scheduler.v1.JobService.AcquireJob",
        "scheduler.v1.JobService.FinishJob",
        "scheduler.v1.JobService.ReleaseJob",
        "scheduler.v1.JobService.ReportJob",
    ]


def test_a1_only_logging_in_needs_no_caller() -> None:
    """A1: only logging in needs no token."""
    open_to_all = [
        method.full_name
        for method in _methods()
        if method.GetOptions().Extensions[access_pb2.role] == access_pb2.ROLE_ANYONE
    ]
    assert open_to_all == ["loupe.registry.v1.IdentityService.LogIn"]


def test_i3_every_http_route_means_one_rpc() -> None:
    """Two RPCs on one verb and path would answer by the order in which they were declared."""
    routes = Counter(
        (rule.WhichOneof("pattern"), getattr(rule, rule.WhichOneof("pattern")))
        for rule in (
            method.GetOptions().Extensions[annotations_pb2.http]
            for method in _methods()
            if method.GetOptions().HasExtension(annotations_pb2.http)
        )
    )
    assert [route for route, count in routes.items() if count > 1] == []


def _comment_before(source: str, field: str) -> str:
    """The comment of a field in a contract's text, in one line."""
    lines = (_PROTOS / source).read_text(encoding="utf-8").splitlines()
    last = next(number for number, line in enumerate(lines) if line.strip().startswith(field))
    first = last
    while lines[first - 1].strip().startswith("//"):
        first -= 1
    return " ".join(line.strip().removeprefix("//").strip() for line in lines[first:last])


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ("loupe/scheduler/v1/task.proto", "string reason = 4;"),
        ("loupe/evaluator/v1/report.proto", "string reason = 10;"),
    ],
)
def test_m1_the_contract_lists_exactly_the_reasons_that_are_sent(source: str, field: str) -> None:
    """A console that translates reasons must not meet one that the contract does not name."""
    listed = re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b|\b(?:EMPTY|TRUNCATED)\b", _comment_before(source, field))
    assert listed == [*ResolutionReason, *Reason]


@pytest.mark.parametrize(
    ("field", "meaning"),
    [
        ("uint32 channels", f"0: {InputSpecification.channels}."),
        ("repeated float mean", f"Empty: {', '.join(map(str, InputSpecification.mean))}."),
        ("repeated float std", f"Empty: {', '.join(map(str, InputSpecification.std))}."),
        ("uint32 min_side", f"0: {InputSpecification.min_side}."),
        ("float max_aspect_ratio", f"0: {InputSpecification.max_aspect_ratio:g}."),
        ("uint32 detail", f"0: {InputSpecification.detail}."),
    ],
)
def test_m1_the_contract_says_what_0_means_to_an_input_specification(field: str, meaning: str) -> None:
    """An administrator reads the contract, the trainer obeys the value: both must have one default."""
    assert meaning in _comment_before("loupe/registry/v1/algorithm_image.proto", field)


def test_i1_generated_code_is_fresh() -> None:
    """Code generated from other contracts than those beside it would speak another language than it reads."""
    subprocess.run([sys.executable, str(_PROTOS / "generate.py"), "--check"], check=True)
