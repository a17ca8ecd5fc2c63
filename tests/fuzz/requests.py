"""HTTP requests to the gateway: found a route, and made a message of an RPC, or refused by their names."""

import base64
import json
from random import Random
from urllib.parse import quote, urlencode

from google.protobuf import json_format
from loupe.errors import InvalidArgument, LoupeError
from loupe.rpc.status import to_status
from loupe.text import visible

from gateway.app import _query
from gateway.contracts import all_services, operations
from gateway.json_mapping import render
from gateway.problems import problem_response
from gateway.routing import Router, routes_of
from gateway.transcoding import HttpRequest, transcode
from tests.fuzz.messages import request
from tests.fuzz.mutation import changed, changed_json
from tests.fuzz.target import Broken, Target, check_told

_ROUTES = routes_of(operations(all_services()))
_VALUES = (
    "d",
    "p",
    "-",
    "v1.01",
    "a.png",
    "%2F",
    "a%2Fb",
    "%00",
    "%FF",
    "%zz",
    "..",
    "x" * 300,
    "缺",
    "a:b",
    "",
)


class Requests(Target):
    """What the gateway makes of mutated requests, before a server is called."""

    cpu_s = 5.0
    memory_mib = 128

    def __init__(self) -> None:
        self._router = Router(_ROUTES)

    def make(self, random: Random) -> bytes:
        """A JSON object with method, path, query, headers and body."""
        route = random.choice(_ROUTES)
        operation = route.operation
        path = "".join(
            f"/{segment if segment not in '**' else random.choice(_VALUES)}"
            for segment in route.template.segments
        )
        path += f":{route.template.verb}" if route.template.verb else ""
        message = request(random, operation.method)
        try:
            document = json_format.MessageToDict(message)
        except json_format.SerializeToJsonError:  # a time that JSON cannot say
            document = {}
        body, query = b"", b""
        if operation.body:
            part = document if operation.body == "*" else document.get(operation.body, {})
            body = changed_json(random, part) if random.randrange(4) else json.dumps(part).encode()
        if operation.body != "*":
            pairs = [(name, str(one)) for name, one in document.items() if not isinstance(one, dict)]
            query = urlencode(pairs[:6]).encode()
            query = changed(random, query) if random.randrange(2) else query
        headers = {
            name: random.choice(("", "*", '"abc"', 'W/"1"', "abc", "1:2", '"\u00e9"'))
            for name in ("idempotency-key", "if-match", "last-event-id")
            if random.randrange(4) == 0
        }
        raw_path = (
            changed(random, path.encode(), 1)
            if random.randrange(8) == 0
            else quote(path, safe="/%:~").encode()
        )
        return json.dumps(
            {
                "method": route.http_method,
                "path": base64.b64encode(raw_path).decode(),
                "query": base64.b64encode(query).decode(),
                "headers": headers,
                "body": base64.b64encode(body).decode(),
            }
        ).encode()

    def run(self, data: bytes) -> str:
        """Find its route, make its message; write the message and read it again."""
        asked = json.loads(data)
        path, query, body = (base64.b64decode(asked[name]) for name in ("path", "query", "body"))
        try:
            route, bindings = self._router.find(asked["method"], path.decode("latin-1"))
            http = HttpRequest(bindings, _query(query), body, asked["headers"])
            message = transcode(route.operation, http)
        except LoupeError as error:
            _check_refusal(error)
            return f"refused: {error.reason}"
        data = message.SerializeToString(deterministic=True)
        if route.operation.request_class.FromString(data).SerializeToString(deterministic=True) != data:
            raise Broken("the message is another one when it is read again")
        # What JSON says is what the message is.
        again = transcode_again(route.operation.request_class, render(message))
        if again != data:
            raise Broken("the message is another one after JSON")
        return "taken"


def transcode_again(request_class: type, document: bytes) -> bytes:
    """The bytes of the message that this JSON is."""
    message = request_class()
    json_format.Parse(document, message)
    return bytes(message.SerializeToString(deterministic=True))


def _check_refusal(error: LoupeError) -> None:
    if error.status in {"INTERNAL", "UNKNOWN"}:
        raise error
    # JSON escapes what the request said of itself.
    check_told(visible(error.message))
    for violation in error.violations if isinstance(error, InvalidArgument) else ():
        check_told(visible(violation.message))
        check_told(visible(violation.message_zh))
        violation.field.encode()
    to_status(error)
    response = problem_response(error)
    json.loads(bytes(response.body))
