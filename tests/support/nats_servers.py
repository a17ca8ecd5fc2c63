"""NATS servers as an operator sets them up: the embedded one with another configuration."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from deploy.embedded.nats import Nats
from deploy.embedded.process import Launch, ProcessSpec
from deploy.embedded.supervisor import Supervisor
from tests.support.waiting import DEADLINE_S


@contextlib.asynccontextmanager
async def nats_servers(specs: Sequence[ProcessSpec], folder: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(specs, log_dir=folder)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S, max_restarts=3)
        yield supervisor
    finally:
        await supervisor.stop()


def spec_of(server: Nats, folder: Path, **changes: object) -> ProcessSpec:
    """The embedded server, with an operator's changes to its configuration; None takes a setting away."""

    def prepare() -> Launch:
        launch = server.prepare()
        path = folder / "nats.conf"
        configuration = json.loads(path.read_text())
        for name, value in changes.items():
            configuration[name] = (
                {**configuration.get(name, {}), **value} if isinstance(value, dict) else value
            )
            if value is None:
                del configuration[name]
        path.write_text(json.dumps(configuration))
        return launch

    return replace(server.spec(), prepare=prepare)
