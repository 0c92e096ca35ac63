"""A limit on the time of one search, in the database and in the matcher."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import QueryError

_OPERATIONS = 10_000  # of SQLite's machine between two looks at the clock


@asynccontextmanager
async def guard(conn: AsyncConnection, seconds: float) -> AsyncIterator[Callable[[], None]]:
    """Ends a search that takes longer than ``seconds``, in the database and in the matcher; QueryError."""
    deadline = time.monotonic() + seconds
    broad = QueryError("this looks at too much at once; add a word, a source or a time, such as since:30d")

    def check() -> None:
        if time.monotonic() > deadline:
            raise broad

    limited = _limited_postgresql if conn.dialect.name == "postgresql" else _limited_sqlite
    try:
        async with limited(conn, seconds, deadline):
            yield check
    except DBAPIError as error:
        if time.monotonic() > deadline and any(
            sign in str(error.orig) for sign in ("interrupted", "canceling statement")
        ):
            raise broad from error
        raise


@asynccontextmanager
async def _limited_sqlite(conn: AsyncConnection, _: float, deadline: float) -> AsyncIterator[None]:
    driver: Any = (await conn.get_raw_connection()).driver_connection
    await driver.set_progress_handler(lambda: time.monotonic() > deadline, _OPERATIONS)
    try:
        yield
    finally:
        await driver.set_progress_handler(None, 0)


@asynccontextmanager
async def _limited_postgresql(conn: AsyncConnection, seconds: float, _: float) -> AsyncIterator[None]:
    setting = text("SELECT set_config('statement_timeout', :limit, true)")
    nested = await conn.begin_nested()  # a statement that is ended takes its transaction with it
    try:
        await conn.execute(setting, {"limit": str(max(1, round(seconds * 1000)))})
        yield
    finally:
        await nested.rollback()  # and the setting; a search changes nothing else
