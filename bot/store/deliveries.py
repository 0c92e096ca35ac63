"""The ledger: what is owed to whom, where it stands, and every attempt. It is the truth; a queue only wakes.

Order within a destination is the order of ids among what has fallen due; a row never falls due before an earlier one of
its own subject. Nothing is due while an outcome is open (``sending``, ``unknown``), and nothing before the end of a
destination's pause: putting off one row after a failed send puts off its destination.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, exists, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import Delivery, Kind, Owed, State
from bot.store import destinations as places
from bot.store.columns import Moment, chunks
from bot.store.columns import insert as insert_or
from bot.store.schema import attempts, deliveries, destinations, is_held, is_owed

_D = deliveries.c
_MANY = 5000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to send a delivery, or to learn what became of it."""

    delivery_id: int
    at: datetime
    outcome: str
    reason: str


async def owe(conn: AsyncConnection, owed: Iterable[Owed], now: datetime) -> int:
    """Enter what is owed, in the order given; how many of it were new. What is there already stays as it is."""
    new = 0
    for part in chunks(owed, 5000):
        await places.ensure(conn, {one.destination for one in part})
        statement = insert_or(conn, deliveries).on_conflict_do_nothing().returning(_D.id)
        ids = (await conn.execute(statement, [_columns(one, now) for one in part])).scalars().all()
        if ids and any(one.kind is not Kind.STORY for one in part):
            await _keep_order(conn, min(ids))
        new += len(ids)
    if new >= _MANY and conn.dialect.name == "postgresql":
        await conn.execute(text("ANALYZE deliveries"))  # it would plan for an empty ledger until it looks by itself
    return new


async def _keep_order(conn: AsyncConnection, first: int) -> None:
    """Let no row from ``first`` on fall due before an earlier one of its subject (a story kept for the morning)."""
    earlier = deliveries.alias("earlier")
    same = and_(earlier.c.destination == _D.destination, earlier.c.subject == _D.subject, earlier.c.id < _D.id)
    # Not in the words of the indexes of what is owed: they would be read whole for each row; that by subject serves.
    owed_earlier = earlier.c.state.concat("") == State.OWED.value
    latest = select(func.max(earlier.c.due_at)).where(same, owed_earlier).correlate(deliveries).scalar_subquery()
    late = update(deliveries).where(
        _D.id >= first, _D.kind != Kind.STORY.value, is_owed(deliveries), latest > _D.due_at
    )
    await conn.execute(late.values(due_at=latest))


def _columns(one: Owed, now: datetime) -> dict[str, Any]:
    columns = ["destination", "subject", "kind", "revision", "due_at", "advisory_id", "text"]
    return {
        **{name: getattr(one, name) for name in columns},
        "kind": one.kind.value,
        "because": list(one.because),
        "state": State.OWED.value,
        "attempts": 0,
        "sent_as": "",
        "reason": "",
        "created_at": now,
    }


async def due(conn: AsyncConnection, destination: str, now: datetime, limit: int) -> list[Delivery]:
    """What may be sent to ``destination`` now, in order, at most ``limit``."""
    takes = select(destinations.c.id).where(destinations.c.id == destination, _open(now))
    if (await conn.execute(takes)).first() is None:  # asked apart: PostgreSQL would sort the whole ledger for a join
        return []
    query = select(deliveries).where(_D.destination == destination, is_owed(deliveries), _D.due_at <= now)
    return [_delivery(row) for row in await conn.execute(query.order_by(_D.id).limit(limit))]


def _open(now: datetime) -> ColumnElement[bool]:
    """The destination takes messages: active, not pausing, no outcome open."""
    c, held = destinations.c, deliveries.alias("held")
    undecided = exists(select(held.c.id).where(held.c.destination == c.id, is_held(held)))
    return and_(c.state == "active", or_(c.blocked_until.is_(None), c.blocked_until <= now), ~undecided)


def _earliest() -> Any:
    """The earliest due time of a destination's owed rows."""
    first = select(func.min(_D.due_at)).where(_D.destination == destinations.c.id, is_owed(deliveries))
    return first.correlate(destinations).scalar_subquery()


