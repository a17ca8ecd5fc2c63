"""Use cases of DraftService: everybody's own drafts of the wizard (W14)."""

from services.kit.database import DatabaseSessions
from services.scheduler.domain.draft import Draft
from services.scheduler.storage.drafts import Drafts


class DraftKeeping:
    """Keeps drafts. An owner reaches no other owner's."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def get(self, owner: str, draft_id: str) -> Draft:
        """The draft as it is kept; an empty one where nothing is."""
        async with self._sessions.reading() as session:
            return await Drafts(session).get(owner, draft_id)

    async def update(self, draft: Draft, etag: str) -> Draft:
        """Keep the answers; EtagMismatch unless `etag` is of what is kept. Equal answers change nothing."""
        draft.require_sound()
        async with self._sessions.begin() as session:
            rows = Drafts(session)
            await rows.lock(draft.owner)
            before = await rows.get(draft.owner, draft.id)
            if before.holds(draft):
                # Of a call whose answer was lost, or of another window.
                return before
            before.require_etag(etag)
            await rows.put(draft)
            return await rows.get(draft.owner, draft.id)

    async def delete(self, owner: str, draft_id: str, etag: str) -> None:
        """Forget the answers; nothing happens where none are kept."""
        async with self._sessions.begin() as session:
            rows = Drafts(session)
            await rows.lock(owner)
            before = await rows.get(owner, draft_id)
            if before.revision:
                if etag:
                    before.require_etag(etag)
                await rows.remove(before)
