"""The three servers of one data folder and the processes that use them, supervised by this process."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from deploy.embedded import network, ports, service_tokens
from deploy.embedded.credentials import Credentials
from deploy.embedded.data_folder import DataFolder
from deploy.embedded.nats import Nats
from deploy.embedded.network import Network
from deploy.embedded.ports import HOST, PUBLIC_PORTS, SERVER_PORTS, SERVICE_PORTS
from deploy.embedded.postgres import Postgres
from deploy.embedded.process import ProcessSpec
from deploy.embedded.seaweed import ObjectStoreSettings, Seaweed
from deploy.embedded.settings import Durability, ProgramCheck
from deploy.embedded.state import ProcessState, StackState, State, write_state
from deploy.embedded.supervisor import Supervisor

_WRITE_AGAIN_AFTER_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Decided before anything starts: the ports, the secrets and the servers."""

    folder: DataFolder
    ports: Mapping[str, int]
    credentials: Credentials
    postgres: Postgres
    nats: Nats
    seaweed: Seaweed
    durability: Durability = Durability.POWER
    network: Network = Network()  # noqa: RUF009 -- frozen

    @property
    def public_addresses(self) -> dict[str, str]:
        """Where other machines find the services (host:port); empty if nobody but this machine does."""
        return {
            service: f"{self.network.public_host}:{self.ports[name]}"
            for service, name in PUBLIC_PORTS.items()
            if self.network.is_open and name in self.ports
        }


def nothing_more(_: Plan) -> Sequence[ProcessSpec]:
    """Only the servers."""
    return ()


