"""The stores of an operator, on hosts of their own: one PostgreSQL, NATS in a cluster of three, one S3."""

import asyncio
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import asyncpg

from deploy.embedded import postgres
from deploy.embedded.credentials import Credentials
from deploy.embedded.nats import Nats
from deploy.embedded.ports import HOST, SERVER_PORTS, assign
from deploy.embedded.process import Launch, ProcessSpec
from deploy.embedded.programs import postgres_installs, postgres_wheel
from deploy.embedded.readiness import answers_http, speaks
from deploy.embedded.seaweed import ObjectStoreSettings, Seaweed
from tests.support.network import Host

NATS_HOSTS = ("nats-1", "nats-2", "nats-3")
RELEASES = {"16": 0, "18": -1}
"""Of PostgreSQL, and which of the wheel's it is."""

_POSTGRES_PORT, _NATS_PORT, _ROUTES_PORT = 5432, 4222, 6222
_FOR_THE_NETWORK = "host all all 0.0.0.0/0 scram-sha-256\n"


def on(host: Host, launch: Launch) -> Launch:
    """The same program on a host."""
    prefix = (*host.prefix(launch.working_directory), *launch.account.prefix)
    return replace(launch, account=replace(launch.account, prefix=prefix))


class Postgres(postgres.Postgres):
    """One that hosts reach."""

    def __init__(self, folder: Path, host: Host, release: str, credentials: Credentials) -> None:
        super().__init__(folder, port=_POSTGRES_PORT, credentials=credentials, durable=False)
        self._host = host
        self._release = release
        if release == "16":
            self._locale = ("--locale-provider=libc", "--locale=C.UTF-8")

    @property
    def address(self) -> str:
        return f"{self._host.address}:{_POSTGRES_PORT}"

    def spec(self) -> ProcessSpec:
        return replace(super().spec(), address=None)

    def prepare(self) -> Launch:
        launch = super().prepare()
        access = launch.working_directory / "data/pg_hba.conf"
        if _FOR_THE_NETWORK not in access.read_text():
            access.write_text(access.read_text() + _FOR_THE_NETWORK)
        # Of a setting that is given twice the last one counts.
        return on(self._host, replace(launch, command=(*launch.command, "-c", "listen_addresses=*")))

    def _find_place(self) -> postgres._Placement:
        place = super()._find_place()
        return replace(place, programs=postgres_installs(postgres_wheel())[RELEASES[self._release]] / "bin")

    async def _connect_as_superuser(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=self._host.address,
            port=_POSTGRES_PORT,
            user=postgres.SUPERUSER,
            password=self._credentials.postgres_superuser_password,
            database="postgres",
            timeout=5,
            ssl=False,
        )


class NatsCluster:
    """Three servers that keep streams together, with the users and rights of the embedded one."""

    def __init__(self, folder: Path, hosts: Mapping[str, Host], credentials: Credentials) -> None:
        self._folder = folder
        self._hosts = [hosts[name] for name in NATS_HOSTS]
        self._servers = [
            Nats(folder / host.name, port=_NATS_PORT, credentials=credentials) for host in self._hosts
        ]
        self.allowed = {host.name: threading.Event() for host in self._hosts}
        """Whether each may start."""
        for one in self.allowed.values():
            one.set()

    def specs(self) -> Sequence[ProcessSpec]:
        return [
            replace(
                server.spec(),
                name=host.name,
                prepare=partial(self._prepare, server, host),
                probe=partial(speaks, host.address, _NATS_PORT, b"INFO "),
                address=None,
            )
            for server, host in zip(self._servers, self._hosts, strict=True)
        ]

    def everywhere(self, url: str) -> str:
        """The URL of one of the embedded server's users, with all three servers in it."""
        return ",".join(url.replace(HOST, host.address) for host in self._hosts)

    @property
    def users(self) -> Nats:
        """Whose URLs `everywhere` takes."""
        return self._servers[0]

    def _prepare(self, server: Nats, host: Host) -> Launch:
        self.allowed[host.name].wait()
        launch = server.prepare()
        file = self._folder / host.name / "nats.conf"
        configuration = json.loads(file.read_text())
        configuration |= {
            "server_name": host.name,
            "listen": f"0.0.0.0:{_NATS_PORT}",
            "cluster": {
                "name": "fab",
                "listen": f"0.0.0.0:{_ROUTES_PORT}",
                "routes": [f"nats://{other.address}:{_ROUTES_PORT}" for other in self._hosts],
            },
        }
        file.write_text(json.dumps(configuration))
        return on(host, launch)


class ObjectStore(Seaweed):
    """One that hosts reach."""

    def __init__(self, folder: Path, host: Host, credentials: Credentials) -> None:
        # Its sockets in /tmp are named by its ports: those of another stack here are others.
        names = [name for name in SERVER_PORTS if name.startswith("seaweed_")]
        super().__init__(folder, ports=assign(names, {}), credentials=credentials)
        self._host = host

    @property
    def address(self) -> str:
        return super().address.replace(HOST, self._host.address)

    @property
    def settings(self) -> ObjectStoreSettings:
        return replace(super().settings, endpoint=self.address)

    def spec(self) -> ProcessSpec:
        return replace(super().spec(), address=None)

    def prepare(self) -> Launch:
        return on(self._host, super().prepare())

    async def is_ready(self) -> bool:
        host, _, port = self.address.rpartition(":")
        if not await answers_http(host, int(port), "/healthz"):
            return False
        return await asyncio.to_thread(self._stores_an_object)

    def _options(self, data: Path, sockets: Path) -> dict[str, object]:
        return {
            **super()._options(data, sockets),
            "ip": self._host.address,
            "ip.bind": self._host.address,
        }
