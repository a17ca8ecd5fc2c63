"""The short form of `make fuzz` for a server: bytes of requests over the wire, and folders imported."""

import asyncio

import pytest
from loupe.registry.v1 import (
    dataset_service_pb2,
    storage_quota_service_pb2,
    storage_quota_service_pb2_grpc,
)

from tests.fuzz.__main__ import TARGETS
from tests.fuzz.running import run
from tests.fuzz.servers import ADDRESSES, TOKEN
from tests.integration.registry.conftest import Registry


async def test_no_bytes_of_a_request_meet_a_bug(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """I1: what is no message, or none that makes sense, is refused by name; the registry serves on."""
    monkeypatch.setenv(ADDRESSES, f"registry={registry.address}")
    monkeypatch.setenv(TOKEN, registry.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"])
    try:
        outcome = await asyncio.to_thread(run, TARGETS["servers"], 1, inputs=400)
    finally:
        await _lift_quotas(registry)
    assert not outcome.findings, [finding.told for finding in outcome.findings.values()]
    assert outcome.inputs == 400
    assert await registry.admin.data.ListDatasets(dataset_service_pb2.ListDatasetsRequest())


async def _lift_quotas(registry: Registry) -> None:
    """What some request has limited would refuse the imports of other tests."""
    quotas = storage_quota_service_pb2_grpc.StorageQuotaServiceStub(registry.admin.channel)
    listed = await quotas.ListStorageQuotas(
        storage_quota_service_pb2.ListStorageQuotasRequest(page_size=1000)
    )
    for quota in listed.storage_quotas:
        if quota.HasField("limit_bytes") and not quota.inherited:
            await quotas.SetStorageQuota(
                storage_quota_service_pb2.SetStorageQuotaRequest(subject=quota.subject)
            )


async def test_hostile_folders_are_imported_to_their_end(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D7: links, pipes, odd names and files that change: every file is taken, refused or left out by name."""
    monkeypatch.setenv(ADDRESSES, f"registry={registry.address}")
    monkeypatch.setenv(TOKEN, registry.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"])
    outcome = await asyncio.to_thread(run, TARGETS["folders"], 1, inputs=60)
    assert not outcome.findings, [finding.told for finding in outcome.findings.values()]
    assert outcome.inputs == 60 == sum(outcome.verdicts.values())