class EmbeddedServers:
    """PostgreSQL, NATS and SeaweedFS of a data folder, under a supervisor in this process's event loop.

    `async with EmbeddedServers(data_dir) as servers:` holds the data folder until the block ends. `more` adds
    processes on top of the three; `port_names` reserves ports for them. `durable=False` is for tests.
    `durability` is what those processes promise, `programs` which builds of the three may start.
    """

    def __init__(  # noqa: PLR0913 - each has a default and a name
        self,
        data_dir: Path,
        *,
        more: Callable[[Plan], Sequence[ProcessSpec]] = nothing_more,
        port_names: Sequence[str] = (),
        on_change: Callable[[ProcessState], None] = lambda _: None,
        durable: bool = True,
        durability: Durability = Durability.POWER,
        user_namespace_allowed: bool = True,
        programs: ProgramCheck = ProgramCheck.PINNED,
    ) -> None:
        self.folder = DataFolder(data_dir)
        self._more = more
        self._port_names = (*SERVER_PORTS, *port_names)
        self._on_change = on_change
        self._durable = durable
        self._durability = durability
        self._user_namespace_allowed = user_namespace_allowed
        self._programs = programs
        self._resources = contextlib.AsyncExitStack()
        self._kill = False
        self._supervisor: Supervisor | None = None
        self._plan: Plan | None = None
        self._state = StackState(state=State.STARTING, supervisor_pid=os.getpid(), started_at=time.time())
        self._write_again: asyncio.TimerHandle | None = None

    async def begin(self) -> None:
        """Take the data folder and begin to start everything; AlreadyRunning if another process has it."""
        with contextlib.ExitStack() as resources:
            resources.enter_context(self.folder.lock())
            plan = self._plan = self._make_plan(resources)
            processes = [plan.postgres.spec(), plan.nats.spec(), plan.seaweed.spec(), *self._more(plan)]
            self._supervisor = Supervisor(processes, log_dir=self.folder.logs, on_change=self._record)
            self._state = replace(
                self._state,
                state=State.STARTING,
                started_at=time.time(),
                ports=plan.ports,
                addresses={
                    name: f"{plan.network.probed_at if name == 'gateway' else HOST}:{plan.ports[name]}"
                    for name in SERVICE_PORTS
                    if name in plan.ports
                },
                public=plan.public_addresses,
            )
            self._write_state()
            self._supervisor.start()
            self._resources.enter_context(resources.pop_all())
        self._resources.push_async_callback(self._stop_processes)

    async def have(self, more: Sequence[ProcessSpec]) -> None:
        """Of the processes on top of the servers, start those that are missing and stop those not wanted.

        Returns when the latter are gone.
        """
        servers = {"postgres", "nats", "seaweed"}
        present = {process.name for process in self.supervisor.processes} - servers
        for spec in more:
            if spec.name not in present:
                self.supervisor.add(spec)
        gone = present - {spec.name for spec in more}
        await asyncio.gather(*(self.supervisor.remove(name) for name in sorted(gone)))

    def reserve(self, port_names: Sequence[str]) -> None:
        """Choose ports for processes that come while the others run; those that have one keep it."""
        new = [name for name in port_names if name not in self.plan.ports]
        with contextlib.ExitStack() as taken:
            chosen = ports.assign(new, {}, taken)
            self._resources.enter_context(taken.pop_all())
        self._plan = replace(self.plan, ports={**self.plan.ports, **chosen})
        self._state = replace(self._state, ports=self._plan.ports)

    async def wait_ready(self, *, timeout_s: float | None = None, max_restarts: int | None = None) -> None:
        """Return when every process has been ready; see `Supervisor.wait_ready`."""
        await self.supervisor.wait_ready(timeout_s=timeout_s, max_restarts=max_restarts)
        self._state = replace(self._state, state=State.READY)
        self._write_state()

    async def start(self, *, timeout_s: float = 60.0) -> Self:
        """Start everything and return when it works; StartFailed otherwise, with nothing left running."""
        await self.begin()
        try:
            await self.wait_ready(timeout_s=timeout_s, max_restarts=3)
        except BaseException:
            await self.stop()
            raise
        return self

    async def stop(self, *, kill: bool = False) -> None:
        """Stop everything in reverse and give the data folder back; does nothing if nothing runs.

        `kill` does not wait for anybody: for data that is thrown away afterwards.
        """
        self._kill = kill
        await self._resources.aclose()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def supervisor(self) -> Supervisor:
        """The supervisor of the processes; only after `begin`."""
        assert self._supervisor is not None, "start() first"  # noqa: S101 - a misuse, not a condition
        return self._supervisor

    @property
    def plan(self) -> Plan:
        """Ports, secrets and servers; only after `begin`."""
        assert self._plan is not None, "start() first"  # noqa: S101 - as above
        return self._plan

    @property
    def postgres(self) -> Postgres:
        """The database server."""
        return self.plan.postgres

    @property
    def nats(self) -> Nats:
        """The message bus."""
        return self.plan.nats

    @property
    def seaweed(self) -> Seaweed:
        """The object store."""
        return self.plan.seaweed

    @property
    def object_store(self) -> ObjectStoreSettings:
        """Endpoint, keys and bucket of the object store."""
        return self.seaweed.settings

    @property
    def credentials(self) -> Credentials:
        """The secrets of the data folder."""
        return self.plan.credentials

    def _make_plan(self, resources: contextlib.ExitStack) -> Plan:
        root, credentials = self.folder.root, self.folder.credentials()
        service_tokens.create(self.folder.service_tokens)
        chosen = network.read(self.folder.network_file)
        network.prepare(chosen)
        public = [PUBLIC_PORTS[name] for name in self._port_names if chosen.is_open and name in PUBLIC_PORTS]
        names = dict.fromkeys((*self._port_names, *public))
        assigned = self.folder.assign_ports(names, resources, at=dict.fromkeys(public, chosen.bind))
        return Plan(
            folder=self.folder,
            ports=assigned,
            credentials=credentials,
            postgres=Postgres(
                root / "postgres",
                port=assigned["postgres"],
                credentials=credentials,
                durable=self._durable,
                user_namespace_allowed=self._user_namespace_allowed,
                programs=self._programs,
            ),
            nats=Nats(root / "nats", port=assigned["nats"], credentials=credentials, programs=self._programs),
            seaweed=Seaweed(
                root / "seaweed", ports=assigned, credentials=credentials, programs=self._programs
            ),
            durability=self._durability,
            network=chosen,
        )

    async def _stop_processes(self) -> None:
        self._state = replace(self._state, state=State.STOPPING)
        self._write_state()
        await self.supervisor.stop(kill=self._kill)
        self._state = replace(self._state, state=State.STOPPED)
        self._write_state()
        if self._write_again is not None:
            self._write_again.cancel()

    def _record(self, process: ProcessState) -> None:
        self._write_state()
        self._on_change(process)

    def _write_state(self) -> None:
        if self._write_again is not None:
            self._write_again.cancel()
            self._write_again = None
        # The folder may have been deleted, or the disk be full; the processes are looked after all the same.
        with contextlib.suppress(FileNotFoundError):
            try:
                write_state(self.folder.state_file, replace(self._state, processes=self.supervisor.processes))
            except OSError as error:
                _log.debug("%s cannot be written: %s", self.folder.state_file, error)
                loop = asyncio.get_running_loop()
                self._write_again = loop.call_later(_WRITE_AGAIN_AFTER_S, self._write_state)
