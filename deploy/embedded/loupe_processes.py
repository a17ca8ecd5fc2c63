"""Loupe's own processes on top of the three servers: their names, dependencies and settings."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from deploy.embedded import signing_keys
from deploy.embedded.nats import EVENT_RIGHTS
from deploy.embedded.ports import HOST, PUBLIC_PORTS, SERVICE_PORTS
from deploy.embedded.process import Launch, ProcessSpec
from deploy.embedded.readiness import answers_http, serves_grpc
from deploy.embedded.servers import Plan
from deploy.embedded.settings import Durability
from deploy.embedded.workers import Workers
from services.kit import machine

# Variables that the stack sets for each process; values in the user's shell are not passed on.
_SET_BY_STACK = (
    *(
        "LOUPE_DATABASE_URL",
        "LOUPE_NATS_",
        "LOUPE_STREAM_REPLICAS",
        "LOUPE_S3_",
        "LOUPE_GATEWAY_OBJECTS",
        # Both the folder, and the one token that was before it.
        "LOUPE_SERVICE_TOKEN",
        "LOUPE_BOOTSTRAP_ADMIN_TOKEN",
    ),
    # The processes talk to each other on loopback only, without TLS.
    *("LOUPE_TLS_", "LOUPE_HTTPS_", "LOUPE_PUBLIC_", "LOUPE_GATEWAY_PUBLIC_URL"),
    *("LOUPE_SIGNING_", "LOUPE_WATCHED_FOLDER", "LOUPE_BACKUP_RECORD", "LOUPE_OPERATIONS_"),
    *("LOUPE_TOKEN", "LOUPE_LISTEN", "LOUPE_WORKER", "LOUPE_CACHE_DIR"),
    *(f"LOUPE_{service.upper()}_ADDRESS" for service in SERVICE_PORTS),
)
_SERVERS = ("postgres", "nats", "seaweed")


def loupe_processes(plan: Plan, *, workers: Workers) -> Sequence[ProcessSpec]:
    """Registry, then scheduler and evaluator, then gateway and workers."""
    settings = _settings(plan)

    def stores(name: str) -> dict[str, str]:
        return {
            **settings,
            "LOUPE_DATABASE_URL": plan.postgres.url,
            **_objects(plan, name),
            **_events(plan, name),
        }

    bootstrap = {"LOUPE_BOOTSTRAP_ADMIN_TOKEN": plan.credentials.admin_token}
    # Only those who write packages get the key, as the path of a file that is their owner's.
    keys = signing_keys.load_or_create(plan.folder.root / "signing")
    public = {"LOUPE_SIGNING_PUBLIC_KEYS": str(keys.public)}
    private = {"LOUPE_SIGNING_KEY": str(keys.private)}
    backup = {"LOUPE_BACKUP_RECORD": str(plan.folder.last_backup)}
    cores = ("registry", "scheduler", "evaluator")
    return (
        replace(
            _server(
                plan,
                "registry",
                after=_SERVERS,
                settings={**stores("registry"), **bootstrap, **public, **backup},
            ),
            # It starts before all others that change tables.
            before_start=partial(_dump, plan),
        ),
        _server(
            plan,
            "scheduler",
            after=("registry",),
            settings={**stores("scheduler"), "LOUPE_WATCHED_FOLDER": str(plan.folder.root)},
        ),
        _server(plan, "evaluator", after=("registry",), settings=stores("evaluator")),
        _gateway(plan, after=cores),
        *(
            _worker(
                plan,
                name,
                "services.trainer",
                after=cores,
                settings={**settings, **_objects(plan, "trainer")},
            )
            for name in _trainers(workers)
        ),
        *(
            _worker(
                plan,
                name,
                "services.evaluator.worker",
                after=cores,
                settings={**settings, **_objects(plan, "evaluator-worker"), **private},
            )
            for name in _evaluators(workers)
        ),
    )


def monitoring_ports(workers: Workers) -> tuple[str, ...]:
    """The names of the ports at which the processes answer probes and tell their metrics."""
    processes = (*SERVICE_PORTS, *_trainers(workers), *_evaluators(workers))
    return tuple(_monitoring_port(process) for process in processes)


def worker_names(workers: Workers) -> tuple[str, ...]:
    """The processes of the workers."""
    return (*_trainers(workers), *_evaluators(workers))


def _trainers(workers: Workers) -> list[str]:
    return [f"trainer-{number}" for number in range(1, workers.trainers + 1)]


def _evaluators(workers: Workers) -> list[str]:
    return [f"evaluator-worker-{number}" for number in range(1, workers.evaluators + 1)]


def _monitoring_port(process: str) -> str:
    return f"{process}-monitoring"


def _monitored(plan: Plan, process: str) -> str | None:
    """Where the process answers; None in a stack that has no port for it."""
    port = plan.ports.get(_monitoring_port(process))
    return None if port is None else f"{HOST}:{port}"


def _addresses(plan: Plan) -> dict[str, str]:
    """Where the servers are: all that the gateway is told."""
    return {f"LOUPE_{name.upper()}_ADDRESS": f"{HOST}:{plan.ports[name]}" for name in SERVICE_PORTS}


def _settings(plan: Plan) -> dict[str, str]:
    """Settings of every server and worker."""
    flushed = {
        "LOUPE_S3_UNFLUSHED_FOLDER": str(plan.seaweed.folder),
        "LOUPE_NATS_UNFLUSHED_FOLDER": str(plan.nats.folder),
    }
    return {
        **(flushed if plan.durability is Durability.POWER else {}),
        "LOUPE_SERVICE_TOKENS_DIR": str(plan.folder.service_tokens),
        **_addresses(plan),
    }


def _objects(plan: Plan, process: str) -> dict[str, str]:
    return plan.seaweed.settings_of(process).environment()


def _events(plan: Plan, process: str) -> dict[str, str]:
    keeps_copies = EVENT_RIGHTS[process].streams
    return {
        "LOUPE_NATS_URL": plan.nats.url_of(process),
        **({"LOUPE_NATS_MIRRORS_URL": plan.nats.mirrors_url_of(process)} if keeps_copies else {}),
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
            name,
            # The gateway tells where its callers are; nobody else on this machine reaches many addresses.
            {
                **settings,
                **_public(plan, name),
                "LOUPE_LISTEN": address,
                "LOUPE_TRUSTED_PROXIES": HOST,
            },
        ),
        probe=partial(serves_grpc, HOST, port),
        address=address,
        monitoring=_monitored(plan, name),
        after=after,
    )


def _dump(plan: Plan) -> None:
    """Dump the database if this version changes its tables."""
    # Imports the services' storage, which `loupe status` should not wait for.
    from deploy.backup.dumps import dump_before_migration  # noqa: PLC0415

    dump_before_migration(plan.postgres, plan.folder.dumps)


def _public(plan: Plan, name: str) -> dict[str, str]:
    """A second port of a service, for other machines, and links to objects that lead to the gateway."""
    network = plan.network
    if not network.is_open:
        return {}
    secured = {"LOUPE_PUBLIC_CERTIFICATE": network.certificate, "LOUPE_PUBLIC_KEY": network.key}
    return {
        "LOUPE_PUBLIC_LISTEN": f"{network.bind}:{plan.ports[PUBLIC_PORTS[name]]}",
        "LOUPE_S3_PUBLIC_ENDPOINT": network.url(plan.ports["gateway"]),
        **(secured if network.certificate else {}),
    }


def _gateway(plan: Plan, *, after: tuple[str, ...]) -> ProcessSpec:
    port, network = plan.ports["gateway"], plan.network
    address = f"{network.bind}:{port}"
    settings = _addresses(plan)
    if network.is_open:
        settings |= {
            "LOUPE_GATEWAY_OBJECTS": f"http://{plan.seaweed.address}/{plan.seaweed.settings.bucket}",
            "LOUPE_GATEWAY_PUBLIC_URL": network.url(port),
        }
    else:
        # Its pages may show pictures from there.
        settings["LOUPE_S3_ENDPOINT"] = plan.seaweed.address
    if network.certificate:
        settings |= {"LOUPE_HTTPS_CERTIFICATE": network.certificate, "LOUPE_HTTPS_KEY": network.key}
    return ProcessSpec(
        name="gateway",
        prepare=partial(_python, plan, "gateway", "gateway", {**settings, "LOUPE_LISTEN": address}),
        probe=partial(answers_http, network.probed_at, port, "/healthz", tls=bool(network.certificate)),
        address=address,
        monitoring=_monitored(plan, "gateway"),
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
            name,
            {
                **settings,
                **_worker_capacity(),
                "LOUPE_WORKER": name,
                "LOUPE_CACHE_DIR": str(plan.folder.cache),
            },
        ),
        monitoring=_monitored(plan, name),
        after=after,
        # Long enough for its child to write a checkpoint, and for that to be stored.
        stop_timeout_s=20.0,
    )


def _python(plan: Plan, module: str, name: str, settings: Mapping[str, str]) -> Launch:
    plan.folder.cache.mkdir(mode=0o700, exist_ok=True)
    inherited = {
        variable: value for variable, value in os.environ.items() if not variable.startswith(_SET_BY_STACK)
    }
    monitoring = {"LOUPE_OPERATIONS_LISTEN": _monitored(plan, name) or ""}
    return Launch(
        command=(sys.executable, "-m", module),
        # The user's environment first: log level, lease, compute resource and OpenTelemetry are set there.
        environment={**inherited, **import_path(), "PYTHONUNBUFFERED": "1", **monitoring, **settings},
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