async def destinations_due(conn: AsyncConnection, now: datetime) -> list[tuple[str, datetime]]:
    """Destinations for which ``due`` gives something now, with their earliest due time, the longest waiting first."""
    each = select(destinations.c.id, _earliest().label("due_at")).where(_open(now)).subquery()
    rows = await conn.execute(select(each).where(each.c.due_at <= now).order_by(each.c.due_at, each.c.id))
    return [(destination, due_at) for destination, due_at in rows]


async def next_due(conn: AsyncConnection) -> datetime | None:
    """When something falls due next (it may be past), as far as no outcome is open; None when nothing is owed."""
    c, held = destinations.c, deliveries.alias("held")
    undecided = exists(select(held.c.id).where(held.c.destination == c.id, is_held(held)))
    each = select(_earliest().label("due_at"), c.blocked_until).where(c.state == "active", ~undecided).subquery()
    pausing = and_(each.c.blocked_until.is_not(None), each.c.blocked_until > each.c.due_at)
    moment = func.min(case((pausing, each.c.blocked_until), else_=each.c.due_at), type_=Moment())
    found: datetime | None = (await conn.execute(select(moment).where(each.c.due_at.is_not(None)))).scalar()
    return found


async def mark_sending(conn: AsyncConnection, ids: Sequence[int], sent_as: str, now: datetime) -> list[int]:
    """Take owed rows for sending, under the key that the platform's metadata will carry; those that were still owed.

    Commit before the call. A digest takes several rows under one key.
    """
    values: dict[str, Any] = {"state": State.SENDING.value, "sent_as": sent_as, "sending_since": now}
    values |= {"attempts": _D.attempts + 1, "started": func.coalesce(_D.started, now)}
    taken = await _change(conn, ids, values, (State.OWED,))
    return sorted(taken)


async def mark_sent(conn: AsyncConnection, ids: Sequence[int], ref: str | None, now: datetime) -> None:
    """The platform has it; ``ref`` is its receipt."""
    values = {"state": State.SENT.value, "ref": ref, "settled_at": now, "reason": ""}
    await _change(conn, ids, values, (State.OWED, State.SENDING, State.UNKNOWN))


async def mark_unknown(conn: AsyncConnection, ids: Sequence[int]) -> None:
    """The answer was lost: it may or may not be there."""
    await _change(conn, ids, {"state": State.UNKNOWN.value}, (State.SENDING,))


async def mark_owed_again(conn: AsyncConnection, ids: Sequence[int], due_at: datetime) -> None:
    """It is certainly not there: owed again, and nothing goes to its destination before ``due_at``."""
    values = {"state": State.OWED.value, "sending_since": None}
    await _change(conn, ids, values, (State.OWED, State.SENDING, State.UNKNOWN))
    for part in chunks(ids):
        for (destination,) in await conn.execute(select(_D.destination).where(_D.id.in_(part)).distinct()):
            await places.block(conn, destination, due_at)


async def refuse(conn: AsyncConnection, ids: Sequence[int], reason: str, now: datetime) -> None:
    """The platform will never take it."""
    values = {"state": State.REFUSED.value, "reason": reason, "settled_at": now}
    await _change(conn, ids, values, (State.OWED, State.SENDING, State.UNKNOWN))


async def expire(conn: AsyncConnection, ids: Sequence[int], reason: str, now: datetime) -> None:
    """It was overtaken before it could be sent; what is being sent is left to its outcome."""
    await _change(conn, ids, {"state": State.EXPIRED.value, "reason": reason, "settled_at": now}, (State.OWED,))


async def expire_destination(conn: AsyncConnection, destination: str, reason: str, now: datetime) -> int:
    """Expire all that is owed to a destination; how many that were."""
    values = {"state": State.EXPIRED.value, "reason": reason, "settled_at": now}
    changes = update(deliveries).where(_D.destination == destination, is_owed(deliveries)).values(values)
    return (await conn.execute(changes)).rowcount


async def clock_set_back(conn: AsyncConnection, now: datetime, longest_pause: timedelta) -> int:
    """Undo what a clock that ran ahead put off: rows owed "at once" then, and pauses that end later than any can.

    How many rows and destinations that were.
    """
    ahead = update(deliveries).where(is_owed(deliveries), _D.created_at > now, _D.due_at > now)
    rows = (await conn.execute(ahead.values(due_at=now))).rowcount
    pausing = update(destinations).where(destinations.c.blocked_until > now + longest_pause)
    return rows + (await conn.execute(pausing.values(blocked_until=None))).rowcount


