"""A copy of the database while it is in use."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

from bot.errors import StoreError
from bot.store.engine import masked, parse_url


async def backup(url: str, file: Path) -> Path:
    """Copy the database at ``url`` into ``file``, whole and of one moment, while Wardwatch runs. Raises StoreError."""
    target = parse_url(url)
    if target.get_backend_name() != "sqlite":
        raise StoreError(
            f"{masked(target)}: PostgreSQL is backed up by its own tools: pg_dump --format=custom --file={file} …"
        )
    await copy_sqlite(Path(str(target.database)), file)
    return file


async def copy_sqlite(source: Path, file: Path) -> None:
    """Copy an SQLite database; ``file`` appears only when it is whole. Raises StoreError."""
    await asyncio.to_thread(_copy, source, file)


def _copy(source: Path, file: Path) -> None:
    if not source.is_file():
        raise StoreError(f"{source}: there is no database to copy")
    if file.exists() and file.samefile(source):
        raise StoreError(f"{file}: is the database itself; name another file")
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        _copy_pages(source, partial)
        with partial.open("rb") as copied:
            os.fsync(copied.fileno())
        partial.replace(file)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{file}: the copy could not be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _copy_pages(source: Path, partial: Path) -> None:
    reading = sqlite3.connect(source, timeout=5.0)
    try:
        writing = sqlite3.connect(partial)
        try:
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode=DELETE")  # one file, complete without a -wal beside it
            verdict = writing.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise StoreError(f"{source}: the database is damaged: {verdict}; restore an earlier backup")
        finally:
            writing.close()
    finally:
        reading.close()
