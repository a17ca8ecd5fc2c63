"""The OpenAPI 3.1 description of every route, made from the descriptors that make the routes."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.contracts import CURSOR, ETAG, REQUEST_ID, ApiOperation, comments
from gateway.json_mapping import is_map
from gateway.problems import KINDS, MEDIA_TYPE
from gateway.routing import Form, Route
from gateway.sessions import COOKIE, SECURE_COOKIE
from gateway.templates import PathTemplate
from gateway.transcoding import query_fields
from services.kit.about import VERSION
from services.kit.auth import Role

Json = dict[str, Any]

_DESCRIPTION = """\
The model library over HTTP, transcoded from its gRPC contracts by the rules of google.api.http.

* JSON is proto3's: camelCase, 64-bit integers as strings, times as RFC 3339, durations as `3.5s`, enums by
  name, numbers that are not finite as the strings `NaN`, `Infinity`, `-Infinity`.
* Send `Authorization: Bearer <token>` with every request; each operation names the least role it takes.
* Failures are problem details (RFC 9457) with all violations of the request at once.
* Lists are paged: pass `nextPageToken` back as `pageToken`.
* `Idempotency-Key` is for what a repeat would do twice: tasks and tokens. Whatever else is made has a name of
  the caller's, so that a repeat is 409; every other POST means a state, which a repeat finds reached already.
* `If-Match` with the `ETag` of a task, model version, user or draft acts only if nobody changed it since.
* Live parts are server-sent events. Open one again with `Last-Event-ID` and nothing is missed or doubled;
  `event: end` says that there is nothing more to come.
