"""Several machines, each with namespaces of Linux of its own: `make test-fleet` tests them.

The process moves to a network of its own, so that nothing of this machine's changes.
"""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fleet.fab import Fab, working
from tests.fleet.installation import (
    EVALUATOR_WORKER,
    HOSTS,
    REPLICAS,
    TRAINERS,
    Installation,
    all_servers,
    with_stores,
)
from tests.support import network

_HERE = Path(__file__).parent
_LOGS = _HERE.parents[1] / "out/fleet"
"""Where the logs of all processes are kept if a test fails."""
_FIGURES = pytest.StashKey[dict[str, dict[str, float]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was measured, for docs/operating/several-machines.md."""
    for title, figures in config.stash[_FIGURES].items():
        terminalreporter.section(title)
        for what, seconds in figures.items():
            terminalreporter.line(f"{seconds:6.2f} s  {what}")


@pytest.fixture(scope="session")
def hosts(request: pytest.FixtureRequest) -> Iterator[Mapping[str, network.Host]]:
    """The machines, all at one switch."""
    if any(_HERE not in item.path.parents for item in request.session.items):
        pytest.skip("this process would take other tests to another network: `make test-fleet` has its own")
    with contextlib.ExitStack() as resources:
        try:
            network.leave()
            made = resources.enter_context(network.hosts(HOSTS, REPLICAS))
        except network.NoNetwork as reason:
            pytest.skip(f"no network of one's own can be made here: {reason}")
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fleet(
    request: pytest.FixtureRequest, hosts: Mapping[str, network.Host]
) -> AsyncIterator[Installation]:
    """All servers, started at once on empty stores, with the release of PostgreSQL that a test asks for."""
    folder = Path(tempfile.mkdtemp(prefix="loupe-fleet-"))
    try:
        async with with_stores(folder, hosts, request.param) as installation:
            with installation.measured("eight servers at once, until the last is ready"):
                await installation.start(*all_servers())
            yield installation
            request.config.stash[_FIGURES][f"PostgreSQL {request.param}"] = installation.figures
    finally:
        if request.session.testsfailed:
            shutil.copytree(folder / "logs", _LOGS / request.param, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fab(fleet: Installation) -> AsyncIterator[Fab]:
    """The same with two workers, and a model that was trained."""
    with fleet.measured("trainer and evaluator worker at once, until both are ready"):
        await fleet.start(TRAINERS[0], EVALUATOR_WORKER)
    async with working(fleet) as made:
        yield made
