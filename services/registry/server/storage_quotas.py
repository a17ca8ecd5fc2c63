# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""StorageQuotaService."""

from typing import Any

from loupe.errors import InvalidArgument, Violation
from loupe.registry.v1 import storage_quota_pb2 as pb
from loupe.registry.v1 import storage_quota_service_pb2 as rpc
from loupe.registry.v1 import storage_quota_service_pb2_grpc as rpc_grpc
from loupe.translation import sentence

from services.registry.application.storage_quotas import Quotas
from services.registry.domain.storage_quotas import ALL, StorageQuota
from services.registry.wire import names, paging

Context = Any  # grpc.aio's context; no handler touches it


class StorageQuotaServicer(rpc_grpc.StorageQuotaServiceServicer):
    """What datasets and users store, and may."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas

    async def ListStorageQuotas(
        self, request: rpc.ListStorageQuotasRequest, _: Context
    ) -> rpc.ListStorageQuotasResponse:
        requested = paging.BY_ID.page(request)
        (after,) = requested.after or ("",)
        found = await self._quotas.page(after=after, limit=requested.limit)
        page = requested.cut(found, lambda one: (one.subject,))
        return rpc.ListStorageQuotasResponse(
            storage_quotas=[_quota_out(quota) for quota in page.items],
            next_page_token=paging.BY_ID.token(request, page.last_key),
        )

    async def SetStorageQuota(self, request: rpc.SetStorageQuotaRequest, _: Context) -> pb.StorageQuota:
        folder, key = _subject(request.subject)
        limit_bytes = request.limit_bytes if request.HasField("limit_bytes") else None
        if limit_bytes is not None and limit_bytes < 0:
            raise InvalidArgument.of(
                Violation("limit_bytes", "OUT_OF_RANGE", sentence("a limit is 0 bytes or more; send one"))
            )
        return _quota_out(await self._quotas.set(folder, key, limit_bytes))


def _subject(name: str) -> tuple[str, str]:
    if name in {f"datasets/{ALL}", f"users/{ALL}"}:
        return name.partition("/")[0], ALL
    pattern = names.USER if name.startswith("users/") else names.DATASET
    return name.partition("/")[0], names.parse_one(pattern, name, "subject")


def _quota_out(value: StorageQuota) -> pb.StorageQuota:
    return pb.StorageQuota(
        subject=value.subject,
        limit_bytes=value.limit_bytes,
        used_bytes=value.used_bytes,
        inherited=value.inherited,
    )
