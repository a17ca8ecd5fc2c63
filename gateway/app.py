"""The application: every route of the contracts, its description, and the gateway's own few pages."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from typing import Any
from urllib.parse import parse_qsl

from google.protobuf.message import Message
from loupe.errors import Aborted, InvalidArgument, Violation
from loupe.rpc.authorization import AUTHORIZATION
from loupe.translation import sentence
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route as Page
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import pages
from gateway.backends import (
    Backends,
    MessageStream,
    Metadata,
    caller_metadata,
    origin_metadata,
    serves_any,
)
from gateway.callers import Callers
from gateway.contracts import CURSOR, EVERY_BACKEND, ApiOperation, ContractError, all_services, operations
from gateway.envelope import ROUTE, Envelope
from gateway.events import EventFraming, FileFraming, Framing, LogFraming, Streams
from gateway.feeds import Following
from gateway.json_mapping import render
from gateway.objects import Objects
from gateway.openapi import describe
from gateway.problems import (
    BodyTooLarge,
    BodyTooLate,
    MethodNotAllowed,
    UnknownRoute,
    UnsupportedMediaType,
    problem_response,
)
from gateway.routing import Form, Route, Router, routes_of
from gateway.sessions import ended_cookie, refuse_forged, session_cookie, session_of
from gateway.settings import HttpSettings
from gateway.static import Console
from gateway.templates import ONE
from gateway.transcoding import IF_MATCH, HttpRequest, transcode
from services.kit.about import VERSION
from services.kit.auth import Role
from services.kit.etag import EtagMismatch

MAX_BODY_BYTES = 1024 * 1024
# Larger messages take tens of milliseconds to render; a thread does it, so that other requests can go on.
_RENDER_IN_THREAD_BYTES = 64 * 1024
# How long it is taken for granted who has a token.
_CACHED_S = 10.0
# Shorter than the life of a presigned link, so that a cached redirect never leads to an expired one.
_LINK_CACHE_S = 60


def create_app(  # noqa: PLR0913, PLR0917 -- what a gateway is made of
    backends: Backends,
    streams: Streams,
    console: Console | None = None,
    http: HttpSettings = HttpSettings(),  # noqa: B008 -- frozen
    objects: Objects | None = None,
    about: Callable[[], Mapping[str, object]] = dict,
) -> ASGIApp:
    """The whole application; ContractError if an operation's service is not among the backends.

    `about`: what /readyz tells of the process besides, as JSON.
    """
    console = console or Console()
    served = tuple(operations(all_services()))
    routes = routes_of(served)
    unserved = sorted({route.operation.backend for route in routes} - {*backends.names, EVERY_BACKEND})
    if unserved:
        raise ContractError(f"the contracts have operations of {', '.join(unserved)}, which has no address")
    own_pages = _own_pages(backends, console, describe(routes), about)
    transcoder = Transcoder(
        Router(routes),
        backends,
        streams,
        Callers(backends, served, cached_s=min(_CACHED_S, streams.check_s)),
        http.body_deadline_s,
    )

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        # Outside of Starlette: its error middleware would answer before the envelope does.
        path = scope["path"] if scope["type"] == "http" else ""
        if path.startswith("/v1/"):
            await transcoder(scope, receive, send)
            return
        if scope["type"] == "http":
            scope[ROUTE] = "pages"
        pages = objects if objects is not None and objects.has(path) else own_pages
        await pages(scope, receive, send)

    return Envelope(dispatch)


def _own_pages(
    backends: Backends,
    console: Console,
    document: dict[str, Any],
    about: Callable[[], Mapping[str, object]],
) -> Starlette:
    """Everything that is not an operation: health, the description of the operations, and the console."""
    openapi = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "SERVING"})

    async def readyz(_: Request) -> Response:
        states = await backends.health()
        # A gateway that is taken away with one service would take the others away, too.
        ready = serves_any(states)
        return JSONResponse(
            {
                "status": "SERVING" if ready else "NOT_SERVING",
                "version": VERSION,
                **about(),
                "backends": dict(states),
            },
            status_code=200 if ready else 503,
        )

    async def specification(_: Request) -> Response:
        return Response(openapi, media_type="application/json", headers={"Cache-Control": "no-cache"})

    return Starlette(
        routes=[
            Page("/docs", pages.serve(pages.reference(document))),
            Page("/openapi.json", specification),
            Page("/healthz", healthz),
            Page("/readyz", readyz),
            Page("/{path:path}", console.answer, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _no_such_page},
    )


class Transcoder:
    """Serves the routes of the contracts."""

    def __init__(
        self,
        router: Router,
        backends: Backends,
        streams: Streams,
        callers: Callers,
        body_deadline_s: float,
    ) -> None:
        self._router = router
        self._backends = backends
        self._streams = streams
        self._callers = callers
        self._body_deadline_s = body_deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; failures are raised as LoupeErrors."""
        raw_path = scope["raw_path"].decode("latin-1")
        route, bindings = self._router.find(scope["method"], raw_path)
        scope[ROUTE] = f"{route.http_method} {route.template.text}"
        trace.get_current_span().update_name(scope[ROUTE])
        request = Request(scope, receive)
        headers = _headers(request)
        operation = route.operation
        metadata = _metadata(operation, headers, request)
        message = transcode(
            operation,
            HttpRequest(
                bindings,
                _query(scope["query_string"]),
                await _body(request, headers, self._body_deadline_s) if operation.body else b"",
                headers,
            ),
        )
        if operation.streaming:
            caller = await self._callers.of(metadata, _client(request), operation.role)
            await self._streams.serve(
                lambda: self._backends.stream(operation, message, metadata),
                _framing(route, message, bindings),
                caller,
                scope=scope,
                receive=receive,
                send=send,
                following=self._following(route, message, metadata),
            )
            return
        try:
            answer = await self._backends.answer(operation, message, metadata)
        except Aborted as error:
            if IF_MATCH not in headers:
                raise
            raise EtagMismatch(error.message, reason=error.reason, **error.facts) from error
        response = await _response(route, answer, headers, secure=scope["scheme"] == "https")
        await response(scope, receive, send)

    def _following(self, route: Route, message: Any, metadata: Metadata) -> Following | None:  # noqa: ANN401 -- any message
        if not (route.form is Form.EVENTS and route.operation.shared_stream):
            return None
        present = type(message)()
        present.CopyFrom(message)

        def begin(cursor: str) -> MessageStream:
            present.cursor = cursor
            return self._backends.stream(route.operation, present, metadata)

        present.ClearField(CURSOR)
        key = route.operation.rpc.encode() + b"?" + present.SerializeToString(deterministic=True)
        return Following(key, begin)


