"""Which operation answers a request, and in which form."""

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loupe.access.v1 import access_pb2
from loupe.errors import InvalidArgument, Violation
from loupe.translation import Sentence, sentence

from gateway.contracts import ApiOperation
from gateway.problems import MethodNotAllowed, UnknownRoute
from gateway.templates import PathTemplate, UndecodablePathError
from services.kit.auth import Role


class Form(enum.Enum):
    """The form of a response."""

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

    operation: ApiOperation
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


_SESSION_FORMS = {
    access_pb2.SESSION_EFFECT_BEGIN: Form.LOG_IN,
    access_pb2.SESSION_EFFECT_END: Form.LOG_OUT,
}
_BROWSER_FORMS = {
    access_pb2.BROWSER_FORM_REDIRECT: Form.LINK,
    access_pb2.BROWSER_FORM_TEXT_FILE: Form.LOG_FILE,
}


def routes_of(operations: Iterable[ApiOperation]) -> tuple[Route, ...]:
    """The routes of the operations, the more literal paths first."""
    found: list[Route] = []
    for operation in operations:
        found.append(Route(operation, _form_of(operation)))
        browser = operation.browser_route
        if browser.get:
            template = PathTemplate.parse(browser.get)
            found.append(
                Route(dataclasses.replace(operation, template=template), _BROWSER_FORMS[browser.form])
            )
    return tuple(sorted(found, key=lambda route: route.template.specificity))


def _form_of(operation: ApiOperation) -> Form:
    if operation.session_effect:
        return _SESSION_FORMS[operation.session_effect]
    if not operation.streaming:
        return Form.JSON
    return Form.FILE if operation.returns_bytes else Form.EVENTS


class Router:
    """Finds the route of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(routes)

    def find(self, http_method: str, raw_path: str) -> tuple[Route, Mapping[str, str]]:
        """The route and the fields that its path binds; UnknownRoute or MethodNotAllowed if there is none."""
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
            fault = Sentence(str(error), sentence("the path is not percent-encoded UTF-8").chinese)
            raise InvalidArgument.of(Violation("", "MALFORMED_PATH", fault)) from None
        shown = raw_path if len(raw_path) <= 200 else raw_path[:200] + "…"
        if allowed:
            listing = tuple(sorted(allowed))
            raise MethodNotAllowed(f"{shown} answers {', '.join(listing)}, not {http_method}", listing)
        raise UnknownRoute(f"nothing answers at {shown}; /docs lists what there is")


def _answered(route: Route) -> frozenset[str]:
    # HEAD cannot describe a stream.
    return frozenset(
        {"GET", "HEAD"} if (route.http_method, route.form) == ("GET", Form.JSON) else {route.http_method}
    )
