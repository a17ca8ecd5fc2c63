"""Logs and traces: JSON lines on stderr with trace ids, OpenTelemetry spans, and trace context in headers.

Spans always exist, so that log lines of several services can be joined by trace id; they are exported over
OTLP only if OTEL_EXPORTER_OTLP_ENDPOINT is set. SQL spans cost time on every statement, so they exist only
then.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NOISY = ("nats", "urllib3", "alembic", "asyncio", "grpc")

_configured: TracerProvider | None = None


class JsonFormatter(logging.Formatter):
    """One JSON object a record: ts, level, logger, message, service, trace ids, and the extras."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "service": self._service,
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
            line["span_id"] = trace.format_span_id(span.span_id)
        line.update({name: value for name, value in vars(record).items() if name not in _STANDARD})
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(service: str, log_level: str = "INFO", environ: Mapping[str, str] = os.environ) -> None:
    """Set up logging and tracing for this process; once, in `__main__`, before anything logs."""
    global _configured  # noqa: PLW0603 -- logging and tracing are global, as in their libraries
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log_level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    if _configured is not None:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        # Imported here: the exporter and the instrumentation take 0.2 s to import, which most processes save.
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        instrumentor = AsyncPGInstrumentor()  # type: ignore[no-untyped-call]
        instrumentor.instrument(tracer_provider=provider)
    trace.set_tracer_provider(provider)
    _configured = provider


def shutdown() -> None:
    """Export what is still in memory; a process calls it last."""
    if _configured is not None:
        _configured.shutdown()


def tracer(name: str) -> trace.Tracer:
    """The tracer of a module."""
    return trace.get_tracer(name)


def inject(headers: MutableMapping[str, str]) -> None:
    """Write the current trace context into message headers."""
    propagate.inject(headers)


def extract(headers: Mapping[str, str]) -> Context:
    """The trace context that message headers carry; give it to a span as its parent."""
    # Header names are case-insensitive on some transports and canonicalised on others.
    return propagate.extract({name.lower(): value for name, value in headers.items()})
