"""Opening, migrating and copying a database; each way it can fail is one clear line."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, text

from bot.errors import StoreError
from bot.store import meta
from bot.store.backup import backup
from bot.store.engine import Store, open_store
from bot.store.migrate import SCRIPTS, configuration, migrate

NOW = datetime(2020, 5, 26, 12, tzinfo=UTC)
LATER = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade():
    op.add_column("meta", sa.Column("note", sa.Text()))
"""


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations of a version to come."""
    scripts = tmp_path / "later"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "0002_later.py").write_text(LATER)
    return scripts


async def put(url: str, value: str) -> None:
    store = await open_store(url)
    async with store.begin() as conn:
        await meta.put(conn, "word", value)
    await store.close()


async def word(url: str) -> str | None:
    store = await open_store(url)
    async with store.read() as conn:
        found = await meta.get(conn, "word")
    await store.close()
    return found


async def test_the_migrations_lead_to_the_schema(store: Store) -> None:
    def compare(connection: Connection) -> None:
        config = configuration()
        config.attributes["connection"] = connection
        command.check(config)  # raises when a table, column, index or key differs

    async with store.begin() as conn:
        await conn.run_sync(compare)


async def test_several_nodes_may_start_at_once(new_database: Callable[..., str]) -> None:
    url = new_database(empty=True)
    stores = [await open_store(url) for _ in range(3)]
    try:
        await asyncio.gather(*(migrate(one, now=NOW) for one in stores))
        async with stores[2].begin() as conn:
            await meta.put(conn, "word", "ready")
    finally:
        for one in stores:
            await one.close()


async def test_an_older_database_is_copied_and_then_migrated(new_database: Callable[..., str], later: Path) -> None:
    url = new_database()
    await put(url, "old")
    store = await open_store(url)
    try:
        copy = await migrate(store, now=NOW, scripts=later)
        async with store.read() as conn:
            assert (await conn.execute(text("SELECT value, note FROM meta"))).all() == [("old", None)]
        assert await migrate(store, now=NOW, scripts=later) is None
    finally:
        await store.close()
    if store.dialect == "sqlite":
        assert copy is not None
        assert copy.name == f"{Path(url).name}.before-0002-20200526T120000"
        assert await word(str(copy)) == "old"


async def test_a_newer_database_is_refused_and_left_alone(new_database: Callable[..., str], later: Path) -> None:
    store = await open_store(new_database())
    try:
        await migrate(store, now=NOW, scripts=later)
        with pytest.raises(StoreError, match=r"written by a newer Wardwatch \(schema 0002\); install that version"):
            await migrate(store, now=NOW)
        async with store.read() as conn:
            assert (await conn.execute(text("SELECT version_num FROM alembic_version"))).scalar() == "0002"
    finally:
        await store.close()


async def test_a_migration_that_fails_changes_nothing(new_database: Callable[..., str], later: Path) -> None:
    broken = later / "versions" / "0002_later.py"
    broken.write_text(broken.read_text() + '    raise RuntimeError("power cut")\n')
    store = await open_store(new_database())
    try:
        with pytest.raises(RuntimeError):
            await migrate(store, now=NOW, scripts=later)
        assert await migrate(store, now=NOW) is None  # still at the revision it had
        async with store.read() as conn:
            assert (await conn.execute(text("SELECT * FROM meta"))).keys() == ["name", "value"]
    finally:
        await store.close()


async def test_a_table_of_somebody_else_is_not_taken_over(new_database: Callable[..., str]) -> None:
    store = await open_store(new_database(empty=True))
    try:
        async with store.begin() as conn:
            await conn.execute(text("CREATE TABLE deliveries (id INTEGER)"))
        with pytest.raises(StoreError, match="holds a table deliveries that Wardwatch did not make"):
            await migrate(store, now=NOW)
    finally:
        await store.close()


async def test_a_locked_database_is_told_within_the_time(tmp_path: Path) -> None:
    url = str(tmp_path / "ward.db")
    store = await open_store(url, patience=0.2)
    other = sqlite3.connect(url, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreError, match="locked by another program; stop it"):
            async with asyncio.timeout(3), store.begin():
                pass
        async with store.read() as conn:  # readers do not wait
            assert (await conn.execute(text("SELECT 1"))).scalar() == 1
    finally:
        other.close()
        await store.close()


async def test_writers_of_one_process_take_turns(sqlite_store: Store) -> None:
    async def count() -> None:
        async with sqlite_store.begin() as conn:
            before = int(await meta.get(conn, "n") or 0)
            await asyncio.sleep(0)
            await meta.put(conn, "n", str(before + 1))

    await asyncio.gather(*(count() for _ in range(40)))
    async with sqlite_store.read() as conn:
        assert await meta.get(conn, "n") == "40"


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("mysql://ward:s3cret@localhost/ward", "mysql:// is no database that Wardwatch knows"),
        ("sqlite://", "the database needs a file"),
        (":memory:", "the database needs a file"),
        ("postgresql://ward:s3cret@127.0.0.1:1/ward", "PostgreSQL cannot be reached; check that it runs"),
        ("postgresql://ward@127.0.0.1:1/ward?password=s3cret", "PostgreSQL cannot be reached"),
        ("postgresql://ward:s3cret@127.0.0.1:port/ward", "url cannot be read; write postgresql://"),
    ],
)
async def test_a_wrong_url_is_one_line_without_its_password(url: str, line: str) -> None:
    with pytest.raises(StoreError) as caught:
        await open_store(url, patience=2)
    assert line in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_missing_database_of_postgresql_is_named(postgresql: str) -> None:
    with pytest.raises(StoreError, match="no such database; create it"):
        await open_store(postgresql.format(name="nowhere"))


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database " * 100)
    with pytest.raises(StoreError, match="this is no database, or it is damaged"):
        await open_store(str(file))
    with pytest.raises(StoreError, match="the database's directory cannot be made"):
        await open_store(str(file / "ward.db"))


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may write anything: be nobody for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "line"),
    [(0o444, 0o777, "the database cannot be written"), (None, 0o555, "the database cannot be opened")],
)
async def test_a_file_that_may_not_be_written_is_told(file_mode: int | None, folder_mode: int, line: str) -> None:
    with tempfile.TemporaryDirectory(prefix="wardwatch-") as name:
        folder = Path(name)
        if file_mode:
            sqlite3.connect(folder / "ward.db").close()
            (folder / "ward.db").chmod(file_mode)
        os.chmod(folder, folder_mode)
        with unprivileged(), pytest.raises(StoreError, match=line):
            await open_store(str(folder / "ward.db"))
        os.chmod(folder, 0o700)


async def test_a_full_disk_is_told_and_nothing_is_lost(sqlite_store: Store) -> None:
    async with sqlite_store.begin() as conn:
        await meta.put(conn, "word", "kept")
        pages = (await conn.execute(text("PRAGMA page_count"))).scalar_one()

    async def fill() -> None:
        async with sqlite_store.begin() as conn:
            await conn.execute(text(f"PRAGMA max_page_count = {pages}"))
            await meta.put(conn, "word", "x" * 1_000_000)

    with pytest.raises(StoreError, match="the disk is full"):
        await fill()
    async with sqlite_store.read() as conn:
        assert await meta.get(conn, "word") == "kept"


async def test_a_backup_is_whole_while_the_database_is_written(sqlite_store: Store, tmp_path: Path) -> None:
    async with sqlite_store.begin() as conn:
        await meta.put(conn, "word", "before")
    async with sqlite_store.begin() as conn:
        await meta.put(conn, "word", "not committed")
        target = await backup(sqlite_store.url, tmp_path / "copy.db")
    assert [name for name in os.listdir(tmp_path) if "copy" in name] == ["copy.db"]
    assert await word(str(target)) == "before"
    with pytest.raises(StoreError, match="is the database itself"):
        await backup(sqlite_store.url, Path(str(sqlite_store.file)))
    with pytest.raises(StoreError, match="the copy could not be written"):
        await backup(sqlite_store.url, tmp_path / "missing" / "copy.db")
    with pytest.raises(StoreError, match="there is no database to copy"):
        await backup(str(tmp_path / "none.db"), tmp_path / "copy.db")


async def test_a_backup_of_postgresql_names_its_tool(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="pg_dump") as caught:
        await backup("postgresql://ward:s3cret@localhost/ward", tmp_path / "copy")
    assert "s3cret" not in str(caught.value)


async def test_nothing_that_is_shown_holds_the_password(tmp_path: Path) -> None:
    store = await open_store(str(tmp_path / "ward.db"))
    assert repr(store) == f"Store(sqlite:///{tmp_path}/ward.db)"
    await store.close()
