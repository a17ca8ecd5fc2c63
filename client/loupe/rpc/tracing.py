"""Spans of calls where OpenTelemetry is installed: with the servers, or the extra `loupe-client[tracing]`."""

try:
    from opentelemetry import propagate, trace
except ModuleNotFoundError:
    _tracer = None
else:
    _tracer = trace.get_tracer(__name__)


class CallSpan:
    """The span of one call; does nothing without OpenTelemetry."""

    def __init__(self, method: str) -> None:
        """`method` is a gRPC path, `/package.Service/Method`."""
        self._span = None
        if _tracer is not None:
            self._span = _tracer.start_span(
                method.removeprefix("/"),
                kind=trace.SpanKind.CLIENT,
                attributes={"rpc.system": "grpc"},
            )

    def headers(self) -> dict[str, str]:
        """The trace context for the call's metadata."""
        headers: dict[str, str] = {}
        if self._span is not None:
            propagate.inject(headers, trace.set_span_in_context(self._span))
        return headers

    def fail(self, status_code: int, reason: str) -> None:
        """Record how the call failed: the number of its gRPC status and the error's reason."""
        if self._span is not None and self._span.is_recording():
            self._span.set_attribute("rpc.grpc.status_code", status_code)
            self._span.set_status(trace.StatusCode.ERROR, reason)

    def end(self) -> None:
        """End the span; may be called twice."""
        if self._span is not None and self._span.is_recording():
            self._span.end()
