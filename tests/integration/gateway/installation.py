"""A real gateway on a real port, in front of a real gRPC server that keeps a few tasks in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import httpx
from google.protobuf import empty_pb2
from loupe.errors import Aborted, InvalidArgument, NotFound, Unauthenticated, Unavailable, Violation
from loupe.registry.v1 import (
    dataset_service_pb2,
    dataset_service_pb2_grpc,
    identity_pb2,
    identity_service_pb2,
    identity_service_pb2_grpc,
)
from loupe.rpc.channel import connect
from loupe.rpc.tls import TlsSettings
from loupe.scheduler.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc
from loupe.translation import Sentence

from gateway.app import create_app
from gateway.backends import Backends
from gateway.events import StreamLimits, Streams
from gateway.server import HttpServer
from gateway.settings import HttpSettings
from services.kit.auth import Principal, Role, current_principal
from services.kit.grpc_server import GrpcServer, Service

# ruff: noqa: ANN001, ANN201, ARG002, N802 -- handlers have the names and arguments of their generated base

TOKENS = {
    "viewer-token": Principal("users/vera", Role.VIEWER),
    "engineer-token": Principal("users/emil", Role.ENGINEER),
}


class Verifier:
    """Knows two tokens, until the test revokes them."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()

    async def verify(self, token: str) -> Principal:
        """Its principal."""
        if token in self.revoked:
            raise Unauthenticated("the token was revoked", reason="TOKEN_REVOKED")
        try:
            return TOKENS[token]
        except KeyError:
            raise Unauthenticated("the token is not known", reason="TOKEN_UNKNOWN") from None


class Tasks(task_service_pb2_grpc.TaskServiceServicer):
    """Tasks in memory, with a loss curve that the test feeds."""

    def __init__(self) -> None:
        self.tasks: dict[str, task_pb2.Task] = {}
        self.by_request: dict[str, str] = {}
        self.losses: list[float] = []
        self.done = False
        self.changed = asyncio.Condition()
        # After so many messages of one call the service goes away.
        self.messages_until_gone: int | None = None
        self.deleted_while_watched = False
        self.watching = asyncio.Event()
        self.watches_begun = 0
        self.watches_open = 0
        self.watch_ended = asyncio.Event()
        self.sent = 0
        self.metadata: dict[str, str] = {}

    async def CreateTask(self, request, context):
        """Idempotent by request_id."""
        self.metadata = {
            name: value for name, value in context.invocation_metadata() if isinstance(value, str)
        }
        if not request.task.training.model_name:
            raise InvalidArgument.of(
                Violation("task.training.model_name", "REQUIRED", Sentence("must be given", "必须填写")),
                Violation("task.training.data_paths", "REQUIRED", Sentence("must be given", "必须填写")),
            )
        known = self.by_request.get(request.request_id)
        if request.request_id and known:
            return self.tasks[known]
        task = task_pb2.Task(name=f"tasks/{len(self.tasks) + 1}", creator=current_principal().name)
        task.training.CopyFrom(request.task.training)
        task.state, task.revision, task.etag = task_pb2.TASK_STATE_WAITING, 1, "1"
        self.tasks[task.name] = task
        self.by_request[request.request_id] = task.name
        return task

    async def GetTask(self, request, context):
        """One."""
        try:
            return self.tasks[request.name]
        except KeyError:
            raise NotFound(f"there is no {request.name}", task=request.name) from None

    async def ListTasks(self, request, context):
        """All of the wanted states."""
        kept = [t for t in self.tasks.values() if not request.states or t.state in request.states]
        return task_service_pb2.ListTasksResponse(tasks=kept[: request.page_size or None])

    async def DeleteTask(self, request, context):
        """Under its etag."""
        task = self.tasks[request.name]
        if request.etag and request.etag != task.etag:
            raise Aborted(f"{task.name} changed meanwhile", task=task.name)
        del self.tasks[request.name]
        return empty_pb2.Empty()

    async def LinkContactSheet(self, request, context):
        """Tells whose was asked for."""
        return task_service_pb2.LinkContactSheetResponse(url=f"http://s3.test/{request.name}")

    async def WatchLoss(self, request, context):
        """Every point from the cursor on, two at a time."""
        if request.name not in self.tasks:
            raise NotFound(f"there is no {request.name}")
        self.watching.set()
        self.watches_begun += 1
        self.watches_open += 1
        position = int(request.cursor.partition(":")[2] or 0)
        left = self.messages_until_gone
        try:
            while True:
                async with self.changed:
                    while not (position < len(self.losses) or self.done or self.deleted_while_watched):
                        await self.changed.wait()
                if self.deleted_while_watched:
                    raise NotFound(f"{request.name} was deleted")
                if position >= len(self.losses):
                    return
                if left == 0:
                    raise Unavailable("the scheduler goes away")
                points = self.losses[position : position + 2]
                yield task_service_pb2.WatchLossResponse(
                    first_iteration=position, losses=points, cursor=f"1:{position + len(points)}", attempt=1
                )
                self.sent += 1
                position += len(points)
                left = None if left is None else left - 1
        finally:
            self.watches_open -= 1
            self.watch_ended.set()

    async def ReadLog(self, request, context):
        """Lines without end if followed, else a thousand."""
        self.watching.set()
        line = 0
        try:
            while request.follow or line < 1000:
                yield task_service_pb2.ReadLogResponse(
                    lines=[f"{line + n} " + "x" * (1000 if request.follow else 1) for n in range(100)],
                    cursor=str(line + 100),
                )
                self.sent += 1
                line += 100
        finally:
            self.watch_ended.set()

    async def feed(self, *losses: float, done: bool = False) -> None:
        """Add points to the curve."""
        async with self.changed:
            self.losses.extend(losses)
            self.done = self.done or done
            self.changed.notify_all()

    async def delete_while_watched(self) -> None:
        """End every watch with NOT_FOUND."""
        async with self.changed:
            self.deleted_while_watched = True
            self.changed.notify_all()


