"""Loupe on several machines: two replicas of every server, workers, and an operator's stores.

Each process has a host of its own and is told by environment variables only who the others are: by names that
stand for both replicas of a server, and by addresses of the stores.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx
from loupe.client import AsyncLoupe
from loupe.profile import Profile
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded import service_tokens, signing_keys
from deploy.embedded.credentials import Credentials
from deploy.embedded.loupe_processes import import_path
from deploy.embedded.nats import EVENT_RIGHTS
from deploy.embedded.process import Launch, ProcessSpec
from deploy.embedded.readiness import answers_http
from deploy.embedded.state import State
from deploy.embedded.supervisor import Supervisor
from services.kit.messaging import Messaging
from tests.fleet.stores import NATS_HOSTS, NatsCluster, ObjectStore, Postgres, on
from tests.support import network
from tests.support.waiting import DEADLINE_S, eventually

SERVERS = {"registry": 7101, "scheduler": 7102, "evaluator": 7103, "gateway": 8080}
REPLICAS = {server: (f"{server}-1", f"{server}-2") for server in SERVERS}
TRAINERS = ("trainer-1", "trainer-2")
EVALUATOR_WORKER = "evaluator-worker-1"
OFFICE = "office"
_STORES = ("postgres", "s3", *NATS_HOSTS)
_OPERATIONS_PORT = 9100
_MODULES = {
    "gateway": "gateway",
    "trainer": "services.trainer",
    "evaluator-worker": "services.evaluator.worker",
}
# Six servers with twelve connections each fit PostgreSQL's default of 100 (docs/operating/services.md).
_CONNECTIONS = "12"
HOSTS = (
    *_STORES,
    *(name for pair in REPLICAS.values() for name in pair),
    *TRAINERS,
    EVALUATOR_WORKER,
    OFFICE,
)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What runs, and how to reach it from the test's own place at the switch."""

    folder: Path
    hosts: Mapping[str, network.Host]
    credentials: Credentials
    postgres: Postgres
    nats: NatsCluster
    store: ObjectStore
    supervisor: Supervisor
    figures: dict[str, float]
    """What was measured, in seconds."""

    async def start(self, *names: str) -> None:
        """Start these at once; returns when all are ready."""
        for name in names:
            self.supervisor.add(self.spec(name))
        await self.supervisor.wait_ready(timeout_s=DEADLINE_S, max_restarts=0)

    def spec(self, name: str) -> ProcessSpec:
        """A process by the name of its host."""
        return ProcessSpec(
            name=name,
            prepare=partial(self._launch, name),
            probe=partial(answers_http, self.hosts[name].address, _OPERATIONS_PORT, "/readyz"),
            # Long enough for a checkpoint.
            stop_timeout_s=20.0,
        )

    def client(self) -> AsyncLoupe:
        """Somebody who may do everything, and calls both replicas of each server in turn."""
        return AsyncLoupe(
            Profile(
                registry_address=self.addresses("registry"),
                scheduler_address=self.addresses("scheduler"),
                evaluator_address=self.addresses("evaluator"),
                token=self.credentials.admin_token,
            )
        )

    def addresses(self, server: str) -> str:
        """Both replicas, as a list."""
        port = SERVERS[server]
        return ",".join(f"{self.hosts[name].address}:{port}" for name in REPLICAS[server])

    def pages(self, number: int) -> str:
        """The URL of a gateway: 0 or 1."""
        return f"http://{self.hosts[REPLICAS['gateway'][number]].address}:{SERVERS['gateway']}"

    async def messaging(self) -> Messaging:
        """A connection to NATS as its operator."""
        return await Messaging.connect(self.nats.everywhere(self.nats.users.url))

    async def samples(self, name: str, metric: str) -> list[tuple[Mapping[str, str], float]]:
        """What a process tells of a metric."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://{self.hosts[name].address}:{_OPERATIONS_PORT}/metrics")
        return [
            (sample.labels, sample.value)
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == metric
        ]

    def strike(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a process; its id. Its supervisor starts it again once it is gone."""
        pid = self.supervisor.process(name).pid
        assert pid is not None, f"{name} does not run"
        os.kill(pid, number)
        return pid

    async def until_back(self, name: str, former: int) -> None:
        """Return when a process that was struck is ready again, as another one."""

        def is_back() -> bool:
            now = self.supervisor.process(name)
            return now.state is State.READY and now.pid not in {None, former}

        await eventually(is_back)

    @contextlib.asynccontextmanager
    async def away(self, node: str) -> AsyncIterator[None]:
        """A node of NATS is killed, and back when the block ends."""
        allowed = self.nats.allowed[node]
        allowed.clear()
        try:
            former = self.strike(node, signal.SIGKILL)
            yield
        finally:
            allowed.set()
        await self.until_back(node, former)

    @contextlib.contextmanager
    def measured(self, what: str) -> Iterator[None]:
        """Write down how long the block takes."""
        begun = time.monotonic()
        yield
        self.figures[what] = time.monotonic() - begun

    def _launch(self, name: str) -> Launch:
        kind = name.rpartition("-")[0]
        environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            **import_path(),
            "LOUPE_OPERATIONS_LISTEN": f"0.0.0.0:{_OPERATIONS_PORT}",
            **{f"LOUPE_{server.upper()}_ADDRESS": f"{server}:{SERVERS[server]}" for server in EVENT_RIGHTS},
            **self._own_settings(name, kind),
        }
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        command = (sys.executable, "-m", _MODULES.get(kind, f"services.{kind}"))
        return on(
            self.hosts[name], Launch(command=command, environment=environment, working_directory=folder)
        )

    def _own_settings(self, name: str, kind: str) -> Mapping[str, str]:
        if kind == "gateway":
            listen = {"LOUPE_LISTEN": f"0.0.0.0:{SERVERS[kind]}"}
            return {**listen, "LOUPE_S3_ENDPOINT": self.store.address}
        keys = signing_keys.load_or_create(self.folder / "signing")
        tokens = {"LOUPE_SERVICE_TOKENS_DIR": str(self.folder / "tokens")}
        stores = {**tokens, **self.store.settings_of(kind).environment()}
        if kind in EVENT_RIGHTS:
            mirrors = self.nats.everywhere(self.nats.users.mirrors_url_of(kind))
            of_registry = {
                "LOUPE_BOOTSTRAP_ADMIN_TOKEN": self.credentials.admin_token,
                "LOUPE_SIGNING_PUBLIC_KEYS": str(keys.public),
            }
            gateways = [self.hosts[gateway].address for gateway in REPLICAS["gateway"]]
            return {
                **stores,
                "LOUPE_LISTEN": f"0.0.0.0:{SERVERS[kind]}",
                "LOUPE_DATABASE_URL": self.postgres.url,
                "LOUPE_DATABASE_CONNECTIONS": _CONNECTIONS,
                "LOUPE_NATS_URL": self.nats.everywhere(self.nats.users.url_of(kind)),
                **({"LOUPE_NATS_MIRRORS_URL": mirrors} if EVENT_RIGHTS[kind].streams else {}),
                "LOUPE_STREAM_REPLICAS": "3",
                "LOUPE_TRUSTED_PROXIES": ",".join(gateways),
                "LOUPE_DECODERS": "2",
                **(of_registry if kind == "registry" else {}),
            }
        return {
            **stores,
            "LOUPE_CACHE_DIR": str(self.folder / name / "cache"),
            "LOUPE_CPUS": "2",
            "LOUPE_MEMORY_BYTES": str(4 * 2**30),
            "LOUPE_TORCH_THREADS": "1",
            "LOUPE_CHECKPOINT_INTERVAL_S": "5",
            **({"LOUPE_SIGNING_KEY": str(keys.private)} if kind == "evaluator-worker" else {}),
        }


@contextlib.asynccontextmanager
async def with_stores(
    folder: Path, hosts: Mapping[str, network.Host], release: str
) -> AsyncIterator[Installation]:
    """An installation of which only the stores run; all that is started ends with it."""
    credentials = Credentials()
    (folder / "logs").mkdir()
    service_tokens.create(folder / "tokens")
    postgres = Postgres(folder / "postgres", hosts["postgres"], release, credentials)
    nats = NatsCluster(folder, hosts, credentials)
    store = ObjectStore(folder / "s3", hosts["s3"], credentials)
    supervisor = Supervisor(
        [postgres.spec(), *nats.specs(), replace(store.spec(), name="s3")], log_dir=folder / "logs"
    )
    installation = Installation(
        folder=folder,
        hosts=hosts,
        credentials=credentials,
        postgres=postgres,
        nats=nats,
        store=store,
        supervisor=supervisor,
        figures={},
    )
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S, max_restarts=3)
        yield installation
    finally:
        await supervisor.stop(kill=True)


def all_servers() -> Sequence[str]:
    """The hosts of both replicas of each."""
    return [name for pair in REPLICAS.values() for name in pair]
