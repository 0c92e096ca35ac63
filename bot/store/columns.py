"""How values are written in a column, so that both databases keep and sort them alike."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import BigInteger, DateTime, Integer, Table, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeDecorator, TypeEngine

T = TypeVar("T")
SHORT = 400  # bytes; a B-tree of PostgreSQL refuses keys over 2,700
CHUNK = 500  # values in one IN list
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL keeps no NUL, UTF-8 no lone surrogates

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only an INTEGER PRIMARY KEY by itself


class Moment(TypeDecorator[datetime]):
    """An aware UTC time: timestamptz, or on SQLite ISO text of fixed width, which sorts as the times do."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.isoformat(timespec="microseconds") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


class Plain(TypeDecorator[str]):
    """A text from outside; what a database cannot hold becomes U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


# Sorts by its bytes on both databases, so that a range of it is a prefix.
PlainBytewise = Plain().with_variant(Plain(collation="C"), "postgresql")


class Json(TypeDecorator[Any]):
    """A small structure as JSON text; lists come back as lists."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else storable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def storable(text: str) -> str:
    """``text`` without the characters that a database cannot hold."""
    return _UNSTORABLE.sub("\ufffd", text)


def short(text: str) -> str:
    """``text`` where it is short enough to be a key of an index, else its hash."""
    text = storable(text)
    raw = text.encode()
    return text if len(raw) <= SHORT else "sha256:" + hashlib.sha256(raw).hexdigest()


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """``values`` in lists of at most ``size``."""
    listed = list(values)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


def insert(conn: AsyncConnection, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, which both databases spell alike."""
    return postgresql.insert(table) if conn.dialect.name == "postgresql" else sqlite.insert(table)
