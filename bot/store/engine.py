"""Opens the database and gives transactions; every way in which a database fails becomes one clear StoreError."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from filelock import Timeout as Taken
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import StoreError

Connection = AsyncConnection  # inside a transaction: what every function of the store takes first

_TURN = 60.0  # seconds a writer waits for the writers of its own process


class Store:
    """An open database. ``url`` is fit to be shown, ``dialect`` is ``sqlite`` or ``postgresql``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock() if engine.dialect.name == "sqlite" else None

    def __repr__(self) -> str:
        return f"Store({self.url})"

    @property
    def url(self) -> str:
        return masked(self._engine.url)

    @property
    def dialect(self) -> str:
        return self._engine.dialect.name

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database."""
        return Path(str(self._engine.url.database)) if self.dialect == "sqlite" else None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write: committed when the block ends well, else rolled back.

        On SQLite the writers of one process take turns, and BEGIN IMMEDIATE queues behind other processes, so a
        transaction never fails half way for a lock. Raises StoreError.
        """
        with explained(self.url):
            async with self._writing(), self._engine.begin() as conn:
                yield conn

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads: it sees one state of the database and never waits for a writer."""
        with explained(self.url):
            async with self._engine.connect() as conn:
                await conn.execution_options(only_reads=True)
                async with conn.begin():
                    yield conn

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Held by the one Wardwatch that runs on an SQLite file; it ends with its holder, even a killed one.

        PostgreSQL may be shared. Raises StoreError when another holds it.
        """
        if self.file is None:
            yield
            return
        lock = FileLock(f"{self.file}.running", timeout=0)
        try:
            lock.acquire()
        except Taken as error:
            raise StoreError(
                f"{self.url}: another Wardwatch is running on this database; stop it, or name another file in "
                "WARDWATCH_DATABASE (several nodes need PostgreSQL)"
            ) from error
        except OSError as error:
            raise StoreError(f"{self.url}: its directory cannot be written: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[None]:
        if self._turn is None:
            yield
            return
        try:
            await asyncio.wait_for(self._turn.acquire(), _TURN)
        except TimeoutError as error:
            raise StoreError(f"{self.url}: another write has held the database for {_TURN:.0f} seconds") from error
        try:
            yield
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


async def open_store(url: str, *, patience: float = 5.0, connections: int = 10) -> Store:
    """Open the database at ``url``: ``sqlite:///path``, a bare path, or ``postgresql://user:password@host/name``.

    An SQLite file and its directory are made when missing. ``patience`` in seconds bounds the wait for another
    process's lock, or for a connection. Raises StoreError when the database cannot be used.
    """
    target = parse_url(url)
    engine = (
        _sqlite(target, patience)
        if target.get_backend_name() == "sqlite"
        else _postgresql(target, patience, connections)
    )
    store = Store(engine)
    try:
        async with store.begin() if store.dialect == "sqlite" else store.read() as conn:
            await _check(conn, store)
    except BaseException:
        await store.close()
        raise
    return store


async def _check(conn: AsyncConnection, store: Store) -> None:
    if store.dialect == "sqlite":
        # Written to, in the transaction's own page, and rolled into the same value: a read-only file shows at once.
        version = (await conn.execute(text("PRAGMA user_version"))).scalar_one()
        await conn.execute(text(f"PRAGMA user_version = {int(version)}"))
        return
    encoding = (await conn.execute(text("SHOW server_encoding"))).scalar_one()
    if encoding != "UTF8":
        raise StoreError(f"{store.url}: the database is kept in {encoding}; create one with ENCODING 'UTF8'")


def parse_url(url: str) -> URL:
    """What a person wrote as a SQLAlchemy URL; StoreError when it names no database that Wardwatch can use."""
    if "://" not in url:
        return URL.create("sqlite+aiosqlite", database=_checked_path(url))
    scheme, rest = url.split("://", 1)
    try:
        target = make_url(
            f"{scheme.split('+')[0].replace('postgres', 'postgresql', 1 if scheme == 'postgres' else 0)}://{rest}"
        )
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            "the database's url cannot be read; write postgresql://user:password@host:port/name"
        ) from error
    if target.drivername == "sqlite":
        return URL.create("sqlite+aiosqlite", database=_checked_path(target.database or ""))
    if target.drivername == "postgresql":
        return target.set(drivername="postgresql+psycopg")
    raise StoreError(f"{scheme}:// is no database that Wardwatch knows; use sqlite:///path or postgresql://…")


