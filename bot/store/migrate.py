"""Brings a database to the schema of this version; an older SQLite file is copied first, a newer database refused."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from bot.errors import StoreError
from bot.store.backup import copy_sqlite
from bot.store.engine import Store

SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x57617264  # "Ward": the advisory lock under which one node of several migrates

log = logging.getLogger(__name__)


def configuration(scripts: Path = SCRIPTS) -> Config:
    """Alembic's configuration, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    return config


async def migrate(store: Store, *, now: datetime, scripts: Path = SCRIPTS) -> Path | None:
    """Bring ``store`` to the newest schema; the copy that was made of an older SQLite file, if any.

    Several nodes may start at once: one migrates, the others wait. Raises StoreError for a database from a newer
    version, and for one that is not ours.
    """
    config = configuration(scripts)
    script = ScriptDirectory.from_config(config)
    async with store.read() as conn:
        current = await conn.run_sync(_current, script, store.url)
    if current == script.get_current_head():
        return None
    copy = None
    if store.file and current:
        copy = store.file.with_name(f"{store.file.name}.before-{script.get_current_head()}-{now:%Y%m%dT%H%M%S}")
        await copy_sqlite(store.file, copy)
    async with store.begin() as conn:
        if store.dialect == "postgresql":
            await conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await conn.run_sync(_upgrade, config, script, store.url)
    log.info("store migrated from=%s to=%s copy=%s", current or "empty", script.get_current_head(), copy or "none")
    return copy


def _current(connection: Connection, script: ScriptDirectory, url: str) -> str | None:
    """The revision a database stands at, None for an empty one."""
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        strange = [name for name in inspect(connection).get_table_names() if name in ("advisories", "deliveries")]
        if strange:
            raise StoreError(
                f"{url}: holds a table {strange[0]} that Wardwatch did not make; use a database of its own"
            )
        return None
    if current not in {revision.revision for revision in script.walk_revisions()}:
        raise StoreError(
            f"{url}: this database was written by a newer Wardwatch (schema {current}); install that version, "
            "or restore the copy made before its upgrade"
        )
    return current


def _upgrade(connection: Connection, config: Config, script: ScriptDirectory, url: str) -> None:
    _current(connection, script, url)  # again, under the lock
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