async def _change(
    conn: AsyncConnection, ids: Sequence[int], values: dict[str, Any], before: tuple[State, ...]
) -> list[int]:
    changed: list[int] = []
    for part in chunks(ids):
        rows = update(deliveries).where(_D.id.in_(part), _D.state.in_([state.value for state in before]))
        changed += (await conn.execute(rows.values(values).returning(_D.id))).scalars().all()
    return changed


async def attempt(conn: AsyncConnection, ids: Iterable[int], at: datetime, outcome: str, reason: str = "") -> None:
    """Record one attempt of each of these rows."""
    rows = [{"delivery_id": one, "at": at, "outcome": outcome, "reason": reason} for one in ids]
    if rows:
        await conn.execute(insert(attempts), rows)


async def attempts_of(conn: AsyncConnection, delivery_id: int) -> list[Attempt]:
    """The attempts of a delivery, oldest first."""
    c = attempts.c
    query = select(c.delivery_id, c.at, c.outcome, c.reason).where(c.delivery_id == delivery_id).order_by(c.id)
    return [Attempt(*row) for row in await conn.execute(query)]


async def unfinished(conn: AsyncConnection, *, destination: str | None = None) -> list[Delivery]:
    """Rows whose outcome is open, in order: all of them, or those of one destination."""
    query = select(deliveries).where(is_held(deliveries)).order_by(_D.destination, _D.id)
    if destination is not None:
        query = query.where(_D.destination == destination)
    return [_delivery(row) for row in await conn.execute(query)]


async def get(conn: AsyncConnection, delivery_id: int) -> Delivery | None:
    """One row of the ledger, or None."""
    row = (await conn.execute(select(deliveries).where(_D.id == delivery_id))).first()
    return _delivery(row) if row else None


async def of_story(conn: AsyncConnection, story_id: int, *, destination: str | None = None) -> list[Delivery]:
    """Everything owed or sent about a story, in order: to all destinations, or to one."""
    query = select(deliveries).where(_D.subject == story_subject(story_id)).order_by(_D.id)
    if destination is not None:
        query = query.where(_D.destination == destination)
    return [_delivery(row) for row in await conn.execute(query)]


async def of_advisory(conn: AsyncConnection, advisory_id: int) -> list[Delivery]:
    """Everything owed or sent because of an advisory, in order."""
    query = select(deliveries).where(_D.advisory_id == advisory_id).order_by(_D.id)
    return [_delivery(row) for row in await conn.execute(query)]


async def thread_of(conn: AsyncConnection, destination: str, story_id: int) -> str | None:
    """The receipt of the card that a destination has of a story: its thread. None where it has none."""
    query = select(_D.ref).where(
        _D.destination == destination,
        _D.subject == story_subject(story_id),
        _D.kind == Kind.STORY.value,
        _D.state == State.SENT.value,
    )
    return (await conn.execute(query.order_by(_D.id).limit(1))).scalar()


async def counts(conn: AsyncConnection, *, since: datetime | None = None) -> dict[State, int]:
    """How many rows stand in each state; with ``since``, settled ones count from then only."""
    query = select(_D.state, func.count()).group_by(_D.state)
    if since is not None:
        query = query.where(or_(_D.settled_at >= since, is_owed(deliveries), is_held(deliveries)))
    found = {State(state): number for state, number in await conn.execute(query)}
    return {state: found.get(state, 0) for state in State}


async def owed_by_destination(conn: AsyncConnection) -> dict[str, int]:
    """How many rows are owed to each destination that is owed any."""
    query = select(_D.destination, func.count().label("rows")).where(is_owed(deliveries)).group_by(_D.destination)
    return {row.destination: row.rows for row in await conn.execute(query)}


def story_subject(story_id: int) -> str:
    """The subject of deliveries about a story."""
    return f"story:{story_id}"


def _delivery(row: Row[Any]) -> Delivery:
    as_they_are = "id destination subject revision due_at advisory_id text attempts ref"
    rest = "sending_since started sent_as reason settled_at"
    values = {name: getattr(row, name) for name in f"{as_they_are} {rest}".split()}
    return Delivery(**values, kind=Kind(row.kind), state=State(row.state), because=tuple(row.because))
