import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from services.kit import telemetry
from services.kit.telemetry import JsonFormatter

TRACER = TracerProvider().get_tracer("test")


def logged(write: Callable[[logging.Logger], None]) -> dict[str, object]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("kit"))
    logger = logging.Logger("some.module")  # noqa: LOG001 -- one that no other test sees
    logger.addHandler(handler)
    write(logger)
    (line,) = stream.getvalue().splitlines()
    return json.loads(line)


def test_a_log_line_carries_the_trace_and_the_extras() -> None:
    """The way from a user's complaint to the line that explains it is the trace id."""
    with TRACER.start_as_current_span("work") as span:
        line = logged(lambda log: log.info("did %s", "it", extra={"lease_s": 10, "where": object}))
    assert line["trace_id"] == trace.format_trace_id(span.get_span_context().trace_id)
    assert line["span_id"] == trace.format_span_id(span.get_span_context().span_id)
    assert (line["message"], line["level"], line["logger"], line["service"], line["lease_s"]) == (
        "did it",
        "INFO",
        "some.module",
        "kit",
        10,
    )


def test_an_exception_stays_one_line() -> None:
    """A line is a record: a traceback over many lines is many broken records to whoever collects them."""

    def fail(log: logging.Logger) -> None:
        try:
            raise ValueError("no\nway")  # noqa: TRY301 -- a traceback is what is wanted
        except ValueError:
            log.exception("failed")

    assert "ValueError: no\nway" in str(logged(fail)["exception"])


def test_a_trace_survives_message_headers() -> None:
    """What a message causes is part of what caused the message; NATS may change the case of names."""
    headers: dict[str, str] = {"Message-Type": "x"}
    with TRACER.start_as_current_span("publish") as span:
        telemetry.inject(headers)
    parent = telemetry.extract({name.title(): value for name, value in headers.items()})
    assert trace.get_current_span(parent).get_span_context().trace_id == span.get_span_context().trace_id


def test_configure_logs_json_on_stderr_and_needs_no_collector() -> None:
    """Without OTEL_EXPORTER_OTLP_ENDPOINT nothing is exported, and nothing complains about it."""
    program = (
        "import logging; from services.kit import telemetry\n"
        "telemetry.configure('registry', 'info', {})\n"
        "with telemetry.tracer('x').start_as_current_span('y'): logging.getLogger('z').info('hello')\n"
        "telemetry.shutdown()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    line = json.loads(done.stderr)
    assert (line["service"], line["message"]) == ("registry", "hello")
    assert len(line["trace_id"]) == 32
