"""How many bytes of samples a dataset, or the data paths of a user, may list (D10)."""

from dataclasses import dataclass

from loupe.errors import FailedPrecondition
from loupe.text import human_bytes
from loupe.translation import sentence

ALL = "-"
"""In place of an id: each dataset, or user, that has no quota of its own."""


class StorageQuotaExceeded(FailedPrecondition):
    """An import needs more bytes than the quota leaves."""

    reason = "STORAGE_QUOTA_EXCEEDED"


@dataclass(frozen=True, slots=True)
class StorageQuota:
    """What a dataset or a user stores, and may store; in bytes."""

    subject: str
    """`datasets/{dataset}` or `users/{user}`."""
    used_bytes: int
    limit_bytes: int | None = None
    """None: there is no limit."""
    inherited: bool = False
    """The limit is that of all without one of their own."""

    def leaves_room(self, added_bytes: int) -> bool:
        """Whether so many bytes more are within the limit."""
        return self.limit_bytes is None or self.used_bytes + added_bytes <= self.limit_bytes

    def require_room(self, added_bytes: int) -> None:
        """StorageQuotaExceeded unless so many bytes more are within the limit."""
        if self.limit_bytes is None or self.leaves_room(added_bytes):
            return
        told = sentence(
            "{subject} stores {used} of the {limit} that it may, and the next files need {needed}; delete "
            "data that nobody needs and have an administrator purge the bin, or have one raise the quota "
            "(`loupe quotas set {subject}`)",
            subject=self.subject,
            used=human_bytes(self.used_bytes),
            limit=human_bytes(self.limit_bytes),
            needed=human_bytes(added_bytes),
        )
        raise StorageQuotaExceeded(
            told.english,
            message_zh=told.chinese,
            subject=self.subject,
            used_bytes=self.used_bytes,
            limit_bytes=self.limit_bytes,
        )
