"""Page tokens of all services: whatever a client sends is a place in the list or BAD_PAGE_TOKEN."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loupe.errors import InvalidArgument
from loupe.evaluator.v1 import (
    comparison_service_pb2,
    relabel_service_pb2,
    report_service_pb2,
    sample_result_service_pb2,
)
from loupe.registry.v1 import dataset_service_pb2, identity_service_pb2, model_service_pb2
from loupe.scheduler.v1 import queue_service_pb2, task_service_pb2

from services.evaluator.wire import paging as evaluator
from services.kit.paging import PageTokens
from services.registry.wire import paging as registry
from services.scheduler.wire import paging as scheduler

Reader = tuple[Callable[[], Any], PageTokens[Any]]

LISTS: dict[str, Reader] = {
    "samples": (dataset_service_pb2.ListSamplesRequest, registry.BY_ID),
    "data paths": (dataset_service_pb2.ListDataPathsRequest, registry.BY_PARENT_AND_ID),
    "versions": (model_service_pb2.ListModelVersionsRequest, registry.BY_VERSION),
    "audit log": (identity_service_pb2.ListAuditEntriesRequest, registry.AUDIT_ENTRIES),
    "tasks": (task_service_pb2.ListTasksRequest, scheduler.TASKS),
    "nonconforming samples": (
        task_service_pb2.ListNonconformingSamplesRequest,
        scheduler.NONCONFORMING_SAMPLES,
    ),
    "workers": (queue_service_pb2.ListWorkersRequest, scheduler.WORKERS),
    "reports": (report_service_pb2.ListReportsRequest, evaluator.REPORTS),
    "marks": (relabel_service_pb2.ListRelabelMarksRequest, evaluator.MARKS),
    "results": (report_service_pb2.ListSampleResultsRequest, evaluator.SAMPLES),
    "suspects": (sample_result_service_pb2.ListSuspectedLabelsRequest, evaluator.SUSPECTS),
    "compared": (comparison_service_pb2.ListComparedSamplesRequest, evaluator.COMPARED),
}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def list_of(request: Any) -> str:  # noqa: ANN401 -- any List request
    """What a token says of its list."""
    token = registry.BY_ID.token(request, ())
    return str(json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))[0])


ODD_VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.integers(0, 5)
    | st.floats()
    | st.text(st.characters(), max_size=4)
    | st.sampled_from(
        ["\0", "\ud800", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2024-01-01", "0" * 32]
    )
    | st.lists(st.none(), max_size=1)
    | st.dictionaries(st.text(max_size=2), st.none(), max_size=1)
)


def storable(key: object) -> bool:
    """Whether PostgreSQL can compare it: no NUL, no lone surrogates, whole numbers of 64 bits at most."""
    match key:
        case str():
            return "\0" not in key and key == key.encode("utf-8", "ignore").decode()
        case int():
            return abs(key) < 2**63
        case tuple():
            return all(map(storable, key))
    return True


def tried(reader: Reader, token: str) -> None:
    request = reader[0]()
    request.page_token = token
    key: object = None
    faults: list[str] = []
    try:
        key = reader[1].page(request).after
    except InvalidArgument as refused:
        faults = [fault.reason for fault in refused.violations]
    assert faults in ([], ["BAD_PAGE_TOKEN"])
    slots = getattr(type(key), "__slots__", ())
    assert storable(tuple(getattr(key, name) for name in slots) if slots else key)


@pytest.mark.parametrize("name", LISTS)
@settings(max_examples=150, deadline=None)
@given(token=st.text(max_size=40) | st.binary(max_size=40).map(encoded))
def test_any_text_is_a_place_or_a_bad_page_token(name: str, token: str) -> None:
    """A token is whatever a client sends; a failure of ours would be told as a bug and logged as one."""
    tried(LISTS[name], token)


@pytest.mark.parametrize("name", LISTS)
@settings(max_examples=300, deadline=None)
@given(parts=st.lists(ODD_VALUES, max_size=6))
def test_a_forged_place_is_a_place_or_a_bad_page_token(name: str, parts: list[object]) -> None:
    """Who has a token knows how it is made: what the database cannot compare must be refused before."""
    list_id = list_of(LISTS[name][0]())
    tried(LISTS[name], encoded(json.dumps([list_id, *parts]).encode()))


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("depth", [50, 2_000, 200_000])
def test_brackets_within_brackets_are_a_bad_page_token(name: str, depth: int) -> None:
    """They exhaust the parser's stack, which is no ValueError."""
    tried(LISTS[name], encoded(b"[" * depth))
    tried(LISTS[name], encoded(b"[" * depth + b"]" * depth))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_a_token_carries_any_name(name: str) -> None:
    """What is listed must be listed to the end: no name may be refused here that an import once took."""
    for text in (name, *"\u00a0\u200b\u202e\u2028\u202f\u3000\ufeff\x7f\x85"):
        request = dataset_service_pb2.ListSamplesRequest()
        request.page_token = registry.BY_ID.token(request, (text,))
        assert registry.BY_ID.page(request).after == (text,)
