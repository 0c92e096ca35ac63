"""What is known of each CVE from KEV, EPSS and CVSS, and of which day. Facts are added or refreshed, never erased."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, and_, case, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.columns import chunks, insert
from bot.store.schema import facts as table


@dataclass(frozen=True, slots=True)
class CveFacts:
    """Facts of one CVE; None where none is known. ``*_as_of`` is when its source said so."""

    cve: str
    kev_added: str | None = None  # ISO date
    kev_due: str | None = None
    ransomware: bool = False
    kev_as_of: datetime | None = None
    epss: float | None = None
    epss_as_of: datetime | None = None
    cvss: float | None = None
    cvss_as_of: datetime | None = None


async def get(conn: AsyncConnection, cves: Iterable[str]) -> dict[str, CveFacts]:
    """What is known of ``cves``, by their upper-case id."""
    found: dict[str, CveFacts] = {}
    for part in chunks({cve.upper() for cve in cves}):
        columns = [table.c[name] for name in CveFacts.__slots__]
        rows = await conn.execute(select(*columns).where(table.c.cve.in_(part)))
        found |= {row.cve: CveFacts(*row) for row in rows}
    return found


async def update(conn: AsyncConnection, facts: Iterable[CveFacts]) -> None:
    """Add these facts; a value that is missing, or older than the one kept, changes nothing."""
    statement = insert(conn, table)
    new = statement.excluded
    changes: dict[str, ColumnElement[Any]] = {}
    for as_of, names in (
        ("kev_as_of", ("kev_added", "kev_due", "kev_as_of")),
        ("epss_as_of", ("epss", "epss_as_of")),
        ("cvss_as_of", ("cvss", "cvss_as_of")),
    ):
        takes = and_(new[names[0]].is_not(None), _not_older(table.c[as_of], new[as_of]))
        changes |= {name: case((and_(takes, new[name].is_not(None)), new[name]), else_=table.c[name]) for name in names}
    changes["ransomware"] = or_(table.c.ransomware, new.ransomware)
    statement = statement.on_conflict_do_update(index_elements=[table.c.cve], set_=changes)
    for part in chunks(facts):
        rows = [{name: getattr(one, name) for name in CveFacts.__slots__} for one in part]
        await conn.execute(statement, [row | {"cve": row["cve"].upper()} for row in rows])


def _not_older(kept: Column[datetime], offered: ColumnElement[datetime]) -> ColumnElement[bool]:
    return or_(kept.is_(None), offered >= kept)
