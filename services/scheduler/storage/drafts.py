"""Drafts of the wizard (W14)."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduler.domain.draft import MAX_DRAFTS, Draft
from services.scheduler.storage.tables import drafts

# Of all drafts: one that is kept anew has another revision than it ever had.
_NEXT_REVISION: Any = sa.text("nextval('draft_revisions')")


class Drafts:
    """The drafts of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self, owner: str) -> None:
        """Let no other transaction change the drafts of this person until this one has ended."""
        await self._session.execute(
            sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"draft {owner}", 0)))
        )

    async def get(self, owner: str, draft_id: str) -> Draft:
        """The draft; an empty one of revision 0 where nothing is kept."""
        row = (
            await self._session.execute(
                sa.select(drafts).where(drafts.c.owner == owner, drafts.c.id == draft_id)
            )
        ).one_or_none()
        if row is None:
            return Draft(owner, draft_id, b"", 1)
        return Draft(owner, draft_id, bytes(row.training), row.step, row.revision, row.update_time)

    async def put(self, draft: Draft) -> None:
        """Keep the answers, and no more drafts of this person than MAX_DRAFTS."""
        values = {
            "training": draft.training,
            "step": draft.step,
            "revision": _NEXT_REVISION,
            "update_time": sa.func.statement_timestamp(),
        }
        await self._session.execute(
            insert(drafts)
            .values(owner=draft.owner, id=draft.id, **values)
            .on_conflict_do_update(index_elements=["owner", "id"], set_=values)
        )
        kept = (
            sa.select(drafts.c.id)
            .where(drafts.c.owner == draft.owner)
            .order_by(drafts.c.revision.desc())
            .limit(MAX_DRAFTS)
        )
        await self._session.execute(
            sa.delete(drafts).where(drafts.c.owner == draft.owner, drafts.c.id.not_in(kept))
        )

    async def remove(self, draft: Draft) -> None:
        """Forget the answers."""
        await self._session.execute(
            sa.delete(drafts).where(drafts.c.owner == draft.owner, drafts.c.id == draft.id)
        )
