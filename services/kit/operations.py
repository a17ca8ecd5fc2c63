"""What monitoring asks a process: `/livez`, `/readyz` and `/metrics`, over HTTP on a port of its own.

- `/livez` answers 200 while the process's event loop turns. It depends on nothing else: a restart would mend
  nothing that is away.
- `/readyz` answers 200 while everything that the process needs works, else 503; the body names each.
- `/metrics` has the values of `services.kit.metrics`, as OpenMetrics or Prometheus' text.

Plain HTTP without tokens, because probes and scrapers have none: the port belongs into the network of the
operators. No name of a user, a task or a file is told there.
"""

import asyncio
import contextlib
import logging
import shutil
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

from cryptography import x509
from loupe.errors import LoupeError
from loupe.rpc.tls import TlsSettings
from loupe.settings import setting
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.kit import metrics, tasks
from services.kit.about import VERSION
from services.kit.clock import SystemClock
from services.kit.http_serving import ServingApp, address_of
from services.kit.metrics import Gauge, Histogram, Reading
from services.kit.readiness import READY, Readiness

_log = logging.getLogger(__name__)

Sampler = Callable[[], Awaitable[Mapping[Gauge, Sequence[Reading]]]]
"""Asks others for the values of some gauges, such as a database for the length of a queue."""

_SAMPLING_S = 5.0
_LAG_PAUSE_S = 0.5

_BUILD = Gauge("loupe_build_info", "1", "The process and its version, as labels", "process", "version")
_READY = Gauge("loupe_ready", "0 or 1", "Whether what the process needs works, as /readyz tells", "needs")
_LAG = Histogram(
    "loupe_event_loop_lag_seconds", "seconds", "How much later than asked for the event loop woke a task"
)
_FREE = Gauge("loupe_disk_free_bytes", "bytes", "Free on the disk of a folder of the process", "folder")
_SIZE = Gauge("loupe_disk_size_bytes", "bytes", "Size of the disk of a folder of the process", "folder")
_EXPIRY = Gauge(
    "loupe_certificate_expiry_timestamp_seconds",
    "seconds since 1970",
    "When a certificate that the process shows expires; `tls` to other processes, `https` to browsers",
    "certificate",
)
_SAMPLED = Gauge(
    "loupe_samples_fresh", "0 or 1", "Whether the values that are asked of others could be asked", "of"
)


@dataclass(frozen=True, kw_only=True)
class OperationsSettings:
    """Where a process answers probes and monitoring systems."""

    listen: str = setting(
        "LOUPE_OPERATIONS_LISTEN",
        default="",
        doc="host:port of /livez, /readyz and /metrics, over plain HTTP without tokens: for the operators' "
        "network; port 0: any; empty: none",
    )

    def __post_init__(self) -> None:
        if self.listen:
            try:
                address_of(self.listen)
            except ValueError as error:
                raise ValueError(f"LOUPE_OPERATIONS_LISTEN {error}") from None


class Disk(NamedTuple):
    """Bytes of a file system: all, and what is free."""

    total: int
    free: int


