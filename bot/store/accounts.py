"""Accounts: what became of every advisory, by its deliveries and by the reasons for silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Subquery, case, exists, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import State
from bot.store.schema import advisories, deliveries, revisions, suppressions


@dataclass(frozen=True, slots=True)
class Account:
    """Advisories that stood in a document since some moment, each counted once under what became of its newest text.

    ``silent`` counts those that nobody was owed, by reason. ``lost`` have neither, which should not be;
    ``unaccounted`` are ids of some of them.
    """

    seen: int = 0
    states: dict[State, int] = field(default_factory=dict)  # by the best state of their deliveries
    silent: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    unaccounted: tuple[int, ...] = ()

    @property
    def adds_up(self) -> bool:
        """Whether every advisory was sent, is owed, was refused, or was left out for a reason."""
        return not self.lost


ORDER = (State.SENT, State.UNKNOWN, State.SENDING, State.OWED, State.REFUSED, State.EXPIRED)  # the best first


async def account(conn: AsyncConnection, since: datetime, *, listed: int = 100) -> Account:
    """The account of every advisory seen in a document at ``since`` or later."""
    each = _each(since)
    counts = select(each.c.state, each.c.reason, func.count()).group_by(each.c.state, each.c.reason)
    states: dict[State, int] = {}
    silent: dict[str, int] = {}
    lost = 0
    for state, reason, number in await conn.execute(counts):  # one statement, one moment
        if state:
            states[State(state)] = states.get(State(state), 0) + number
        elif reason is not None:
            silent[reason] = number
        else:
            lost += number
    missing = select(each.c.id).where(each.c.state == "", each.c.reason.is_(None)).order_by(each.c.id).limit(listed)
    ids = tuple((await conn.execute(missing)).scalars()) if lost else ()
    return Account(sum(states.values()) + sum(silent.values()) + lost, states, silent, lost, ids)


def _each(since: datetime) -> Subquery:
    """Each advisory with the best state of the deliveries that its newest text led to, and a reason where none did."""
    c = advisories.c
    arrived = select(func.max(revisions.c.seen_at)).where(revisions.c.advisory_id == c.id).scalar_subquery()
    text_since = func.coalesce(arrived, c.first_seen)
    best = case(*((_has(state, text_since), literal(state.value)) for state in ORDER), else_=literal(""))
    reasons = select(func.min(suppressions.c.reason)).where(suppressions.c.advisory_id == c.id)
    why = reasons.where(suppressions.c.revision == c.revision).scalar_subquery()
    silent = case((best == "", why), else_=None)
    return select(c.id, best.label("state"), silent.label("reason")).where(c.last_seen >= since).subquery()


def _has(state: State, text_since: ColumnElement[datetime]) -> ColumnElement[bool]:
    rows = select(deliveries.c.id).where(deliveries.c.advisory_id == advisories.c.id)
    return exists(rows.where(deliveries.c.state == state.value, deliveries.c.created_at >= text_since))
