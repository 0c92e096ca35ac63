"""One row for each poll: what it found and how long it took. Old ones are dropped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import case, delete, func, select
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.schema import advisories, polls


@dataclass(frozen=True, slots=True)
class Poll:
    """One look at one source."""

    source: str
    at: datetime
    status: str  # ok, unchanged, failed
    entries: int = 0
    new: int = 0
    revised: int = 0
    alerts: int = 0
    seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """Polls added up."""

    polls: int
    failed: int
    entries: int
    new: int
    revised: int
    alerts: int


_COLUMNS = [polls.c[name] for name in Poll.__slots__]


async def record(conn: AsyncConnection, poll: Poll) -> None:
    """Keep a poll."""
    await conn.execute(plain_insert(polls).values(asdict(poll)))


async def latest(conn: AsyncConnection, source: str, limit: int = 10) -> list[Poll]:
    """The last polls of a source, newest first."""
    query = select(*_COLUMNS).where(polls.c.source == source).order_by(polls.c.at.desc(), polls.c.id.desc())
    return [Poll(*row) for row in await conn.execute(query.limit(limit))]


async def totals(conn: AsyncConnection, since: datetime) -> Totals:
    """All polls since then, added up."""
    failed = func.sum(case((polls.c.status == "failed", 1), else_=0))
    sums = [func.coalesce(func.sum(polls.c[name]), 0) for name in ("entries", "new", "revised", "alerts")]
    row = (await conn.execute(select(func.count(), func.coalesce(failed, 0), *sums).where(polls.c.at >= since))).one()
    return Totals(*map(int, row))


async def entry_times(conn: AsyncConnection, source: str, limit: int = 100) -> list[datetime]:
    """When the newest advisories of a source came, newest first: its rhythm.

    That is their publication, or when we first saw them where they tell no date or one in the future.
    """
    c = advisories.c
    query = select(c.at, c.first_seen).where(c.source == source).order_by(c.at.desc()).limit(limit)
    return sorted((min(row.at, row.first_seen) for row in await conn.execute(query)), reverse=True)


async def prune(conn: AsyncConnection, before: datetime) -> int:
    """Drop polls older than ``before``; how many those were."""
    return (await conn.execute(delete(polls).where(polls.c.at < before))).rowcount
