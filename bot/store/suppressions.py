"""Why something was *not* sent: one short reason for an advisory, or for an advisory and a destination."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.columns import chunks, insert
from bot.store.schema import advisories, deliveries, suppressions


@dataclass(frozen=True, slots=True)
class Suppression:
    """``reason`` is a code (baseline, not-relevant, known-content …); an empty ``destination`` means all of them."""

    advisory_id: int
    reason: str
    at: datetime
    revision: int = 0
    destination: str = ""


async def record(conn: AsyncConnection, suppressed: Iterable[Suppression]) -> None:
    """Keep these; the first reason given for the same thing stays."""
    for part in chunks(suppressed):
        rows = [{name: getattr(one, name) for name in Suppression.__slots__} for one in part]
        await conn.execute(insert(conn, suppressions).on_conflict_do_nothing(), rows)


async def of_advisory(conn: AsyncConnection, advisory_id: int) -> list[Suppression]:
    """Why an advisory was not sent, by revision and destination."""
    c = suppressions.c
    query = select(c.advisory_id, c.reason, c.at, c.revision, c.destination).where(c.advisory_id == advisory_id)
    return [Suppression(*row) for row in await conn.execute(query.order_by(c.revision, c.destination))]


async def unaccounted(conn: AsyncConnection, *, since: datetime | None = None, limit: int = 100) -> list[int]:
    """Ids of advisories that were neither owed to anybody nor suppressed with a reason; there should be none."""
    c = advisories.c
    owed = exists(select(deliveries.c.id).where(deliveries.c.advisory_id == c.id))
    told = exists(select(suppressions.c.reason).where(suppressions.c.advisory_id == c.id))
    query = select(c.id).where(~owed, ~told).order_by(c.id).limit(limit)
    if since is not None:
        query = query.where(c.first_seen >= since)
    return list((await conn.execute(query)).scalars())


async def counts(conn: AsyncConnection, *, since: datetime) -> dict[str, int]:
    """How many suppressions there were for each reason."""
    c = suppressions.c
    query = select(c.reason, func.count().label("rows")).where(c.at >= since).group_by(c.reason)
    return {row.reason: row.rows for row in await conn.execute(query)}
