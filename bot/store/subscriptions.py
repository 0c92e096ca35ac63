"""Subscriptions: the standing conditions of channels and persons."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import Subscription
from bot.store import destinations
from bot.store.columns import insert, short
from bot.store.schema import subscriptions

_COLUMNS = [subscriptions.c[name] for name in ("id", "destination", "query", "created_by", "created_at")]


async def add(
    conn: AsyncConnection, destination: str, query: str, created_by: str, now: datetime
) -> tuple[Subscription, bool]:
    """Subscribe a destination to a query; the subscription, and whether it is new."""
    await destinations.ensure(conn, [destination], owner=created_by)
    values = {"destination": destination, "query": query, "identity": short(query)}
    values |= {"created_by": created_by, "created_at": now}  # type: ignore[dict-item]
    statement = insert(conn, subscriptions).values(values).on_conflict_do_nothing().returning(subscriptions.c.id)
    new = (await conn.execute(statement)).scalar() is not None
    c = subscriptions.c
    same = select(*_COLUMNS).where(c.destination == destination, c.identity == short(query))
    return Subscription(*(await conn.execute(same)).one()), new


async def remove(conn: AsyncConnection, destination: str, subscription_id: int) -> Subscription | None:
    """End a subscription of this destination; None when it has none of this id."""
    c = subscriptions.c
    statement = delete(subscriptions).where(c.id == subscription_id, c.destination == destination)
    row = (await conn.execute(statement.returning(*_COLUMNS))).first()
    return Subscription(*row) if row else None


async def of_destination(conn: AsyncConnection, destination: str) -> list[Subscription]:
    """The subscriptions of one destination, oldest first."""
    query = select(*_COLUMNS).where(subscriptions.c.destination == destination).order_by(subscriptions.c.id)
    return [Subscription(*row) for row in await conn.execute(query)]


async def every(conn: AsyncConnection) -> list[Subscription]:
    """All subscriptions, oldest first."""
    return [Subscription(*row) for row in await conn.execute(select(*_COLUMNS).order_by(subscriptions.c.id))]
