"""The operations that the contracts describe: what there is to serve is read from descriptors, never listed.

A service of package `loupe.<backend>.v1` lives on that backend, and those of `loupe.server.v1` on every one;
an RPC is served if it carries `google.api.http`.
"""

import functools
import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from loupe.access.v1 import access_pb2

from gateway.templates import PathTemplate
from services.kit.auth import PolicyTable, Role

CURSOR = "cursor"
REQUEST_ID = "request_id"
ETAG = "etag"
_HTTP_BODY = "google.api.HttpBody"
EVERY_BACKEND = "server"
"""Each answers for itself: the request's `name`, `servers/{backend}`, says which is asked."""


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One HTTP binding of an RPC."""

    method: MethodDescriptor
    http_method: str
    template: PathTemplate
    # "*": the request message; a field's name: that field; "": no body.
    body: str
    role: Role

    @property
    def rpc(self) -> str:
        """`/package.Service/Method`."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def backend(self) -> str:
        """The service of the installation that answers."""
        return backend_of(self.method.containing_service)

    @property
    def streaming(self) -> bool:
        """Whether the answer is a stream, served as server-sent events."""
        return bool(self.method.server_streaming)

    @property
    def returns_bytes(self) -> bool:
        """Whether its answer is a file and no message of ours."""
        answer: Any = self.method.output_type
        return bool(answer.full_name == _HTTP_BODY)

    @property
    def session_effect(self) -> "access_pb2.SessionEffect.ValueType":
        """What it does to the session of a browser."""
        return self._options.Extensions[access_pb2.session_effect]

    @property
    def shared_stream(self) -> bool:
        """Whether readers with the same cursor see the same messages, and may be served from one stream."""
        return self._options.Extensions[access_pb2.shared_stream]

    @property
    def browser_route(self) -> access_pb2.BrowserRoute:
        """Its second route, in a form for browsers; empty if it has none."""
        return self._options.Extensions[access_pb2.browser_route]

    @property
    def file_types(self) -> tuple[str, ...]:
        """The media types of the bytes that it streams."""
        return tuple(self._options.Extensions[access_pb2.file_types])

    @property
    def _options(self) -> descriptor_pb2.MethodOptions:
        return self.method.GetOptions()

    @property
    def path_fields(self) -> frozenset[str]:
        """Fields of the request that the path binds."""
        return frozenset(variable.field_path for variable in self.template.variables)

    @property
    def request_class(self) -> type[Message]:
        """The generated class of the request."""
        return message_factory.GetMessageClass(self.method.input_type)

    @property
    def response_class(self) -> type[Message]:
        """The generated class of the answer, or of one message of the stream."""
        return message_factory.GetMessageClass(self.method.output_type)


class ContractError(Exception):
    """The contracts cannot be served as they are; told at start."""


def backend_of(service: ServiceDescriptor) -> str:
    """`scheduler` of `loupe.scheduler.v1.TaskService`."""
    return str(service.full_name).split(".")[1]


def field_of(message: Descriptor, path: str) -> FieldDescriptor | None:
    """The field that a dotted path of proto names leads to, or None."""
    *parents, last = path.split(".")
    for name in parents:
        parent = message.fields_by_name.get(name)
        if parent is None or parent.message_type is None:
            return None
        message = parent.message_type
    return message.fields_by_name.get(last)


@functools.cache
def contracts() -> descriptor_pb2.FileDescriptorSet:
    """The contracts with their comments, as `protos/generate.py` wrote them."""
    file = resources.files("loupe") / "contracts.binpb"
    return descriptor_pb2.FileDescriptorSet.FromString(file.read_bytes())


def all_services() -> tuple[ServiceDescriptor, ...]:
    """Every service of the contracts, in the order of their names."""
    found: list[ServiceDescriptor] = []
    for file in contracts().file:
        if not file.service:
            continue
        # Generated modules register their messages when imported.
        importlib.import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
        descriptor = descriptor_pool.Default().FindFileByName(file.name)
        found.extend(descriptor.services_by_name[service.name] for service in file.service)
    return tuple(sorted(found, key=lambda service: str(service.full_name)))


