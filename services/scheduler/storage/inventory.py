"""What the scheduler's rows name in the object store, and announce in the streams."""

from loupe.translation import Sentence, sentence

from services.kit.checking import AnnouncedRows, NamedObjects
from services.scheduler.storage.orphan_candidates import (
    CHECKPOINTS,
    CONTACT_SHEETS,
    SPLITS,
    SUFFIX,
    WEIGHTS,
)


def objects() -> list[NamedObjects]:
    """Weights, splits, checkpoints and contact sheets."""
    restore = sentence("restore it from a backup")
    again = sentence("terminate the task and start it again: it then trains from the beginning")
    sheet = "stages -> 2 ->> 'contact_sheet_sha256'"
    return [
        _named(WEIGHTS, "tasks", "id", "weights_sha256", restore),
        _named(SPLITS, "tasks", "id", "split_sha256", restore),
        _named(CHECKPOINTS, "jobs", "task", "checkpoint_sha256", again),
        _named(CONTACT_SHEETS, "tasks", "id", sheet, restore),
    ]


def announced() -> list[AnnouncedRows]:
    """Every change of a task's state; a request to terminate is none.

    The stream LOSS keeps days only; its points stay in the rows.
    """
    return [
        AnnouncedRows(
            stream="TASKS",
            subjects="loupe.tasks.*.state",
            rows="SELECT 'loupe.tasks.' || task || '.state', count(*) FROM transitions "
            "WHERE time > :since AND from_state IS DISTINCT FROM to_state GROUP BY task",
        )
    ]


def _named(folder: str, table: str, task: str, column: str, cure: Sentence) -> NamedObjects:
    return NamedObjects(
        folder=folder,
        suffix=SUFFIX[folder],
        rows=f"SELECT DISTINCT {column}, CAST(NULL AS bigint), true FROM {table} WHERE {column} <> ''",  # noqa: S608 -- our own
        named_by=f"SELECT {column}, min('tasks/' || {task}) FROM {table} "  # noqa: S608 -- as above
        f"WHERE {column} = ANY(:hashes) GROUP BY 1",
        cure=cure,
    )
