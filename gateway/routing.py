"""Which operation answers a request, and in which form."""

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loupe.errors import InvalidArgument, Violation

from gateway.contracts import HTTP_BODY, Operation
from gateway.problems import MethodNotAllowed, UnknownRoute
from gateway.templates import PathTemplate, UndecodablePathError
from services.kit.auth import Role


class Form(enum.Enum):
    """What the answer is made of."""

    # One JSON object.
    JSON = "json"
    # Server-sent events, one a message of the stream.
    EVENTS = "events"
    # The bytes of a stream of google.api.HttpBody.
    FILE = "file"
    # The lines of ReadLog as a text file.
    LOG_FILE = "log file"
    # A redirect to the link that the answer is.
    LINK = "link"
    # JSON, and the session's secret as a cookie; or the end of that cookie.
    LOG_IN = "log in"
    LOG_OUT = "log out"


@dataclass(frozen=True, slots=True)
class Route:
    """An operation at a path, and the form of its answer."""

    operation: Operation
    form: Form

    @property
    def http_method(self) -> str:
        """GET, POST …."""
        return self.operation.http_method

    @property
    def template(self) -> PathTemplate:
        """Where it answers."""
        return self.operation.template

    @property
    def role(self) -> Role:
        """The least role that may use it: that of the RPC behind it."""
        return self.operation.role


# Routes beside those of the contracts: the same RPC in a form that a browser takes by itself.
_CONVENIENCES = (
    (
        "/loupe.scheduler.v1.TaskService/ReadLog",
        "/v1/{name=tasks/*}/log",
        Form.LOG_FILE,
    ),
    (
        "/loupe.scheduler.v1.TaskService/LinkContactSheet",
        "/v1/{name=tasks/*}/contactSheet",
        Form.LINK,
    ),
    (
        "/loupe.evaluator.v1.SampleResultService/LinkSamplePicture",
        "/v1/{name=reports/*/sampleResults/*}/picture",
        Form.LINK,
    ),
    (
        "/loupe.registry.v1.DatasetService/LinkSample",
        "/v1/{parent=datasets/*/paths/*}/samples/{file=*/*}",
        Form.LINK,
    ),
)


def routes_of(operations: Iterable[Operation]) -> tuple[Route, ...]:
    """The routes of the operations, the more literal paths first."""
    operations = tuple(operations)
    found = [Route(operation, _own_form(operation)) for operation in operations]
    for rpc, template, form in _CONVENIENCES:
        found.extend(
            Route(dataclasses.replace(operation, template=PathTemplate.parse(template)), form)
            for operation in operations
            if operation.rpc == rpc
        )
    return tuple(sorted(found, key=lambda route: route.template.specificity))


_SESSIONS = {
    "/loupe.registry.v1.IdentityService/LogIn": Form.LOG_IN,
    "/loupe.registry.v1.IdentityService/LogOut": Form.LOG_OUT,
}


def _own_form(operation: Operation) -> Form:
    if operation.rpc in _SESSIONS:
        return _SESSIONS[operation.rpc]
    if not operation.streaming:
        return Form.JSON
    answer: Any = operation.method.output_type
    return Form.FILE if answer.full_name == HTTP_BODY else Form.EVENTS


class Router:
    """Finds the route of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(routes)

    def find(self, http_method: str, raw_path: str) -> tuple[Route, Mapping[str, str]]:
        """The route and what its path binds; UnknownRoute or MethodNotAllowed where there is none."""
        allowed: set[str] = set()
        try:
            for route in self._routes:
                bindings = route.template.match(raw_path)
                if bindings is None:
                    continue
                if http_method in _answered(route):
                    return route, bindings
                allowed |= _answered(route)
        except UndecodablePathError as error:
            raise InvalidArgument.of(
                Violation("", "MALFORMED_PATH", str(error), "路径不是合法的 UTF-8 百分号编码")
            ) from None
        shown = raw_path if len(raw_path) <= 200 else raw_path[:200] + "…"
        if allowed:
            listing = tuple(sorted(allowed))
            raise MethodNotAllowed(f"{shown} answers {', '.join(listing)}, not {http_method}", listing)
        raise UnknownRoute(f"nothing answers at {shown}; /docs lists what there is")


def _answered(route: Route) -> frozenset[str]:
    # A stream has no end that HEAD could tell of.
    return frozenset(
        {"GET", "HEAD"} if (route.http_method, route.form) == ("GET", Form.JSON) else {route.http_method}
    )
