"""Stories: advisories about one thing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import Stored, Story
from bot.store.advisories import folded, link, stored, with_cves
from bot.store.columns import chunks
from bot.store.schema import advisories, stories

__all__ = ["candidates", "create", "create_many", "get", "link", "of"]

RECENT = 500


async def create(conn: AsyncConnection, now: datetime) -> int:
    """A new, empty story; its id."""
    return (await create_many(conn, 1, now))[0]


async def create_many(conn: AsyncConnection, number: int, now: datetime) -> list[int]:
    """As many new, empty stories; their ids in order."""
    if not number:
        return []
    rows = await conn.execute(insert(stories).returning(stories.c.id), [{"created_at": now}] * number)
    return sorted(rows.scalars())


async def get(conn: AsyncConnection, story_id: int) -> Story | None:
    """A story with its advisories, oldest first; None when there is none of this id."""
    return (await of(conn, [story_id])).get(story_id)


async def of(conn: AsyncConnection, ids: Iterable[int]) -> dict[int, Story]:
    """Those stories of ``ids`` that exist."""
    members: dict[int, list[Stored]] = {}
    for part in chunks(set(ids)):
        members |= {
            story_id: [] for (story_id,) in await conn.execute(select(stories.c.id).where(stories.c.id.in_(part)))
        }
        query = select(advisories).where(advisories.c.story_id.in_(part)).order_by(advisories.c.id)
        for row in await conn.execute(query):
            members[row.story_id].append(stored(row))
    return {story_id: Story(story_id, tuple(found)) for story_id, found in members.items()}


async def candidates(
    conn: AsyncConnection,
    *,
    cves: Iterable[str] = (),
    urls: Iterable[str] = (),
    since: datetime | None = None,
    limit: int = RECENT,
) -> list[Stored]:
    """Advisories a new one may belong with, oldest first: they name one of ``cves``, stand at one of ``urls``,
    or are among the ``limit`` newest first seen at ``since`` or later.
    """
    found = await with_cves(conn, cves)
    for part in chunks({folded(url) for url in urls if url}):
        rows = await conn.execute(select(advisories).where(advisories.c.url_identity.in_(part)))
        found |= {row.id: stored(row) for row in rows}
    if since is not None:
        query = select(advisories).where(advisories.c.first_seen >= since)
        rows = await conn.execute(query.order_by(advisories.c.first_seen.desc(), advisories.c.id.desc()).limit(limit))
        found |= {row.id: stored(row) for row in rows}
    return [found[advisory_id] for advisory_id in sorted(found)]