"""

_OWN_PAGES = (
    "Requests that change something with it carry the header `X-Loupe-Client`, whatever its value: "
    "pages of other sites cannot set it."
)

_STATUSES: Mapping[str, str] = {
    "400": "The request is wrong, or not possible in the present state.",
    "401": "No token, or not a valid one.",
    "403": "The token's role does not allow this.",
    "404": "What the path names does not exist.",
    "408": "The body did not arrive in time.",
    "409": "The name is taken, or somebody else changed the resource meanwhile.",
    "412": "`If-Match` names a state of the resource that is past.",
    "413": "The body is longer than 1 MiB.",
    "414": "Path and query are longer than 8 KiB.",
    "415": "The body is not JSON.",
    "429": "A limit is reached.",
    "431": "The headers are longer than 32 KiB.",
    "500": "A bug; the problem names the incident.",
    "501": "The service does not have this operation.",
    "503": "A service is away; the same request may succeed later.",
    "504": "A service did not answer in time.",
}

_SCALARS: Mapping[int, Json] = {
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "format": "int64", "minimum": 0, "maximum": 4294967295},
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"},
    FieldDescriptor.TYPE_UINT64: {"type": "string", "format": "uint64", "pattern": "^[0-9]+$"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
_WELL_KNOWN: Mapping[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {
        "type": "string",
        "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$",
        "examples": ["3.5s"],
    },
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Value": {},
    "google.protobuf.Empty": {"type": "object", "maxProperties": 0},
}


def describe(routes: Iterable[Route]) -> Json:
    """The document."""
    routes = tuple(routes)
    schemas = _Schemas(routes)
    paths: dict[str, Json] = {}
    services: dict[str, str] = {}
    for route in routes:
        service = route.operation.method.containing_service
        services[str(service.name)] = comments().get(str(service.full_name), "")
        path, parameters = path_of(route.template)
        paths.setdefault(path, {})[route.http_method.lower()] = _operation(route, parameters, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Loupe", "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"session": []}],
        "tags": [{"name": name, "description": text} for name, text in sorted(services.items())],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the installation, `loupe_<id>_<secret>`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": COOKIE,
                    "description": (
                        f"What a log-in sets; under https its name is `{SECURE_COOKIE}`. {_OWN_PAGES}"
                    ),
                },
            },
            "schemas": {**dict(sorted(schemas.made.items())), "Problem": _PROBLEM, "Violation": _VIOLATION},
            "responses": {f"Problem{status}": _problem_response(text) for status, text in _STATUSES.items()}
            | {"Problem": _problem_response("Any other failure.")},
        },
    }


def path_of(template: PathTemplate) -> tuple[str, tuple[str, ...]]:
    """The template as OpenAPI writes it, `/v1/tasks/{task}:watch`, and the names of its parameters."""
    names: list[str] = []
    written: list[str] = []
    previous = ""
    for index, segment in enumerate(template.segments):
        if segment not in {"*", "**"}:
            written.append(segment)
            previous = segment
            continue
        if previous:
            name = _singular(previous)
        else:
            # Two stars in a row: the sample's code and its file.
            bound = next(v.field_path for v in template.variables if v.start <= index < v.end)
            name = _camel(bound)
        while name in names:
            name += "Id"
        names.append(name)
        written.append(f"{{{name}}}")
        previous = ""
    return "/" + "/".join(written) + (f":{template.verb}" if template.verb else ""), tuple(names)


def operation_id(route: Route) -> str:
    """`getTask`; unique because RPC names are, which a test keeps."""
    name = str(route.operation.method.name)
    if route.form is Form.LOG_FILE:
        name = "DownloadLog"
    elif route.form is Form.LINK:
        name = f"RedirectTo{name.removeprefix('Link')}"
    return name[0].lower() + name[1:]


def _operation(route: Route, path_parameters: tuple[str, ...], schemas: "_Schemas") -> Json:
    operation = route.operation
    method = operation.method
    text = comments().get(f"{method.containing_service.full_name}.{method.name}", "")
    described: Json = {
        "operationId": operation_id(route),
        "tags": [str(method.containing_service.name)],
        "summary": _words(operation_id(route)),
        "description": f"{text}\n\nLeast role: {operation.role.name}.".strip(),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in path_parameters
        ]
        + [_query_parameter(name, field, schemas) for name, field in query_fields(operation)]
        + _header_parameters(operation),
        "responses": _success(route, schemas)
        | {status: {"$ref": f"#/components/responses/Problem{status}"} for status in _statuses(operation)}
        | {"default": {"$ref": "#/components/responses/Problem"}},
        "x-loupe-rpc": operation.rpc,
        "x-loupe-role": operation.role.name,
    }
    if operation.role is Role.ANYONE:
        described["security"] = []
    if operation.body:
        described["requestBody"] = {
            "required": operation.body != "*",
            "content": {"application/json": {"schema": _body_schema(operation, schemas)}},
        }
    return described


def _body_schema(operation: ApiOperation, schemas: "_Schemas") -> Json:
    request: Any = operation.method.input_type
    if operation.body == "*":
        return schemas.message(request, without=operation.path_fields)
    return schemas.message(request.fields_by_name[operation.body].message_type)


def _statuses(operation: ApiOperation) -> list[str]:
    without_body = set() if operation.body else {"408", "413", "415"}
    without_etag = set() if ETAG in operation.method.input_type.fields_by_name else {"412"}
    return [status for status in _STATUSES if status not in without_body | without_etag]


def _success(route: Route, schemas: "_Schemas") -> Json:
    answer: Any = route.operation.method.output_type
    if route.form is Form.LINK:
        return {
            "302": {
                "description": "The bytes, at a link that is good for a few minutes.",
                "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
            }
        }
    if route.form is Form.FILE:
        # In OpenAPI 3.1 bytes have no schema.
        content: Json = {file_type: {} for file_type in route.operation.file_types}
        return {"200": {"description": "The bytes.", "content": content}}
    if route.form is Form.LOG_FILE:
        return {
            "200": {
                "description": "The log as a text file, one line each.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            }
        }
    schema = schemas.message(answer)
    if route.form is Form.EVENTS:
        cursor = " `id` is its cursor." if CURSOR in answer.fields_by_name else ""
        return {
            "200": {
                "description": f"Events `{answer.name}` whose data is that message as JSON.{cursor}"
                " `end` says that nothing more comes; `problem` holds the problem that ended the stream.",
                # OpenAPI cannot describe the schema of one event; generators read it here.
                "content": {"text/event-stream": {"schema": {"type": "string"}, "x-loupe-event": schema}},
            }
        }
    success: Json = {"description": "The answer.", "content": {"application/json": {"schema": schema}}}
    responses: Json = {"200": success}
    if ETAG in answer.fields_by_name:
        success["headers"] = {"ETag": {"schema": {"type": "string"}}}
        if route.http_method == "GET":
            responses["304"] = {"description": "What `If-None-Match` names is still the present state."}
    return responses


def _query_parameter(name: str, field: FieldDescriptor, schemas: "_Schemas") -> Json:
    described: Json = {"name": name, "in": "query", "schema": schemas.field(field, described=False)}
    text = comments().get(str(field.full_name))
    if text:
        described["description"] = text
    return described


def _header_parameters(operation: ApiOperation) -> list[Json]:
    fields = operation.method.input_type.fields_by_name
    found: list[tuple[str, str]] = []
    if REQUEST_ID in fields:
        found.append(("Idempotency-Key", "The field `requestId`: the same key gives the same result."))
    if ETAG in fields:
        found.append(("If-Match", "The field `etag`: acts only on the state that was seen."))
    if operation.streaming and CURSOR in fields:
        found.append(("Last-Event-ID", "The id of the last event received; wins over `cursor`."))
    if operation.http_method == "GET" and ETAG in operation.method.output_type.fields_by_name:
        found.append(("If-None-Match", "An `ETag` of before; 304 if it is the present one."))
    described: list[Json] = [
        {"name": name, "in": "header", "schema": {"type": "string"}, "description": text}
        for name, text in found
    ]
    if operation.role is Role.ANYONE:
        schema = {"type": "string", "minLength": 1, "examples": ["console"]}
        described.append(
            {
                "name": "X-Loupe-Client",
                "in": "header",
                "required": True,
                "schema": schema,
                "description": _OWN_PAGES,
            }
        )
    return described


class _Schemas:
    """Makes a component of every message and enum that is met, and refers to it."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.made: dict[str, Json] = {}
        self._names = _component_names(routes)

    def message(self, message: Any, without: frozenset[str] = frozenset()) -> Json:  # noqa: ANN401 -- the stubs take descriptors for optional
        """The schema of a message; `without` are fields that the path binds."""
        full_name = str(message.full_name)
        if full_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[full_name])
        name = self._names[full_name]
        if name not in self.made:
            made: Json = {"type": "object"}
            self.made[name] = made
            if full_name in comments():
                made["description"] = comments()[full_name]
            made["properties"] = {
                field.json_name: self.field(field) for field in message.fields if field.name not in without
            }
        return {"$ref": f"#/components/schemas/{name}"}

    def field(self, field: Any, *, described: bool = True) -> Json:  # noqa: ANN401 -- the stubs take descriptors for optional
        """The schema of a field's value."""
        if is_map(field):
            value = field.message_type.fields_by_name["value"]
            schema: Json = {"type": "object", "additionalProperties": self.field(value, described=False)}
        else:
            schema = self._value(field)
            if field.is_repeated:
                schema = {"type": "array", "items": schema}
        if described and field.has_presence:
            # Every other field is in every answer; a generator for clients may rely on it.
            schema["x-loupe-may-be-absent"] = True
        text = comments().get(str(field.full_name), "")
        if described and text:
            schema["description"] = text
            if text.startswith("Output only"):
                schema["readOnly"] = True
        return schema

    def _value(self, field: Any) -> Json:  # noqa: ANN401 -- the stubs take descriptors for optional
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return dict(_SCALARS[field.type])

    def _enum(self, enum: EnumDescriptor) -> Json:
        name = self._names[str(enum.full_name)]
        if name not in self.made:
            lines = [
                f"* `{value.name}`: {text}" if text else f"* `{value.name}`"
                for value in enum.values
                for text in [comments().get(f"{enum.full_name}.{value.name}", "").replace("\n", " ")]
            ]
            heading = comments().get(str(enum.full_name), "")
            self.made[name] = {
                "type": "string",
                "enum": [value.name for value in enum.values],
                "description": "\n".join(([heading, ""] if heading else []) + lines),
            }
        return {"$ref": f"#/components/schemas/{name}"}