async def _response(route: Route, answer: Any, headers: Mapping[str, str], *, secure: bool) -> Response:  # noqa: ANN401 -- any message
    match route.form:
        case Form.LINK:
            return RedirectResponse(
                answer.url, 302, headers={"Cache-Control": f"private, max-age={_LINK_CACHE_S}"}
            )
        case Form.LOG_IN:
            cookie = session_cookie(
                answer.secret, answer.principal.expire_time.ToDatetime(UTC), secure=secure
            )
            # Scripts, also those of our own pages, must not see the secret.
            answer.secret = ""
            own = {"Set-Cookie": cookie}
        case Form.LOG_OUT:
            own = {"Set-Cookie": ended_cookie(secure=secure)}
        case _:
            own = {}
    return await _json(route.operation, answer, headers, own)


def _client(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _metadata(operation: ApiOperation, headers: Mapping[str, str], request: Request) -> Metadata:
    client = _client(request)
    secure = request.url.scheme == "https"
    # Before a log-in too: its answer is where a person reads what to do about two of them.
    session = None if AUTHORIZATION in headers else session_of(headers, secure=secure)
    if operation.role is Role.ANYONE:
        # A page of another site must not log a user in under another account.
        refuse_forged(headers)
        return origin_metadata(client)
    if operation.http_method != "GET" and session is not None:
        refuse_forged(headers)
    return caller_metadata(headers, client, secure=secure)


async def _json(
    operation: ApiOperation,
    answer: Message,
    headers: Mapping[str, str],
    own: Mapping[str, str],
) -> Response:
    tag = getattr(answer, "etag", "")
    if tag:
        own = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
        known = {part.strip().removeprefix("W/") for part in headers.get("if-none-match", "").split(",")}
        if operation.http_method == "GET" and known & {own["ETag"], "*"}:
            return Response(status_code=304, headers=own)
    if answer.ByteSize() > _RENDER_IN_THREAD_BYTES:
        body = await asyncio.to_thread(render, answer)
    else:
        body = render(answer)
    return Response(body, media_type="application/json", headers=own)


def _framing(route: Route, message: Any, bindings: Mapping[str, str]) -> Framing:  # noqa: ANN401 -- any message
    match route.form:
        case Form.LOG_FILE:
            networks = message.DESCRIPTOR.fields_by_name["network"].enum_type.values_by_number
            network = networks[message.network].name.removeprefix("NETWORK_").lower()
            attempt = f"-attempt-{message.attempt}" if message.attempt else ""
            return LogFraming(f"{message.name.rpartition('/')[2]}-{network}{attempt}")
        case Form.FILE:
            # `reports/1/sampleResults`, downloaded: 1-sampleResults; `reports/1`, exported: reports-1.
            named = [name.rpartition("/")[2] for name in bindings.values()]
            *_, parent, last = route.template.segments
            return FileFraming("-".join([parent, *named] if last == ONE else [*named, last]))
        case _:
            return EventFraming()


def _headers(request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        # Repeated headers form a list (RFC 9110); headers that may not be repeated refuse a list.
        between = "; " if name == "cookie" else ", "
        found[name] = f"{found[name]}{between}{value}" if name in found else value
    return found


def _query(raw: bytes) -> list[tuple[str, str]]:
    """The query parameters; bytes that are not UTF-8 are surrogates, which transcoding refuses by name."""
    try:
        return parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=1000,
            separator="&",
        )
    except ValueError as error:
        raise InvalidArgument.of(
            Violation("", "MALFORMED_QUERY", sentence("the query cannot be read: {error}", error=error))
        ) from None


async def _body(request: Request, headers: Mapping[str, str], body_deadline_s: float) -> bytes:
    """The body, if it is JSON and not too long."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(body_deadline_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise BodyTooLate(f"the body did not arrive within {body_deadline_s:g} s") from None
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if body and media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(f"the body must be application/json, not {media_type}")
    return bytes(body)


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(
        f"the body is longer than {MAX_BODY_BYTES} bytes; image bytes go straight to object storage",
        max_bytes=MAX_BODY_BYTES,
    )


async def _no_such_page(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # pragma: no cover -- registered for this class
        raise error
    if error.status_code == 405:
        allowed: Iterable[str] = (error.headers or {}).get("Allow", "GET").split(", ")
        refusal = MethodNotAllowed(
            f"{request.url.path} does not answer {request.method}", tuple(sorted(allowed))
        )
        return problem_response(refusal)
    return problem_response(
        UnknownRoute(f"nothing answers at {request.url.path[:200]}; /docs lists what there is")
    )
