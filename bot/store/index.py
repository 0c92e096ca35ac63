"""The words of an advisory as the full-text index keeps them, and the place that puts advisories in order.

The index holds our own tokens, so it finds exactly what the matcher finds: every word of title, summary and names,
every whole form of joined words, and once more, behind a mark, the words of the title and of each named field. A mark
is a private-use character, which no word can hold. The words without marks are kept as a text beside it, in which LIKE
finds what a word ends with or holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.fields import FieldName
from bot.model import Advisory
from bot.store.columns import chunks, storable
from bot.subject import names_text
from bot.text import Tokens, tokens, words

TITLE = "\ue000"
MARKS = {
    FieldName.SOURCE: "\ue001",
    FieldName.ORGANISATION: "\ue002",
    FieldName.VENDOR: "\ue003",
    FieldName.PRODUCT: "\ue004",
    FieldName.SECTOR: "\ue005",
}
MAX_TEXT = 1_000_000  # characters of a title or summary that are kept
MAX_VECTOR = 900_000  # bytes; PostgreSQL refuses a tsvector of 1 MiB
KEY = {"sqlite": "rowid", "postgresql": "place"}  # the column of the index that holds an advisory's place

_ID_BITS = 24
SECOND = 1 << _ID_BITS  # how far the places of two seconds lie apart
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


def place(at: datetime, advisory_id: int) -> int:
    """A number that sorts as (``at`` in whole seconds, ``advisory_id``) do, unique among 16 million neighbours."""
    return first_place(at) | advisory_id & SECOND - 1


def first_place(at: datetime) -> int:
    """The lowest place of the second of ``at``."""
    return ((at - _BEGINNING) // timedelta(seconds=1)) << _ID_BITS


def fitted(advisory: Advisory) -> Advisory:
    """``advisory`` with its texts cut to what both databases can keep and index; hardly ever a change."""
    title, summary = storable(advisory.title[:MAX_TEXT]), storable(advisory.summary[:MAX_TEXT])
    if (title, summary) != (advisory.title, advisory.summary):
        advisory = replace(advisory, title=title, summary=summary)
    while len(advisory.summary) > MAX_VECTOR // 10 and _weight(advisory) > MAX_VECTOR:
        advisory = replace(advisory, summary=advisory.summary[: len(advisory.summary) // 2])
    return advisory


def plain_words(advisory: Advisory) -> set[str]:
    """Every distinct word of title, summary and names."""
    return _forms(tokens(advisory.title)) | _forms(tokens(advisory.summary)) | _forms(tokens(names_text(advisory)))


def marked_words(advisory: Advisory) -> set[str]:
    """The words of the title and of each named field, behind their marks."""
    found = {TITLE + word for word in _forms(tokens(advisory.title))}
    for name, values in named(advisory).items():
        found.update(MARKS[name] + word for value in values for word in words(value))
    return found


def named(advisory: Advisory) -> dict[FieldName, tuple[str, ...]]:
    """The fields that are compared word by word."""
    return {
        FieldName.SOURCE: (advisory.source,),
        FieldName.ORGANISATION: (advisory.organisation,),
        FieldName.VENDOR: advisory.vendors,
        FieldName.PRODUCT: advisory.products,
        FieldName.SECTOR: advisory.sectors,
    }


def _forms(found: Tokens) -> set[str]:
    return {*found.words, *(whole for whole, _ in found.joined.values())}


def _weight(advisory: Advisory) -> int:
    """Bytes in its tsvector."""
    return sum(len(word.encode()) for word in plain_words(advisory) | marked_words(advisory))


def _vector(found: set[str]) -> str:
    """Words as a tsvector literal, which nothing interprets."""
    kept, size = [], 0
    for word in sorted(found):
        size += len(word.encode())
        if size > MAX_VECTOR:
            break
        kept.append(f"'{word}'")
    return " ".join(kept)


_PUT = {
    "sqlite": text("INSERT INTO advisory_words (rowid, plain, marked) VALUES (:place, :plain, :words)"),
    "postgresql": text(
        "INSERT INTO advisory_words (place, plain, words) VALUES (:place, :plain, CAST(:words AS tsvector))"
    ),
}
_DROP = {
    "sqlite": text("DELETE FROM advisory_words WHERE rowid = :place"),
    "postgresql": text("DELETE FROM advisory_words WHERE place = :place"),
}


async def put_many(conn: AsyncConnection, new: Sequence[tuple[int, Advisory]]) -> None:
    """Index advisories, each at its place."""
    dialect = conn.dialect.name
    for part in chunks(new, 8):  # long texts take milliseconds each: let others run between
        await conn.execute(_PUT[dialect], [_entry(dialect, at, advisory) for at, advisory in part])


def _entry(dialect: str, at: int, advisory: Advisory) -> dict[str, object]:
    plain, marked = plain_words(advisory), marked_words(advisory)
    found = " ".join(sorted(marked)) if dialect == "sqlite" else _vector(plain | marked)
    return {"place": at, "plain": f" {' '.join(sorted(plain))} ", "words": found}


async def drop(conn: AsyncConnection, at: int) -> None:
    """Forget what is indexed at a place."""
    await conn.execute(_DROP[conn.dialect.name], {"place": at})
