"""Deleting data paths: the bin, and what becomes of what lies there (D8)."""

import logging
from datetime import timedelta

from loupe.errors import AlreadyExists

from services.caller import Caller
from services.kit.database import DatabaseSessions, database_time
from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.datasets import DataPath, DataPathPinned, DeletedDataPath
from services.registry.domain.identifiers import id_faults, refuse
from services.registry.domain.identity import AuditEntry
from services.registry.storage.data_bin import DeletedPaths
from services.registry.storage.datasets import DataPaths, Datasets, Snapshots
from services.registry.storage.identity import AuditLog

_REGISTRY = "services/registry"
"""Who did it, in the audit log."""

_log = logging.getLogger(__name__)


class DataBin:
    """Deleted data paths, which are kept for a time and can be restored."""

    def __init__(self, sessions: DatabaseSessions, keep: timedelta) -> None:
        self._sessions = sessions
        self._keep = keep

    async def delete(self, dataset: str, path: str, caller: Caller) -> DeletedDataPath:
        """Move a path of the caller's into the bin, unless a snapshot pins it."""
        async with self._sessions.begin() as session:
            paths = DataPaths(session)
            key = await paths.lock(dataset, path)
            (await paths.get(dataset, path)).require_owner(caller)
            if await Snapshots(session).exist(key):
                raise DataPathPinned(
                    f"datasets/{dataset}/paths/{path} is pinned by a snapshot that tasks may "
                    "trace back to; it must stay",
                    path=f"datasets/{dataset}/paths/{path}",
                )
            return await DeletedPaths(session, self._keep).put(key, caller.name, await database_time(session))

    async def listing(self, dataset: str | None, page: RowPageRequest) -> RowPage[DeletedDataPath]:
        """By dataset and id; of all datasets if None."""
        async with self._sessions.begin() as session:
            if dataset is not None:
                await Datasets(session).get(dataset)
            return await DeletedPaths(session, self._keep).listing(dataset, page)

    async def restore(
        self, dataset: str, deleted: tuple[str, int], path: str | None, caller: Caller
    ) -> DataPath:
        """Take a path of the caller's out of the bin, under `path` or the id that it had; AlreadyExists."""
        if path is not None:
            refuse(id_faults(path, "data_path_id"))
        async with self._sessions.begin() as session:
            await Datasets(session).lock_names(dataset)
            found = await DeletedPaths(session, self._keep).lock(dataset, *deleted)
            found.path.require_owner(caller)
            wanted = path or found.path.id
            paths = DataPaths(session)
            if await paths.exists(dataset, wanted):
                raise AlreadyExists(
                    f"datasets/{dataset}/paths/{wanted} is another data path; restore this one under another "
                    "id (data_path_id), or delete the other first",
                    reason="DATA_PATH_NAME_TAKEN",
                    path=f"datasets/{dataset}/paths/{wanted}",
                )
            await DeletedPaths(session, self._keep).restore(found.number, wanted)
            return await paths.get(dataset, wanted)

    async def purge(self, dataset: str, deleted: tuple[str, int]) -> None:
        """Remove a path from the bin for good."""
        async with self._sessions.begin() as session:
            found = await DeletedPaths(session, self._keep).lock(dataset, *deleted)
            await DeletedPaths(session, self._keep).purge(found.number)

    async def purge_overdue(self) -> int:
        """Purge what has been in the bin for its time, by PostgreSQL's clock; returns how many paths."""
        async with self._sessions.begin() as session:
            overdue = await DeletedPaths(session, self._keep).overdue()
        return sum([await self._purge_overdue(key) for key in overdue])

    async def _purge_overdue(self, key: int) -> bool:
        async with self._sessions.begin() as session:
            rows = DeletedPaths(session, self._keep)
            # It may have been restored meanwhile, or purged by another replica.
            found = await rows.lock_overdue(key)
            if found is None:
                return False
            await rows.purge(key)
            entry = AuditEntry(
                principal=_REGISTRY,
                action="loupe.registry.v1.DatasetService/PurgeDataPath",
                resource=found.name,
                result="OK",
                peer="",
            )
            await AuditLog(session).add([entry])
        _log.info("deleted data path purged", extra={"path": found.name, "samples": found.path.sample_count})
        return True