class Datasets(dataset_service_pb2_grpc.DatasetServiceServicer):
    """Links to samples."""

    async def LinkSample(self, request, context):
        """Tells what was asked for."""
        mask = "?mask" if request.mask else ""
        return dataset_service_pb2.LinkSampleResponse(
            url=f"http://s3.test/{request.parent}/{request.file}{mask}"
        )


class Identity(identity_service_pb2_grpc.IdentityServiceServicer):
    """Says who calls."""

    async def WhoAmI(self, request, context):
        """The caller."""
        caller = current_principal()
        return identity_pb2.Principal(name=caller.name, role=int(caller.role))


@dataclass
class Installation:
    """What a test talks to and looks at."""

    http: httpx.AsyncClient
    port: int
    tasks: Tasks
    streams: Streams
    server: HttpServer
    backend: GrpcServer
    verifier: Verifier
    as_engineer: dict[str, str] = field(default_factory=lambda: {"Authorization": "Bearer engineer-token"})
    as_viewer: dict[str, str] = field(default_factory=lambda: {"Authorization": "Bearer viewer-token"})


Install = Callable[[StreamLimits], AbstractAsyncContextManager[Installation]]


@contextlib.asynccontextmanager
async def installation(
    limits: StreamLimits,
    tls: TlsSettings = TlsSettings(),  # noqa: B008 -- frozen
    http_settings: HttpSettings = HttpSettings(),  # noqa: B008 -- frozen
) -> AsyncIterator[Installation]:
    """Gateway and backend, with mutual TLS between them or none; one gRPC server for all three services."""
    tasks, verifier = Tasks(), Verifier()
    services = [
        Service(
            tasks,
            task_service_pb2_grpc.add_TaskServiceServicer_to_server,
            task_service_pb2.DESCRIPTOR.services_by_name["TaskService"],
        ),
        Service(
            Datasets(),
            dataset_service_pb2_grpc.add_DatasetServiceServicer_to_server,
            dataset_service_pb2.DESCRIPTOR.services_by_name["DatasetService"],
        ),
        Service(
            Identity(),
            identity_service_pb2_grpc.add_IdentityServiceServicer_to_server,
            identity_service_pb2.DESCRIPTOR.services_by_name["IdentityService"],
        ),
    ]
    async with contextlib.AsyncExitStack() as stack:
        backend = GrpcServer(
            services,
            verifier=verifier,
            address="127.0.0.1:0",
            credentials=tls.server_credentials(),
        )
        await stack.enter_async_context(backend)
        names = ("registry", "scheduler", "evaluator")
        channels = {
            name: await stack.enter_async_context(
                connect(f"127.0.0.1:{backend.port}", credentials=tls.channel_credentials(), retries=False)
            )
            for name in names
        }
        streams = Streams(limits)
        # Longer than any test waits: a server that waits for its streams would be seen.
        server = HttpServer(
            create_app(Backends(channels, 10.0), streams, http=http_settings),
            streams,
            "127.0.0.1:0",
            http=http_settings,
            grace_s=60.0,
        )
        await stack.enter_async_context(server)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=60.0)
        )
        yield Installation(http, server.port, tasks, streams, server, backend, verifier)
