"""Accounts: what became of every advisory, by its deliveries and by the reasons for silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, case, exists, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import State
from bot.store.schema import advisories, deliveries, suppressions


@dataclass(frozen=True, slots=True)
class Account:
    """Advisories that stood in a document since some moment, each counted once under what became of it.

    ``silent`` counts those that nobody was owed, by reason; ``unaccounted`` should be empty.
    """

    seen: int = 0
    states: dict[State, int] = field(default_factory=dict)  # by the best state of their deliveries
    silent: dict[str, int] = field(default_factory=dict)
    unaccounted: tuple[int, ...] = ()

    @property
    def adds_up(self) -> bool:
        """Whether every advisory was sent, is owed, was refused, or was left out for a reason."""
        return not self.unaccounted and self.seen == sum(self.states.values()) + sum(self.silent.values())


ORDER = (State.SENT, State.UNKNOWN, State.SENDING, State.OWED, State.REFUSED, State.EXPIRED)  # the best first


async def account(conn: AsyncConnection, since: datetime, *, listed: int = 100) -> Account:
    """The account of every advisory seen in a document at ``since`` or later."""
    c = advisories.c
    recent = c.last_seen >= since
    seen = (await conn.execute(select(func.count()).select_from(advisories).where(recent))).scalar_one()
    best = case(*((_has(state), literal(state.value)) for state in ORDER), else_=literal(""))
    ranked = select(c.id.label("id"), best.label("best")).where(recent).subquery()
    rows = await conn.execute(select(ranked.c.best, func.count()).group_by(ranked.c.best))
    states = {State(value): number for value, number in rows if value}
    first = select(func.min(suppressions.c.reason)).where(suppressions.c.advisory_id == ranked.c.id)
    why = select(first.scalar_subquery().label("reason")).where(ranked.c.best == "").subquery()
    reasons = await conn.execute(select(why.c.reason, func.count()).group_by(why.c.reason))
    silent = {reason: number for reason, number in reasons if reason is not None}
    told = exists(select(suppressions.c.reason).where(suppressions.c.advisory_id == ranked.c.id))
    lost = select(ranked.c.id).where(ranked.c.best == "", ~told).order_by(ranked.c.id).limit(listed)
    return Account(seen, states, silent, tuple((await conn.execute(lost)).scalars()))


def _has(state: State) -> ColumnElement[bool]:
    rows = select(deliveries.c.id).where(deliveries.c.advisory_id == advisories.c.id)
    return exists(rows.where(deliveries.c.state == state.value))
