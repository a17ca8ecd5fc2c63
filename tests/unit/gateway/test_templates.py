"""Path templates, as google/api/http.proto defines them."""

import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contracts import all_services, operations
from gateway.problems import MethodNotAllowed, UnknownRoute
from gateway.routing import Form, Route, Router, routes_of
from gateway.templates import PathTemplate, TemplateError
from services.kit.errors import InvalidArgument

ROUTES = routes_of(operations(all_services()))
ROUTER = Router(ROUTES)

identifiers = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")).filter(lambda c: c not in "/%"), min_size=1
)


def expand(template: PathTemplate, identifier: list[str]) -> tuple[str, dict[str, str]]:
    """The raw path that the identifiers make, and what it must bind; written apart from the matcher."""
    stars = iter(identifier)
    plain = [next(stars) if segment == "*" else segment for segment in template.segments]
    raw = "/" + "/".join(quote(piece, safe="") for piece in plain)
    bound = {v.field_path: "/".join(plain[v.start : v.end]) for v in template.variables}
    return raw + (f":{template.verb}" if template.verb else ""), bound


@settings(max_examples=500)
@given(route=st.sampled_from(ROUTES), data=st.data())
def test_every_route_finds_its_own_paths_and_binds_what_made_them(route: Route, data: st.DataObject) -> None:
    """Whatever characters a name has, the service gets what the client encoded, and no other route does."""
    count = route.template.segments.count("*")
    raw, bound = expand(route.template, data.draw(st.lists(identifiers, min_size=count, max_size=count)))
    found, bindings = ROUTER.find(route.http_method, raw)
    assert found.template.text == route.template.text
    assert bindings == bound


@given(st.text())
def test_no_path_breaks_the_router(path: str) -> None:
    """Anything may be asked for; the answer is a route or a named refusal."""
    for raw in (path, "/" + path, "/v1/tasks/" + path):
        with contextlib.suppress(UnknownRoute, MethodNotAllowed, InvalidArgument):
            ROUTER.find("GET", raw)


def test_a_literal_wins_over_a_star() -> None:
    """`/v1/tasks/latest` would be unreachable beside `/v1/tasks/*` if order of declaration decided."""
    star, literal = PathTemplate.parse("/v1/{name=tasks/*}"), PathTemplate.parse("/v1/tasks/latest")
    assert sorted((star, literal), key=lambda template: template.specificity) == [literal, star]


@pytest.mark.parametrize(
    ("template", "path", "bound"),
    [
        ("/v1/{name=tasks/*}", "/v1/tasks/7", {"name": "tasks/7"}),
        ("/v1/{name=tasks/*}", "/v1/tasks/7:watch", None),
        ("/v1/{name=tasks/*}", "/v1/tasks/a%3Ab", {"name": "tasks/a:b"}),
        ("/v1/{name=tasks/*}:watch", "/v1/tasks/7:watch", {"name": "tasks/7"}),
        ("/v1/{name=tasks/*}:watch", "/v1/tasks/7", None),
        ("/v1/{name=tasks/*}/loss:watch", "/v1/tasks/7/loss:watch", {"name": "tasks/7"}),
        ("/v1/{name=tasks/*}", "/v1/tasks/", None),
        ("/v1/{name=tasks/*}", "/v1/tasks/7/", None),
        ("/v1/{name=tasks/*}", "/v1/tasks/7/8", None),
        ("/v1/{name=tasks/*}", "/v1/tasks/a%2Fb", {"name": "tasks/a%2Fb"}),
        ("/v1/{task}", "/v1/a%2Fb", {"task": "a/b"}),
        ("/v1/{a.b=x/**}", "/v1/x", {"a.b": "x"}),
        ("/v1/{a.b=x/**}", "/v1/x/y/z", {"a.b": "x/y/z"}),
        ("/v1/{a=*}/c/{b=**}", "/v1/1/c/2/3", {"a": "1", "b": "2/3"}),
        ("/v1/{name=tasks/*}", "v1/tasks/7", None),
        ("/v1/{name=tasks/*}", "/v1/Tasks/7", None),
    ],
)
def test_matching_by_example(template: str, path: str, bound: dict[str, str] | None) -> None:
    """The specification's own cases, in particular that an encoded slash stays apart from a separator."""
    assert PathTemplate.parse(template).match(path) == bound


@pytest.mark.parametrize(
    "text",
    [
        "v1",
        "/v1/{name",
        "/v1/{name=a/{b}}",
        "/v1/{Name}",
        "/v1/{a=**}/b",
        "/v1/{a}/{a}",
        "/v1//b",
        "/v1/a b",
        "/v1/x}",
    ],
)
def test_a_template_that_is_none_is_refused_at_start(text: str) -> None:
    """A typing error in a contract must not become a route that never matches."""
    with pytest.raises(TemplateError):
        PathTemplate.parse(text)


def test_an_unknown_path_and_a_known_one_with_another_method_are_told_apart() -> None:
    """405 says what the path does answer."""
    with pytest.raises(UnknownRoute):
        ROUTER.find("GET", "/v1/nothing")
    with pytest.raises(UnknownRoute):
        ROUTER.find("POST", "/v1/tasks/7:fly")
    with pytest.raises(MethodNotAllowed) as refused:
        ROUTER.find("PUT", "/v1/tasks/7")
    assert refused.value.facts["allowed"] == "DELETE, GET, HEAD"
    with pytest.raises(InvalidArgument):
        ROUTER.find("GET", "/v1/tasks/%ff")


def test_head_is_answered_where_get_gives_one_object() -> None:
    """A stream has no end for HEAD to wait for."""
    assert ROUTER.find("HEAD", "/v1/tasks/7")[0].form is Form.JSON
    with pytest.raises(MethodNotAllowed):
        ROUTER.find("HEAD", "/v1/tasks/7:watch")
