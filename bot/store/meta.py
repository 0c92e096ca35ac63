"""Small things the whole installation remembers, and which signed requests have acted already."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.columns import insert, short
from bot.store.schema import meta, requests

MEMORY = timedelta(days=1)  # a signature of Slack's is valid for five minutes


async def get(conn: AsyncConnection, name: str) -> str | None:
    """What is remembered under ``name``, or None."""
    return (await conn.execute(select(meta.c.value).where(meta.c.name == name))).scalar()


async def put(conn: AsyncConnection, name: str, value: str) -> None:
    """Remember ``value`` under ``name``."""
    statement = insert(conn, meta).values(name=name, value=value)
    await conn.execute(statement.on_conflict_do_update(index_elements=[meta.c.name], set_={"value": value}))


async def put_once(conn: AsyncConnection, name: str, value: str) -> bool:
    """Remember ``value`` unless something is remembered under ``name``; whether we were the first of several nodes."""
    statement = insert(conn, meta).values(name=name, value=value).on_conflict_do_nothing()
    return (await conn.execute(statement.returning(meta.c.name))).scalar() is not None


async def seen_request(conn: AsyncConnection, signature: str, now: datetime) -> bool:
    """Whether a request with this signature has acted before; from now on it has. Forgotten after a day."""
    await conn.execute(delete(requests).where(requests.c.at < now - MEMORY))
    statement = insert(conn, requests).values(signature=short(signature), at=now).on_conflict_do_nothing()
    return (await conn.execute(statement.returning(requests.c.signature))).scalar() is None
