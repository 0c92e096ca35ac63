"""What is remembered of each source between polls, and which node polls it next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.columns import chunks, insert
from bot.store.schema import sources

LEASE = timedelta(minutes=10)  # a node that died in a poll holds its source so long
_SLACK = timedelta(minutes=5)  # how far the clocks of nodes may differ


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server and a document said last, by which an unchanged one is known."""

    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""
    ttl: float = 0.0  # seconds for which the document asks us to stay away; an unchanged one does not say it again


@dataclass(frozen=True, slots=True)
class SourceState:
    """What is remembered of one source."""

    id: str
    validators: Mapping[str, Validators] = field(default_factory=dict)  # by url
    next_check_at: datetime | None = None  # None: at once
    checked_at: datetime | None = None  # the last poll, however it went
    claimed_until: datetime | None = None  # a node is polling it
    failures: int = 0  # in a row
    failing_since: datetime | None = None
    last_error: str = ""
    last_status: int | None = None  # of HTTP
    last_ok_at: datetime | None = None  # the last document that was read, or unchanged
    last_entry_at: datetime | None = None  # when an entry was last new
    entries: int = 0  # in the last document
    usual: int = 0  # how many entries its documents usually have
    future_dated: int = 0  # entries of the last document that were dated in the future
    moved_to: str = ""  # where a permanent redirect points
    first_polled_at: datetime | None = None  # None: the next document is the baseline
    active_url: str = ""  # the fallback in use; empty for the configured url
    reported: tuple[str, ...] = ()  # troubles the operators were told of and that still last


async def get(conn: AsyncConnection, source: str) -> SourceState:
    """The state of a source; a fresh one when it was never polled."""
    row = (await conn.execute(select(sources).where(sources.c.id == source))).first()
    return _state(row) if row else SourceState(source)


async def all_states(conn: AsyncConnection) -> dict[str, SourceState]:
    """Every source that was ever claimed or polled, by id."""
    return {row.id: _state(row) for row in await conn.execute(select(sources))}


async def save(conn: AsyncConnection, state: SourceState) -> None:
    """Keep ``state`` in place of what was remembered."""
    values = _columns(state)
    statement = insert(conn, sources).values(values)
    await conn.execute(statement.on_conflict_do_update(index_elements=[sources.c.id], set_=values))


async def report(conn: AsyncConnection, source: str, troubles: Iterable[str]) -> None:
    """Note which troubles of a source the operators have been told of; nothing else of it changes."""
    await conn.execute(update(sources).where(sources.c.id == source).values(reported=list(troubles)))


async def claim_due(
    conn: AsyncConnection, now: datetime, limit: int, ids: Iterable[str], *, lease: timedelta = LEASE
) -> list[str]:
    """Take up to ``limit`` of the sources ``ids`` whose next check has come; no other node gets them until ``lease``
    has passed or their state is saved. Longest overdue first.

    A clock that was set back leaves times in the future: they count as come.
    """
    names = sorted(set(ids))
    for part in chunks(names):
        rows = [_columns(SourceState(name)) for name in part]
        await conn.execute(insert(conn, sources).on_conflict_do_nothing(), rows)
    c = sources.c
    come = or_(c.next_check_at.is_(None), c.next_check_at <= now, c.checked_at > now + _SLACK)
    free = or_(c.claimed_until.is_(None), c.claimed_until <= now, c.claimed_until > now + lease + _SLACK)
    due = select(c.id).where(c.id.in_(names), come, free).order_by(c.next_check_at.asc().nulls_first(), c.id)
    chosen = (await conn.execute(due.limit(limit).with_for_update(skip_locked=True))).scalars().all()
    claims = update(sources).where(c.id.in_(chosen), come, free).values(claimed_until=now + lease).returning(c.id)
    claimed = set((await conn.execute(claims)).scalars()) if chosen else set()
    return [name for name in chosen if name in claimed]


async def next_check(conn: AsyncConnection, ids: Iterable[str]) -> datetime | None:
    """When the first of the sources ``ids`` that nobody has claimed falls due; None when there is none."""
    c = sources.c
    moments = [
        (
            await conn.execute(select(func.min(c.next_check_at)).where(c.id.in_(part), c.claimed_until.is_(None)))
        ).scalar()
        for part in chunks(sorted(set(ids)))
    ]
    return min((moment for moment in moments if moment), default=None)


async def release(conn: AsyncConnection, ids: Iterable[str]) -> None:
    """Give back claims without a poll (the node stops)."""
    await conn.execute(update(sources).where(sources.c.id.in_(list(ids))).values(claimed_until=None))


def _columns(state: SourceState) -> dict[str, Any]:
    values = {one.name: getattr(state, one.name) for one in fields(SourceState)}
    values["validators"] = {url: list(astuple(known)) for url, known in state.validators.items()}
    return values | {"reported": list(state.reported)}


def _state(row: Any) -> SourceState:
    values = {one.name: getattr(row, one.name) for one in fields(SourceState)}
    values["validators"] = {url: Validators(*known) for url, known in row.validators.items()}
    return SourceState(**(values | {"reported": tuple(row.reported)}))
