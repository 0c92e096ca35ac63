"""Search: the stored advisories that a condition tree matches, newest first, on either database."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Executable,
    Select,
    func,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles

from bot.conditions import Condition, Lexicon, Lexicons, Words, lexicons_used, match
from bot.model import Stored
from bot.store.advisories import stored
from bot.store.asking import advisories_for, place_of
from bot.store.compile import compile_condition
from bot.store.guard import guard
from bot.store.schema import advisories
from bot.subject import Subject
from bot.watch import Watch

SECONDS = 2.0  # no query may take longer
CAP = 1000
_BATCH = 200  # read and confirmed before the event loop has its turn


@dataclass(frozen=True, slots=True)
class Page:
    """Advisories newest first; ``more`` if there are others, which begin ``after`` this page."""

    found: tuple[Stored, ...]
    more: bool = False
    after: int | None = None


async def search(
    conn: AsyncConnection,
    condition: Condition,
    *,
    now: datetime,
    lexicons: Lexicons | None = None,
    limit: int = 10,
    after: int | None = None,
    skip: int = 0,
    seconds: float = SECONDS,
) -> Page:
    """The newest ``limit`` advisories that ``condition`` matches, by publication or first sight.

    A further page begins ``after`` the one before, or leaves out the first ``skip``. Raises QueryError when the
    answer takes longer than ``seconds``.
    """
    found: list[tuple[int, Stored]] = []
    async with (
        guard(conn, seconds) as check,
        aclosing(_matches(conn, condition, now, lexicons or {}, skip + limit + 1, after, check)) as matches,
    ):
        async for one_found in matches:
            found.append(one_found)
            if len(found) > skip + limit:
                break
    page = found[skip : skip + limit]
    more = len(found) > skip + limit
    return Page(tuple(one for _, one in page), more, page[-1][0] if page and more else None)


async def count(
    conn: AsyncConnection,
    condition: Condition,
    *,
    now: datetime,
    lexicons: Lexicons | None = None,
    cap: int = CAP,
    seconds: float = SECONDS,
) -> int:
    """How many advisories ``condition`` matches; counting ends at ``cap``."""
    async with guard(conn, seconds) as check:
        node, exact = compile_condition(condition, now=now, lexicons=lexicons or {})
        if exact:
            rows = advisories_for(conn.dialect.name, node, [literal_column("1")]).limit(cap)
            return (await conn.execute(select(func.count()).select_from(rows.subquery()))).scalar_one()
        number = 0
        async with aclosing(_matches(conn, condition, now, lexicons or {}, cap, None, check)) as matches:
            async for _ in matches:
                number += 1
                if number == cap:
                    break
        return number


async def _matches(
    conn: AsyncConnection,
    condition: Condition,
    now: datetime,
    lexicons: Lexicons,
    wanted: int,
    after: int | None,
    check: Callable[[], None],
) -> AsyncGenerator[tuple[int, Stored], None]:
    """(place, advisory) newest first; what the database could not answer exactly is confirmed by the matcher."""
    node, exact = compile_condition(condition, now=now, lexicons=lexicons)
    confirmed = None if exact else _confirmation(condition, now, lexicons)
    batch = wanted if exact else min(max(50, 2 * wanted), _BATCH)
    dialect = conn.dialect.name
    query = advisories_for(dialect, node, list(advisories.c))
    order = await _order(conn, query, batch) if dialect == "postgresql" else place_of(dialect, node)
    query = query.order_by(order.desc())
    while True:
        beyond = true() if after is None else place_of(dialect, node) < after
        rows = (await conn.execute(query.where(beyond).limit(batch))).all()
        check()
        for row in rows:
            check()
            one = stored(row)
            if confirmed is None or confirmed(one):
                yield row.place, one
        if len(rows) < batch:
            return
        after, batch = rows[-1].place, _BATCH


def _confirmation(condition: Condition, now: datetime, lexicons: Lexicons) -> Callable[[Stored], bool]:
    """The matcher for one tree; its terms are looked for in one pass."""
    watch: Watch[int] = Watch({name: lexicons[name] for name in lexicons_used(condition)})
    watch.add(0, condition)
    reads = _reads(condition)

    def confirmed(one: Stored) -> bool:
        subject = Subject(one.advisory, one.verdict, seen=one.first_seen)
        return match(condition, subject, now=now, finder=watch.scan(subject) if reads else None) is not None

    return confirmed


def _reads(condition: Any) -> bool:
    """Whether a tree asks for words in texts."""
    if isinstance(condition, Words | Lexicon):
        return True
    children = [getattr(condition, name, ()) for name in ("all", "any")]
    below = [child for each in children for child in each] + [getattr(condition, "not_", None)]
    return any(_reads(child) for child in below if child is not None)


async def _order(conn: AsyncConnection, query: Select[Any], batch: int) -> ColumnElement[int]:
    """By what PostgreSQL sorts: reading the newest first pays for what is common, and never ends for what is rare.

    Its planner always hopes for the first (``+ 0`` hides the index from it), so its own estimate of hits decides.
    """
    hits = await _estimate(conn, query)
    total = (await conn.execute(text("SELECT reltuples FROM pg_class WHERE oid = 'advisories'::regclass"))).scalar_one()
    return advisories.c.place if hits * hits > batch * max(total, 1) else advisories.c.place + literal_column("0")


async def _estimate(conn: AsyncConnection, query: Select[Any]) -> float:
    plan = (await conn.execute(_Explain(query.with_only_columns(literal_column("1"))))).scalar_one()
    return float(plan[0]["Plan"]["Plan Rows"])


class _Explain(Executable, ClauseElement):
    """PostgreSQL's plan of a query, as JSON."""

    inherit_cache = False

    def __init__(self, query: Select[Any]) -> None:
        self.query = query


@compiles(_Explain)
def _explain(element: _Explain, compiler: Any, **options: Any) -> str:
    return "EXPLAIN (FORMAT JSON) " + str(compiler.process(element.query, **options))
