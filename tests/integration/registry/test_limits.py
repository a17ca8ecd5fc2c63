"""What strangers can make a registry spend: memory, and lines of its audit log (A3, A5)."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from loupe.errors import Unauthenticated
from loupe.registry.v1 import dataset_service_pb2
from loupe.rpc.channel import connect

from services.counted_failures import OWN_LINES
from services.kit.database import Database
from services.registry.__main__ import SCHEMA
from tests.integration.registry.conftest import run_registry
from tests.support.services import service_process
from tests.support.waiting import DEADLINE_S

ADD_SAMPLES = "/loupe.registry.v1.DatasetService/AddSamples"
LOG_IN = "/loupe.registry.v1.IdentityService/LogIn"
HEALTH = "/grpc.health.v1.Health/Check"
MESSAGE = bytes(6_700_000)
MOST_MORE_KIB = 150 * 1024


def peak_kib(pid: int) -> int:
    """The most memory that the process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


async def test_messages_without_a_token_take_no_memory(
    module_service_environment: dict[str, str], tmp_path: Path
) -> None:
    """32 at a time took 1.3 GB: they were whole in memory before anybody looked for a token."""
    environment = {**module_service_environment, "LOUPE_DECODERS": "1"}
    async with (
        asyncio.timeout(DEADLINE_S),
        service_process("services.registry", environment, tmp_path / "registry.log") as (pid, address),
        connect(address, retries=False) as channel,
    ):
        before = peak_kib(pid)
        turns = asyncio.Semaphore(32)
        outcomes: Counter[str] = Counter()

        async def send(method: str) -> None:
            call: Any = channel.unary_unary(method)
            async with turns:
                try:
                    await call(MESSAGE, timeout=DEADLINE_S)
                except (grpc.aio.AioRpcError, Exception) as error:  # noqa: BLE001 -- counted by its name
                    outcomes[type(error).__name__] += 1

        await asyncio.gather(*(send((ADD_SAMPLES, LOG_IN, HEALTH)[n % 3]) for n in range(192)))
        assert outcomes == {"Unauthenticated": 64, "ResourceExhausted": 128}
        assert peak_kib(pid) - before < MOST_MORE_KIB


async def test_made_up_tokens_fill_no_audit_log(module_service_environment: dict[str, str]) -> None:
    """They wrote 102 lines a second; now some, and at the end of the minute how many there were."""
    tried = 3 * OWN_LINES
    database = Database(module_service_environment["LOUPE_DATABASE_URL"], SCHEMA)

    async def lines() -> list[Any]:
        async with database.sessions.begin() as session:
            refused = "SELECT * FROM audit_entries WHERE principal = '' AND result = 'UNAUTHENTICATED'"
            return list(await session.execute(sa.text(f"{refused} ORDER BY id")))

    async for registry in run_registry(module_service_environment):
        before = len(await lines())
        for number in range(tried):
            stranger = registry.caller(f"loupe_{number}_" + "y" * 40)
            with pytest.raises(Unauthenticated):
                await stranger.data.ListDatasets(dataset_service_pb2.ListDatasetsRequest())
            await stranger.channel.close()
        assert len(await lines()) - before == OWN_LINES
    last = (await lines())[-1]
    await database.dispose()
    assert (last.action, last.peer) == ("loupe.registry.v1.DatasetService/ListDatasets", "127.0.0.1")
    assert last.resource == f"count={tried - OWN_LINES}"
