"""The gateway as it is started by people and supervisors."""

import asyncio
import csv
import io
import os
import signal
import sys

import httpx

from tests.integration.gateway.installation import Installation
from tests.support.waiting import DEADLINE_S


async def test_it_serves_and_stops_with_its_readers_told(loupe: Installation) -> None:
    """SIGTERM while a stream is open: the stream ends, the process ends well and soon."""
    address = f"127.0.0.1:{loupe.backend.port}"
    listen = await _free_port()
    settings = {
        **os.environ,
        "LOUPE_LISTEN": f"127.0.0.1:{listen}",
        "LOUPE_REGISTRY_ADDRESS": address,
        "LOUPE_SCHEDULER_ADDRESS": address,
        "LOUPE_EVALUATOR_ADDRESS": address,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=settings, stderr=asyncio.subprocess.PIPE
    )
    if process.stderr is None:
        raise AssertionError("stderr is a pipe")
    async with asyncio.timeout(DEADLINE_S):
        while b'"serving"' not in await process.stderr.readline():
            assert process.returncode is None
        await loupe.http.post(
            "/v1/tasks", json={"task": {"training": {"modelName": "m"}}}, headers=loupe.as_engineer
        )
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listen}", timeout=DEADLINE_S) as http:
            assert (await http.get("/readyz")).status_code == 200
            async with http.stream("GET", "/v1/tasks/1/loss:watch", headers=loupe.as_viewer) as response:
                assert response.status_code == 200
                process.send_signal(signal.SIGTERM)
                assert "event: end" not in (await response.aread()).decode()
        await process.stderr.read()
        assert await process.wait() == 0


async def test_missing_settings_are_all_named() -> None:
    """One start tells everything that is missing."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("LOUPE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=settings, stderr=asyncio.subprocess.PIPE
    )
    _, told = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert process.returncode == 2
    for name in ("REGISTRY", "SCHEDULER", "EVALUATOR"):
        assert f"LOUPE_{name}_ADDRESS is not set".encode() in told


async def test_the_table_of_routes_and_roles_is_printed() -> None:
    """A2's one table, for whoever audits it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "--routes", stdout=asyncio.subprocess.PIPE
    )
    told, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    table = list(csv.DictReader(io.StringIO(told.decode())))
    released = next(row for row in table if row["path"] == "/v1/tasks/{task}:release")
    assert (released["method"], released["role"]) == ("POST", "RELEASER")
    assert all(row["role"] for row in table)


async def _free_port() -> int:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port