def _component_names(routes: Iterable[Route]) -> Mapping[str, str]:
    """Short names for all messages and enums of the routes, prefixed by the package if two are equal."""
    reached: dict[str, Any] = {}

    def reach(message: Any) -> None:  # noqa: ANN401 -- the stubs take descriptors for optional
        if message.full_name in reached or message.full_name in _WELL_KNOWN:
            return
        reached[message.full_name] = message
        for field in message.fields:
            if field.enum_type is not None:
                reached[field.enum_type.full_name] = field.enum_type
            elif field.message_type is not None:
                reach(field.message_type)

    for route in routes:
        reach(route.operation.method.input_type)
        reach(route.operation.method.output_type)
    by_short: dict[str, list[str]] = {}
    for full_name, descriptor in reached.items():
        by_short.setdefault(_short(descriptor), []).append(full_name)
    names: dict[str, str] = {}
    for short, full_names in by_short.items():
        shared = len(full_names) > 1 or short in {"Problem", "Violation"}
        for full_name in full_names:
            names[full_name] = full_name.split(".")[1].capitalize() + short if shared else short
    return names


def _short(descriptor: Descriptor | EnumDescriptor) -> str:
    package = str(descriptor.file.package)
    return str(descriptor.full_name).removeprefix(package + ".").replace(".", "_")


def _singular(collection: str) -> str:
    return collection[:-3] + "y" if collection.endswith("ies") else collection.removesuffix("s")


def _camel(path: str) -> str:
    head, *rest = re.split(r"[._]", path)
    return head + "".join(word.capitalize() for word in rest)


def _words(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return words[0].upper() + words[1:]


_VIOLATION: Json = {
    "type": "object",
    "description": "One fault of a request.",
    "required": ["field", "reason", "message", "messageZh", "severity"],
    "properties": {
        "field": {"type": "string", "description": "Path of the field; empty: the whole request."},
        "reason": {"type": "string", "description": "Stable, UPPER_SNAKE."},
        "message": {"type": "string"},
        "messageZh": {"type": "string"},
        "severity": {"type": "string", "enum": ["error", "warning"]},
    },
}
_PROBLEM: Json = {
    "type": "object",
    "description": "What went wrong, as RFC 9457 tells it.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence: the thing, the fact, the remedy."},
        "code": {"type": "string", "enum": sorted(KINDS)},
        "reason": {"type": "string", "description": "Stable, UPPER_SNAKE."},
        "violations": {"type": "array", "items": {"$ref": "#/components/schemas/Violation"}},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        "traceId": {"type": "string", "description": "W3C trace id; operators find the request by it."},
    },
}


_PROBLEM["required"] = list(_PROBLEM["properties"])


def _problem_response(text: str) -> Json:
    return {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
