"""The record that `loupe backup` leaves of the newest backup; whoever backs up otherwise may write one, too.

It is JSON: `created` (ISO 8601) and `place` are needed; `objects`, `bytes`, `encrypted`, `lost`, `verified`
(ISO 8601) and `faults` are optional.
"""

import asyncio
import json
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from loupe.server.v1 import server_pb2
from loupe.settings import setting

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BackupRecordSettings:
    """Where the record is."""

    path: Path | None = setting(  # noqa: RUF009 -- a field, as all others
        "LOUPE_BACKUP_RECORD",
        default=None,
        doc="JSON file that tells of the newest backup, for the system page: `created` and `place`, and if "
        "known `objects`, `bytes`, `encrypted`, `lost`, `verified`, `faults`. The embedded stack sets it; "
        "unset = nothing is told of backups",
    )


async def read(path: Path) -> server_pb2.Backup | None:
    """The newest backup; None if there was none, or the record cannot be read: the log says why."""
    try:
        return _backup(await asyncio.to_thread(path.read_text, encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("the record of the last backup cannot be read", extra={"error": repr(error)})
        return None


def _backup(text: str) -> server_pb2.Backup:
    noted = json.loads(text)
    backup = server_pb2.Backup(
        place=str(noted["place"]),
        object_count=int(noted.get("objects", 0)),
        size_bytes=int(noted.get("bytes", 0)),
        encrypted=bool(noted.get("encrypted", False)),
        fault_count=int(noted.get("lost", 0)) + int(noted.get("faults", 0)),
    )
    backup.create_time.FromDatetime(datetime.fromisoformat(noted["created"]))
    if noted.get("verified"):
        backup.verify_time.FromDatetime(datetime.fromisoformat(noted["verified"]))
    return backup
