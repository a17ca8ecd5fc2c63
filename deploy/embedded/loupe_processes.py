"""Loupe's own processes on top of the three servers: their names, dependencies and settings."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.embedded.ports import HOST, SERVICE_PORTS
from deploy.embedded.process import Launch, ProcessSpec
from deploy.embedded.readiness import answers_http, serves_grpc
from deploy.embedded.servers import Plan
from deploy.embedded.settings import Durability
from services.kit import machine

# Variables that the stack sets for each process; values in the user's shell are not passed on.
_SET_BY_STACK = (
    *(
        "LOUPE_DATABASE_URL",
        "LOUPE_NATS_",
        "LOUPE_STREAM_REPLICAS",
        "LOUPE_S3_",
        "LOUPE_SERVICE_TOKEN",
        "LOUPE_BOOTSTRAP_ADMIN_TOKEN",
    ),
    # The processes talk to each other on loopback only, without TLS.
    *("LOUPE_TLS_", "LOUPE_HTTPS_"),
    *("LOUPE_TOKEN", "LOUPE_LISTEN", "LOUPE_WORKER", "LOUPE_CACHE_DIR"),
    *(f"LOUPE_{service.upper()}_ADDRESS" for service in SERVICE_PORTS),
)
_SERVERS = ("postgres", "nats", "seaweed")


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The number of workers of each kind."""

    trainers: int = 1
    evaluators: int = 1


def loupe_processes(plan: Plan, *, workers: Workers) -> Sequence[ProcessSpec]:
    """Registry, then scheduler and evaluator, then gateway and workers."""
    settings = _settings(plan)
    database = {"LOUPE_DATABASE_URL": plan.postgres.url}
    bootstrap = {"LOUPE_BOOTSTRAP_ADMIN_TOKEN": plan.credentials.admin_token}
    cores = ("registry", "scheduler", "evaluator")
    return (
        _server(plan, "registry", after=_SERVERS, settings={**settings, **database, **bootstrap}),
        _server(plan, "scheduler", after=("registry",), settings={**settings, **database}),
        _server(plan, "evaluator", after=("registry",), settings={**settings, **database}),
        _gateway(plan, after=cores, settings=settings),
        *(
            _worker(plan, f"trainer-{number}", "services.trainer", after=cores, settings=settings)
            for number in range(1, workers.trainers + 1)
        ),
        *(
            _worker(
                plan,
                f"evaluator-worker-{number}",
                "services.evaluator.worker",
                after=cores,
                settings=settings,
            )
            for number in range(1, workers.evaluators + 1)
        ),
    )


def _settings(plan: Plan) -> dict[str, str]:
    """Settings of every process."""
    ports = plan.ports
    flushed = {
        "LOUPE_S3_UNFLUSHED_FOLDER": str(plan.seaweed.folder),
        "LOUPE_NATS_UNFLUSHED_FOLDER": str(plan.nats.folder),
    }
    return {
        **(flushed if plan.durability is Durability.POWER else {}),
        "LOUPE_NATS_URL": plan.nats.url,
        **plan.seaweed.settings.environment(),
        "LOUPE_SERVICE_TOKEN": plan.credentials.service_token,
        "LOUPE_REGISTRY_ADDRESS": f"{HOST}:{ports['registry']}",
        "LOUPE_SCHEDULER_ADDRESS": f"{HOST}:{ports['scheduler']}",
        "LOUPE_EVALUATOR_ADDRESS": f"{HOST}:{ports['evaluator']}",
        "LOUPE_GATEWAY_ADDRESS": f"{HOST}:{ports['gateway']}",
    }


def _server(plan: Plan, name: str, *, after: tuple[str, ...], settings: Mapping[str, str]) -> ProcessSpec:
    port = plan.ports[name]
    address = f"{HOST}:{port}"
    return ProcessSpec(
        name=name,
        prepare=partial(
            _python,
            plan,
            f"services.{name}",
            # The gateway tells where its callers are; nobody else on this machine reaches many addresses.
            {**settings, "LOUPE_LISTEN": address, "LOUPE_TRUSTED_PROXIES": HOST},
        ),
        probe=partial(serves_grpc, HOST, port),
        address=address,
        after=after,
    )


def _gateway(plan: Plan, *, after: tuple[str, ...], settings: Mapping[str, str]) -> ProcessSpec:
    port = plan.ports["gateway"]
    address = f"{HOST}:{port}"
    return ProcessSpec(
        name="gateway",
        prepare=partial(_python, plan, "gateway", {**settings, "LOUPE_LISTEN": address}),
        probe=partial(answers_http, HOST, port, "/healthz"),
        address=address,
        after=after,
    )


def _worker(
    plan: Plan, name: str, module: str, *, after: tuple[str, ...], settings: Mapping[str, str]
) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        # One cache for all workers: its files are content-addressed.
        prepare=partial(
            _python,
            plan,
            module,
            {
                **settings,
                **_worker_capacity(),
                "LOUPE_WORKER": name,
                "LOUPE_CACHE_DIR": str(plan.folder.cache),
            },
        ),
        after=after,
        # Long enough for its child to write a checkpoint, and for that to be stored.
        stop_timeout_s=20.0,
    )


def _python(plan: Plan, module: str, settings: Mapping[str, str]) -> Launch:
    plan.folder.cache.mkdir(mode=0o700, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_SET_BY_STACK)}
    return Launch(
        command=(sys.executable, "-m", module),
        # The user's environment first: log level, lease, compute resource and OpenTelemetry are set there.
        environment={**inherited, **import_path(), "PYTHONUNBUFFERED": "1", **settings},
        working_directory=plan.folder.root,
    )


def _worker_capacity() -> dict[str, str]:
    """The capacity that a worker announces: at least what one task of a new installation's resource takes.

    On a smaller machine a training is then slow, instead of waiting for ever.
    """
    return {
        "LOUPE_CPUS": os.environ.get("LOUPE_CPUS") or str(max(2, machine.cpus())),
        "LOUPE_MEMORY_BYTES": os.environ.get("LOUPE_MEMORY_BYTES")
        or str(max(4 * 2**30, machine.memory_bytes())),
    }


def import_path() -> dict[str, str]:
    """PYTHONPATH with which a child process imports Loupe from a source tree that is not installed."""
    root = Path(__file__).resolve().parents[2]
    places = [root, root / "client", root / "protos" / "gen"]
    inherited = os.environ.get("PYTHONPATH")
    found = [str(place) for place in places if place.is_dir()] + ([inherited] if inherited else [])
    return {"PYTHONPATH": os.pathsep.join(found)}
