"""Drafts: answers of the wizard that were not submitted yet (W14)."""

from dataclasses import dataclass
from datetime import datetime

from loupe.errors import InvalidArgument

from services.kit.etag import require_etag

# Of one person; one more takes the place of the one that was updated least recently.
MAX_DRAFTS = 50
# Two texts of 64 Ki characters and 500 data paths fit.
MAX_BYTES = 600_000
_STEPS = range(1, 6)


class BadDraft(InvalidArgument):
    """The draft cannot be kept."""

    reason = "BAD_DRAFT"


@dataclass(frozen=True, slots=True)
class Draft:
    """Answers that somebody gave."""

    owner: str
    id: str
    # Serialised by whoever keeps them; nothing here depends on what they say.
    training: bytes
    # The step that was looked at last.
    step: int
    # 0: not kept yet.
    revision: int = 0
    update_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name, which means another draft to everybody."""
        return f"drafts/{self.id}"

    @property
    def etag(self) -> str:
        """Changes with every update; empty while nothing is kept."""
        return str(self.revision) if self.revision else ""

    def require_sound(self) -> None:
        """Raise BadDraft for a step that there is not, or for more than is kept."""
        if self.step not in _STEPS:
            raise BadDraft(
                f"step must be from {_STEPS[0]} to {_STEPS[-1]}, not {self.step}", field="draft.step"
            )
        if len(self.training) > MAX_BYTES:
            raise BadDraft(
                f"the answers have {len(self.training)} bytes; at most {MAX_BYTES} are kept",
                reason="DRAFT_TOO_LARGE",
                field="draft.training",
            )

    def holds(self, other: "Draft") -> bool:
        """Whether this is kept and has the same answers."""
        return bool(self.revision) and (self.training, self.step) == (other.training, other.step)

    def require_etag(self, etag: str) -> None:
        """Raise EtagMismatch unless the caller saw this draft; who saw none has an empty etag."""
        if etag or self.etag:
            require_etag(self.name, etag or "none", self.etag)
