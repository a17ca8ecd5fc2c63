"""What a process counts and measures, for monitoring: every metric is declared once, with its meaning.

::

    PUBLISHED = Counter("loupe_outbox_published_total", "messages", "Messages that a stream stored", "schema")
    PUBLISHED.add(3, schema="registry")

    WAITING = Gauge("loupe_outbox_waiting", "messages", "Messages that are not published yet", "schema")
    with WAITING.read_by(lambda: [(waiting, {"schema": "registry"})]): ...

The declarations are the catalogue: docs/operating/metrics.md is generated from it, and dashboards and alerts
may name nothing else. Values are recorded through OpenTelemetry; they cost next to nothing in a process that
does not expose them. Labels have few values: never a user, a task or a path.
"""

import enum
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry import metrics as otel

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

Reading = tuple[float, Mapping[str, str]]
"""A value and its labels."""

SECONDS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Bounds of histograms of times."""


class Kind(enum.StrEnum):
    """How a metric's values are to be read."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Description:
    """A metric as its readers know it."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    labels: tuple[str, ...]
    module: str
    """Which declares it."""


catalogue: dict[str, Description] = {}
"""Every metric of the modules that are imported."""

_meter = otel.get_meter("loupe")


def _declare(name: str, kind: Kind, unit: str, meaning: str, labels: tuple[str, ...]) -> None:
    if name in catalogue:
        raise ValueError(f"the metric {name} is declared twice")
    # This function, the constructor, the module.
    module = str(sys._getframe(2).f_globals["__name__"])  # noqa: SLF001 -- as logging finds its callers
    catalogue[name] = Description(name, kind, unit, meaning, labels, module)


class Counter:
    """A number that only grows, from 0 at the start of the process."""

    def __init__(self, name: str, unit: str, meaning: str, *labels: str) -> None:
        _declare(name, Kind.COUNTER, unit, meaning, labels)
        self._counter = _meter.create_counter(name.removesuffix("_total"), description=meaning)

    def add(self, amount: float = 1, **labels: str) -> None:
        """Count `amount` more."""
        self._counter.add(amount, labels)


class Histogram:
    """How often a value fell below each of some bounds; its count and sum give rate and mean."""

    def __init__(
        self, name: str, unit: str, meaning: str, *labels: str, bounds: tuple[float, ...] = SECONDS
    ) -> None:
        _declare(name, Kind.HISTOGRAM, unit, meaning, labels)
        self._histogram = _meter.create_histogram(
            name, description=meaning, explicit_bucket_boundaries_advisory=bounds
        )

    def record(self, value: float, **labels: str) -> None:
        """Take one value down."""
        self._histogram.record(value, labels)


class Gauge:
    """A value that is read when somebody asks for it."""

    def __init__(self, name: str, unit: str, meaning: str, *labels: str) -> None:
        _declare(name, Kind.GAUGE, unit, meaning, labels)
        self._readers: list[Callable[[], Iterable[Reading]]] = []
        _meter.create_observable_gauge(name, callbacks=[self._observe], description=meaning)

    @contextmanager
    def read_by(self, reader: Callable[[], Iterable[Reading]]) -> Iterator[None]:
        """Ask `reader` for values within the block. It may not block."""
        self._readers.append(reader)
        try:
            yield
        finally:
            self._readers.remove(reader)

    def _observe(self, _: otel.CallbackOptions) -> Iterator[otel.Observation]:
        for reader in self._readers:
            for value, labels in reader():
                yield otel.Observation(value, labels)


@functools.cache
def _registry() -> "CollectorRegistry":
    # Imported here: a process that exposes nothing saves the time.
    from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415

    registry = CollectorRegistry()
    reader = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=registry)
    otel.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
    ProcessCollector(registry=registry)  # process_cpu_seconds_total, process_resident_memory_bytes …
    return registry


def record() -> None:
    """Begin to keep what is recorded: for a process that will expose it."""
    _registry()


def exposed(accept: str) -> tuple[bytes, str]:
    """All values now, as OpenMetrics or Prometheus' own text, whichever `accept` asks for; its media type."""
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415

    encode, media_type = choose_encoder(accept)
    return encode(_registry()), media_type
