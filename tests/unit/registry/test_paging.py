"""Page tokens: opaque, and bound to their list."""

import base64
import json

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import example, given
from hypothesis import strategies as st
from loupe.errors import InvalidArgument
from loupe.registry.v1 import dataset_service_pb2 as rpc

from services.kit.paging import PageRequest
from services.registry.wire.paging import BY_ID
from services.registry.wire.values import json_object, struct

keys = st.tuples(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
"""Any text that can be stored: what is listed must be listed to the end."""


@given(keys)
@example(("C/\u00a0\u200b\u202e\u2028\u202f\u3000.png",))
def test_a_token_gives_its_key_back(key: tuple[str]) -> None:
    """To the same list, whatever page size is asked for next."""
    request = rpc.ListSamplesRequest(parent="datasets/d/paths/p", page_size=3)
    token = BY_ID.token(request, key)
    request.page_size, request.page_token = 500, token
    assert BY_ID.page(request) == PageRequest(500, key)


@given(st.text(max_size=60))
def test_no_text_breaks_the_decoding(token: str) -> None:
    """What a client makes up is InvalidArgument, never an error of ours."""
    request = rpc.ListSamplesRequest(parent="datasets/d/paths/p", page_token=token)
    if token:
        with pytest.raises(InvalidArgument):
            BY_ID.page(request)
    else:
        assert BY_ID.page(request).after is None


def test_a_token_of_another_list_is_refused() -> None:
    """A filter that changes between pages would skip or repeat silently."""
    token = BY_ID.token(rpc.ListSamplesRequest(parent="datasets/d/paths/p"), ("A/x.png",))
    for request in (
        rpc.ListSamplesRequest(parent="datasets/d/paths/q", page_token=token),
        rpc.ListSamplesRequest(parent="datasets/d/paths/p", code="A", page_token=token),
        rpc.ListDataPathsRequest(parent="datasets/d/paths/p", page_token=token),
    ):
        with pytest.raises(InvalidArgument):
            BY_ID.page(request)


def test_a_key_of_the_wrong_type_is_refused() -> None:
    """A forged token must fail here and not in the query."""
    request = rpc.ListSamplesRequest(parent="datasets/d/paths/p")
    list_id = json.loads(base64.urlsafe_b64decode(BY_ID.token(request, ("x",)) + "=="))[0]
    for key in ([1], [True], ["x", "y"], [], [None], [["x"]], ["a\0b"]):
        forged = base64.urlsafe_b64encode(json.dumps([list_id, *key]).encode()).decode().rstrip("=")
        with pytest.raises(InvalidArgument):
            BY_ID.page(rpc.ListSamplesRequest(parent="datasets/d/paths/p", page_token=forged))


@pytest.mark.parametrize(("asked", "given_size"), [(0, 50), (1, 1), (1000, 1000), (5000, 1000)])
def test_page_sizes(asked: int, given_size: int) -> None:
    """The default and the cap are part of the contract."""
    assert BY_ID.page(rpc.ListDatasetsRequest(page_size=asked)).size == given_size


@given(st.lists(st.integers(), max_size=8), st.integers(1, 10))
def test_pages_are_cut_where_more_was_read(read: list[int], size: int) -> None:
    """A next page is promised exactly if there is one."""
    request: PageRequest[tuple[int]] = PageRequest(size)
    page = request.cut(read[: request.limit], lambda item: (item,))
    assert len(page.items) == min(size, len(read))
    assert (page.last_key is not None) == (len(read) > size)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-1e9, 1e9)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=4))
def test_parameters_survive_the_wire(value: dict[str, object]) -> None:
    """A whole number stays one: `max_iter: 300.0` is not what an engineer wrote."""
    message = Struct.FromString(struct(value).SerializeToString())
    assert json_object(message) == value
    assert isinstance(json_object(struct({"max_iter": 300}))["max_iter"], int)
