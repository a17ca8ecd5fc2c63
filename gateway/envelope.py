"""Wraps every request: a span, security headers, one log line, and errors as problem details."""

import logging
import secrets
import time
from collections.abc import Mapping

from loupe.errors import Internal, LoupeError
from opentelemetry import trace
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.problems import HeadTooLarge, MalformedRequest, UriTooLong, problem_response
from services.kit import telemetry
from services.kit.metrics import Counter, Histogram

ROUTE = "loupe.route"
"""Key of the scope: which of a few routes answers, for metrics."""
_NO_ROUTE = "none"

_REQUESTS = Counter(
    "loupe_http_requests_total",
    "requests",
    "Requests that ended, by route and status; `pages` are the console's, `none` asked for no route",
    "route",
    "status",
)
_DURATION = Histogram(
    "loupe_http_request_duration_seconds",
    "seconds",
    "How long requests took; a stream takes as long as it is read",
    "route",
)

MAX_URI_BYTES = 8 * 1024
MAX_HEAD_BYTES = 32 * 1024

_log = logging.getLogger(__name__)
_tracer = telemetry.tracer(__name__)

# Defaults: a response may set other values.
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Presigned links must not travel on in Referer.
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Envelope:
    """The outermost application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; other protocols are passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with _tracer.start_as_current_span(
            f"HTTP {scope['method']}",
            context=telemetry.extract(headers),
            kind=trace.SpanKind.SERVER,
            attributes={"http.request.method": scope["method"], "url.path": scope["path"]},
        ) as span:
            exchange = _Exchange(send)
            started_s = time.monotonic()
            try:
                await self._serve(scope, receive, exchange)
            finally:
                duration_s = time.monotonic() - started_s
                route = scope.get(ROUTE, _NO_ROUTE)
                _REQUESTS.add(route=route, status=str(exchange.status))
                _DURATION.record(duration_s, route=route)
                span.set_attribute("http.response.status_code", exchange.status)
                _log.info(
                    "request",
                    extra={
                        "method": scope["method"],
                        # Without the query, which may hold confidential names.
                        "path": scope["path"],
                        "status": exchange.status,
                        "duration_ms": round(duration_s * 1000, 2),
                        "client": scope["client"][0] if scope.get("client") else None,
                    },
                )

    async def _serve(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> None:
        try:
            _refuse_long(scope)
            _refuse_two_lengths(scope)
            await self._app(scope, receive, exchange.send)
        except LoupeError as error:
            if exchange.status:
                raise
            await problem_response(error)(scope, receive, exchange.send)
        except ClientDisconnect:
            # The client has closed the connection; 499 is what other servers log.
            exchange.status = 499
        except Exception as error:  # the boundary: what is no named error is a bug, logged here once
            incident = secrets.token_hex(6)
            _log.exception("an unforeseen failure", extra={"incident": incident})
            if exchange.status:
                raise
            failure = Internal(f"internal error; tell the operator incident {incident}", incident=incident)
            failure.__cause__ = error
            await problem_response(failure)(scope, receive, exchange.send)


def _refuse_long(scope: Scope) -> None:
    uri = len(scope["raw_path"]) + len(scope["query_string"])
    if uri > MAX_URI_BYTES:
        raise UriTooLong(
            f"path and query have {uri} bytes, more than {MAX_URI_BYTES}; leave out what is not needed",
            max_bytes=MAX_URI_BYTES,
        )
    head = uri + sum(len(name) + len(value) for name, value in scope["headers"])
    if head > MAX_HEAD_BYTES:
        raise HeadTooLarge(
            f"the head of the request has {head} bytes, more than {MAX_HEAD_BYTES}; send fewer headers",
            max_bytes=MAX_HEAD_BYTES,
        )


def _refuse_two_lengths(scope: Scope) -> None:
    """Refuse a body of two lengths: a proxy may go by the other, and take what follows for a request."""
    if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
        raise MalformedRequest("the request has Content-Length and Transfer-Encoding; send one of them")


class _Exchange:
    """The response of one request, as far as it was sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        # 0 until the head was sent.
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            for name, value in SECURITY_HEADERS.items():
                raw = name.lower().encode()
                if raw not in present:
                    headers.append((raw, value.encode()))
            message = {**message, "headers": headers}
        await self._send(message)
