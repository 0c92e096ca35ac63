"""Destinations: the channels and persons that deliveries go to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.columns import chunks, insert
from bot.store.schema import destinations


@dataclass(frozen=True, slots=True)
class Destination:
    """A channel or a person."""

    id: str  # "slack:C0123"
    state: Literal["active", "stopped"] = "active"
    reason: str = ""  # why it was stopped
    since: datetime | None = None  # when its state last changed
    owner: str = ""  # who is told when it stops
    blocked_until: datetime | None = None  # nothing is sent before: the platform asked for a pause, or a send failed


async def ensure(conn: AsyncConnection, ids: Iterable[str], *, owner: str = "") -> None:
    """Know these destinations; known ones stay as they are."""
    for part in chunks(sorted(set(ids))):
        rows = [{"id": name, "state": "active", "reason": "", "owner": owner} for name in part]
        await conn.execute(insert(conn, destinations).values(rows).on_conflict_do_nothing())


async def get(conn: AsyncConnection, destination: str) -> Destination | None:
    """One destination, or None."""
    row = (await conn.execute(select(destinations).where(destinations.c.id == destination))).first()
    return Destination(*row) if row else None


async def every(conn: AsyncConnection) -> list[Destination]:
    """All destinations by id."""
    return [Destination(*row) for row in await conn.execute(select(destinations).order_by(destinations.c.id))]


async def set_owner(conn: AsyncConnection, destination: str, owner: str) -> None:
    """Who is told when ``destination`` stops."""
    await ensure(conn, [destination])
    await conn.execute(update(destinations).where(destinations.c.id == destination).values(owner=owner))


async def stop(conn: AsyncConnection, destination: str, reason: str, now: datetime) -> bool:
    """Send nothing more there; False when it was stopped already."""
    return await _change(conn, destination, "stopped", reason, now)


async def start(conn: AsyncConnection, destination: str, now: datetime) -> bool:
    """Send there again, from now on; False when it was active already."""
    return await _change(conn, destination, "active", "", now)


async def _change(conn: AsyncConnection, destination: str, state: str, reason: str, now: datetime) -> bool:
    await ensure(conn, [destination])
    changes = update(destinations).where(destinations.c.id == destination, destinations.c.state != state)
    values = {"state": state, "reason": reason, "since": now, "blocked_until": None}
    return (await conn.execute(changes.values(values))).rowcount > 0


async def block(conn: AsyncConnection, destination: str, until: datetime) -> None:
    """Send nothing there before ``until``; a longer pause that was asked for before holds."""
    longer = or_(destinations.c.blocked_until.is_(None), destinations.c.blocked_until < until)
    await conn.execute(update(destinations).where(destinations.c.id == destination, longer).values(blocked_until=until))


async def stopped(conn: AsyncConnection) -> int:
    """How many destinations are stopped."""
    query = select(func.count()).select_from(destinations).where(destinations.c.state == "stopped")
    return (await conn.execute(query)).scalar_one()
