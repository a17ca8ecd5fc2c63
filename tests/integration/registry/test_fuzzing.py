"""The short form of `make fuzz` for a server: bytes of requests over the wire, and folders imported."""

import asyncio

import pytest
from loupe.registry.v1 import dataset_service_pb2

from tests.fuzz.__main__ import TARGETS
from tests.fuzz.running import run
from tests.fuzz.servers import ADDRESSES, TOKEN
from tests.integration.registry.conftest import Registry


async def test_no_bytes_of_a_request_meet_a_bug(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """I1: what is no message, or none that makes sense, is refused by name; the registry serves on."""
    monkeypatch.setenv(ADDRESSES, f"registry={registry.address}")
    monkeypatch.setenv(TOKEN, registry.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"])
    outcome = await asyncio.to_thread(run, TARGETS["servers"], 1, inputs=400)
    assert not outcome.findings, [finding.told for finding in outcome.findings.values()]
    assert outcome.inputs == 400
    assert await registry.admin.data.ListDatasets(dataset_service_pb2.ListDatasetsRequest())


async def test_hostile_folders_are_imported_to_their_end(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D7: links, pipes, odd names and files that change: every file is taken, refused or left out by name."""
    monkeypatch.setenv(ADDRESSES, f"registry={registry.address}")
    monkeypatch.setenv(TOKEN, registry.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"])
    outcome = await asyncio.to_thread(run, TARGETS["folders"], 1, inputs=60)
    assert not outcome.findings, [finding.told for finding in outcome.findings.values()]
    assert outcome.inputs == 60 == sum(outcome.verdicts.values())