def operations(services: Iterable[ServiceDescriptor]) -> tuple[ApiOperation, ...]:
    """Every operation of the services, the more literal paths first; ContractError names what cannot be."""
    services = tuple(services)
    policies = PolicyTable.from_descriptors(services)
    found: list[ApiOperation] = []
    faults: list[str] = []
    for service in services:
        for method in service.methods:
            for rule in _rules(method):
                role = policies.of(f"/{service.full_name}/{method.name}").role
                pattern = str(rule.WhichOneof("pattern"))
                operation = ApiOperation(
                    method=method,
                    http_method=pattern.upper(),
                    template=PathTemplate.parse(getattr(rule, pattern)),
                    body=rule.body,
                    role=role,
                )
                faults.extend(f"{operation.rpc}: {fault}" for fault in _faults(operation, rule))
                found.append(operation)
    taken: dict[object, ApiOperation] = {}
    for operation in found:
        other = taken.setdefault((operation.http_method, operation.template.shape), operation)
        if other is not operation:
            faults.append(f"{operation.rpc} and {other.rpc} answer the same {operation.template.text}")
    if faults:
        raise ContractError("\n".join(faults))
    return tuple(sorted(found, key=lambda operation: operation.template.specificity))


@functools.cache
def comments() -> Mapping[str, str]:
    """Comment of every message, field, enum, value, service and RPC of the contracts, by full name."""
    found: dict[str, str] = {}
    for file in contracts().file:
        names = dict(_names(file))
        for location in file.source_code_info.location:
            text = location.leading_comments or location.trailing_comments
            name = names.get(tuple(location.path))
            if name is not None and text.strip():
                found[name] = "\n".join(line.strip() for line in text.strip().splitlines())
    return found


def _rules(method: MethodDescriptor) -> Iterator[http_pb2.HttpRule]:
    options: Any = method.GetOptions()
    if options.HasExtension(annotations_pb2.http):
        rule = options.Extensions[annotations_pb2.http]
        yield rule
        yield from rule.additional_bindings


def _faults(operation: ApiOperation, rule: http_pb2.HttpRule) -> Iterator[str]:
    request = operation.method.input_type
    if rule.response_body or rule.WhichOneof("pattern") == "custom":
        yield "response_body and custom methods are not served"
    if operation.method.client_streaming:
        yield "a stream of requests has no HTTP form"
    if operation.streaming and operation.returns_bytes and not operation.file_types:
        yield "a stream of bytes names no (loupe.access.v1.file_types)"
    for path in operation.path_fields:
        field = field_of(request, path)
        if field is None or field.type != FieldDescriptor.TYPE_STRING or field.is_repeated:
            yield f"the path binds {path}, which is not a string field"
    if operation.body not in {"", "*"}:
        field = request.fields_by_name.get(operation.body)
        if field is None or field.message_type is None or field.is_repeated:
            yield f"the body is {operation.body}, which is not a message field"


_Path = tuple[int, ...]


def _names(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[_Path, str]]:
    # The numbers are the field numbers of descriptor.proto, which is how source locations name things.
    for index, message in enumerate(file.message_type):
        yield from _message_names(message, (4, index), f"{file.package}.{message.name}")
    for index, enum in enumerate(file.enum_type):
        yield from _enum_names(enum, (5, index), f"{file.package}.{enum.name}")
    for index, service in enumerate(file.service):
        yield (6, index), f"{file.package}.{service.name}"
        for number, method in enumerate(service.method):
            yield (6, index, 2, number), f"{file.package}.{service.name}.{method.name}"


def _message_names(
    message: descriptor_pb2.DescriptorProto, path: _Path, full_name: str
) -> Iterator[tuple[_Path, str]]:
    yield path, full_name
    for index, field in enumerate(message.field):
        yield (*path, 2, index), f"{full_name}.{field.name}"
    for index, oneof in enumerate(message.oneof_decl):
        yield (*path, 8, index), f"{full_name}.{oneof.name}"
    for index, nested in enumerate(message.nested_type):
        yield from _message_names(nested, (*path, 3, index), f"{full_name}.{nested.name}")
    for index, enum in enumerate(message.enum_type):
        yield from _enum_names(enum, (*path, 4, index), f"{full_name}.{enum.name}")


def _enum_names(
    enum: descriptor_pb2.EnumDescriptorProto, path: _Path, full_name: str
) -> Iterator[tuple[_Path, str]]:
    yield path, full_name
    for index, value in enumerate(enum.value):
        # Values are siblings of their enum in protobuf's scopes; here they are told apart by it.
        yield (*path, 2, index), f"{full_name}.{value.name}"
