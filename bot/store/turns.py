"""Turns: transactions that must not run beside each other take one first. On SQLite there is one writer anyway."""

from __future__ import annotations

import zlib

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

INTAKE = "intake"  # whoever groups advisories into stories, or says what the operators were told


async def take_turn(conn: AsyncConnection, name: str = INTAKE) -> None:
    """Wait until no other transaction holds the turn ``name``; it is held until this one ends.

    To be taken before anything is read: what is read afterwards is what the others left.
    """
    if conn.dialect.name == "postgresql":
        await conn.execute(select(func.pg_advisory_xact_lock(zlib.crc32(f"wardwatch:{name}".encode()))))