def _checked_path(path: str) -> str:
    if not path or path == ":memory:":
        raise StoreError("the database needs a file; write sqlite:///var/wardwatch.db")
    return path


def masked(url: URL) -> str:
    """``url`` as it may be shown: no driver, no password."""
    hidden = {name: "***" if "password" in name else value for name, value in url.query.items()}
    return url.set(drivername=url.get_backend_name(), query=hidden).render_as_string(hide_password=True)


def _sqlite(url: URL, patience: float) -> AsyncEngine:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path.parent}: the database's directory cannot be made: {error.strerror}") from error
    try:  # aiosqlite leaves a thread behind where a file cannot be opened, which complains when the loop has gone
        sqlite3.connect(path).close()
    except sqlite3.Error as error:
        raise StoreError(f"{masked(url)}: {_advice(str(error))}") from error
    engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": patience})

    @event.listens_for(engine.sync_engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # BEGIN is said below
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(conn: Any) -> None:
        conn.exec_driver_sql("BEGIN" if conn.get_execution_options().get("only_reads") else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL, patience: float, connections: int) -> AsyncEngine:
    options = {"connect_timeout": max(2, round(patience)), "prepare_threshold": None, "application_name": "wardwatch"}
    engine = create_async_engine(
        url, hide_parameters=True, pool_pre_ping=True, pool_size=connections, connect_args=options
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute("SET jit = off")  # compiling a plan costs more than any query here takes
        cursor.close()
        connection.commit()

    return engine


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turns what the database says into one StoreError that says what to do; mistakes of our own pass."""
    try:
        yield
    except (IntegrityError, ProgrammingError) as error:
        if isinstance(error, ProgrammingError) and "not a database" not in str(error.orig):
            raise
        if isinstance(error, IntegrityError):
            raise
        raise StoreError(f"{url}: {_advice(str(error.orig))}") from error
    except DBAPIError as error:
        raise StoreError(f"{url}: {_advice(str(error.orig))}") from error
    except PoolTimeout as error:
        raise StoreError(f"{url}: all connections are busy; try again") from error


_ADVICE = (
    (
        ("locked", "busy"),
        "the database is locked by another program; stop it (is Wardwatch running twice?) or try again",
    ),
    (("is full", "no space left"), "the disk is full; free some space, nothing was lost"),
    (
        ("readonly", "read-only"),
        "the database cannot be written; give Wardwatch's user permission to write the file and its directory",
    ),
    (("unable to open",), "the database cannot be opened; check that its directory can be written by Wardwatch's user"),
    (("not a database", "malformed"), "this is no database, or it is damaged; name another file or restore a backup"),
    (("disk i/o",), "the disk does not read or write; check it, then restore a backup if the database is damaged"),
    (
        ("password", "authentication", "pg_hba"),
        "PostgreSQL does not let this user in; check user and password in the database's url",
    ),
    (('database "',), "PostgreSQL has no such database; create it (createdb), or correct the name in the url"),
    (
        (
            "refused",
            "could not translate",
            "resolve",
            "timeout",
            "timed out",
            "no route",
            "unreachable",
            "closed",
            "terminat",
            "connection failed",
        ),
        "PostgreSQL cannot be reached; check that it runs, and host and port in the database's url",
    ),
)


def _advice(message: str) -> str:
    lowered = message.lower()
    for signs, advice in _ADVICE:
        if any(sign in lowered for sign in signs):
            return advice
    return " ".join(message.split())[:300]