class Operations:
    """The readiness of a process, and its listener. Enter it first: a process that starts answers, too."""

    def __init__(self, settings: OperationsSettings, process: str, tls: TlsSettings) -> None:
        """`process` names the kind of process; `tls` is what it shows others."""
        self.readiness = Readiness()
        self.port = 0
        self._start_time = SystemClock().now()
        self._listen = settings.listen
        self._resources = contextlib.AsyncExitStack()
        self._samplers: dict[str, Sampler] = {}
        self._sampled: dict[str, Mapping[Gauge, Sequence[Reading]]] = {}
        self._fresh: dict[str, bool] = {}
        self._folders: dict[str, Path] = {}
        self._certificates: dict[str, Path] = {}
        self._sampling: asyncio.Task[None] | None = None
        self._gauge(_BUILD, lambda: [(1, {"process": process, "version": VERSION})])
        self._gauge(_READY, self._readiness)
        self._gauge(_FREE, lambda: [(disk.free, {"folder": name}) for name, disk in self.disks().items()])
        self._gauge(_SIZE, lambda: [(disk.total, {"folder": name}) for name, disk in self.disks().items()])
        self._gauge(_EXPIRY, self._expiries)
        self._gauge(_SAMPLED, lambda: [(float(fresh), {"of": name}) for name, fresh in self._fresh.items()])
        self.watch_certificate("tls", tls.certificate)

    def sample(self, name: str, gauges: Iterable[Gauge], sampler: Sampler) -> None:
        """Tell what `sampler` says of these gauges; nothing of them while it fails."""
        self._samplers[name] = sampler
        for gauge in gauges:
            self._gauge(gauge, partial(self._last, name, gauge))

    def watch_folder(self, name: str, path: Path | None) -> None:
        """Tell how much is free where the folder, or its first parent that exists, is; None: nothing."""
        if path is not None:
            self._folders[name] = path

    def watch_certificate(self, name: str, path: str) -> None:
        """Tell when the certificate of a PEM file, its first, expires; nothing for an empty path."""
        if path:
            self._certificates[name] = Path(path)

    def disks(self) -> dict[str, Disk]:
        """The disks of the watched folders that can be asked now, by the folders' names."""
        found = {}
        for name, path in self._folders.items():
            there = next((place for place in (path, *path.absolute().parents) if place.exists()), None)
            if there is not None:
                with contextlib.suppress(OSError):
                    usage = shutil.disk_usage(there)
                    found[name] = Disk(usage.total, usage.free)
        return found

    def certificates(self) -> dict[str, datetime]:
        """When the certificates that the process shows expire, by their names; of those that can be read."""
        found = {}
        for name, path in self._certificates.items():
            # Each time: the file may have been renewed.
            with contextlib.suppress(OSError, ValueError):
                found[name] = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        return found

    def about(self) -> dict[str, object]:
        """When the process started, and when what it shows expires; as JSON."""
        expiries = {name: _zulu(expiry) for name, expiry in self.certificates().items()}
        return {"startTime": _zulu(self._start_time), "certificates": expiries}

    def _last(self, name: str, gauge: Gauge) -> Sequence[Reading]:
        return self._sampled.get(name, {}).get(gauge, ())

    def _gauge(self, gauge: Gauge, reader: Callable[[], Iterable[Reading]]) -> None:
        self._resources.enter_context(gauge.read_by(reader))

    def _expiries(self) -> list[Reading]:
        return [(time.timestamp(), {"certificate": name}) for name, time in self.certificates().items()]

    def _readiness(self) -> list[Reading]:
        return [(float(state == READY), {"needs": name}) for name, state in self.readiness.states.items()]

    async def __aenter__(self) -> Self:
        looking = asyncio.create_task(self.readiness.run(), name="readiness")
        self._resources.push_async_callback(tasks.end, looking)
        if self._listen:
            await self._serve()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.readiness.end()
        await self._resources.aclose()

    async def _serve(self) -> None:
        metrics.record()
        lag = asyncio.create_task(_measure_lag(), name="event loop lag")
        self._resources.push_async_callback(tasks.end, lag)
        family, host, port = address_of(self._listen)
        listener = socket.create_server((host, port), family=family)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        serving = ServingApp(
            Starlette(
                routes=[
                    Route("/livez", self._livez),
                    Route("/readyz", self._readyz),
                    Route("/metrics", self._metrics),
                ]
            ),
            http="h11",
            timeout_graceful_shutdown=1,
        )
        await serving.start(listener)
        self._resources.push_async_callback(serving.stop)
        _log.info("answering probes", extra={"address": self._listen, "port": self.port})

    async def _livez(self, _: Request) -> Response:
        return JSONResponse({"status": "LIVE", "version": VERSION})

    async def _readyz(self, _: Request) -> Response:
        ready = self.readiness.ready
        return JSONResponse(
            {
                "status": "READY" if ready else "NOT_READY",
                "version": VERSION,
                "needs": dict(self.readiness.states),
            },
            status_code=200 if ready else 503,
        )

    async def _metrics(self, request: Request) -> Response:
        # However many ask at once, others are asked once.
        if self._sampling is None or self._sampling.done():
            self._sampling = asyncio.create_task(self._sample_all(), name="samples")
        await asyncio.shield(self._sampling)
        text, media_type = metrics.exposed(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

    async def _sample_all(self) -> None:
        await asyncio.gather(*(self._sample(name, sampler) for name, sampler in self._samplers.items()))

    async def _sample(self, name: str, sampler: Sampler) -> None:
        self._sampled[name], self._fresh[name] = {}, False
        try:
            async with asyncio.timeout(_SAMPLING_S):
                self._sampled[name] = await sampler()
            self._fresh[name] = True
        except (LoupeError, TimeoutError, OSError) as error:
            _log.info("not sampled", extra={"of": name, "error": repr(error)})
        except Exception:  # noqa: BLE001 -- the boundary: the other values are told all the same
            _log.exception("not sampled", extra={"of": name})


def _zulu(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


async def _measure_lag() -> None:
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + _LAG_PAUSE_S
        await asyncio.sleep(_LAG_PAUSE_S)
        _LAG.record(max(0.0, loop.time() - due_s))
