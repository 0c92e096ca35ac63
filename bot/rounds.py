"""What Wardwatch does of itself beside polling and delivering: the watchdog, the daily heartbeat, the nightly account.

Each round looks at the store, and owes the operators a notice where they must know something.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from bot.model import Source, State
from bot.route import notice
from bot.store import deliveries, destinations, polls, sources
from bot.store.accounts import Account, account
from bot.store.engine import Connection, Store
from bot.store.sources import SourceState
from bot.store.turns import take_turn
from bot.watchdog import Health, News, examine, news

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
KEPT_POLLS = timedelta(days=90)
SHOWN = 20  # lines of a notice


class Rounds:
    """``operators`` is the destination that is told; ``wake`` is called after each commit that owes it something."""

    def __init__(
        self,
        store: Store,
        source_list: Sequence[Source],
        *,
        operators: str,
        clock: Callable[[], datetime],
        wake: Callable[[Iterable[str]], None],
    ) -> None:
        self._store = store
        self._sources = [source for source in source_list if source.enabled]
        self._operators = operators
        self._clock = clock
        self._wake = wake

    async def watch(self) -> list[str]:
        """Examine every source; what began or ended since the operators were last told, as lines."""
        now = self._clock()
        async with self._store.begin() as conn:
            await take_turn(conn)
            states = await sources.all_states(conn)
            found = [
                told
                for source in self._sources
                if source.id in states and (told := await self._examined(conn, source, states[source.id], now))
            ]
            lines = [line for told in found for line in told.lines()]
            if lines:
                await deliveries.owe(conn, [notice(self._operators, "sources", _text(found, lines), now)], now)
        if lines:
            self._wake([self._operators])
            log.warning("watchdog changes=%d first=%r", len(lines), lines[0])
        return lines

    async def _examined(self, conn: Connection, source: Source, state: SourceState, now: datetime) -> News | None:
        times = await polls.entry_times(conn, source.id)
        told = news(source, state.reported, examine(source, _health(state, times), now))
        if told is not None:
            await sources.report(conn, source.id, told.lasting)
        return told

    async def heartbeat(self) -> str:
        """The daily line: sources healthy, entries read, alerts sent, owed, refused."""
        now = self._clock()
        async with self._store.begin() as conn:
            text = await self._vital_signs(conn, now)
            await deliveries.owe(conn, [notice(self._operators, "heartbeat", text, now, when=f"{now:%Y-%m-%d}")], now)
        self._wake([self._operators])
        log.info("heartbeat text=%r", text)
        return text

    async def _vital_signs(self, conn: Connection, now: datetime) -> str:
        states = await sources.all_states(conn)
        healthy = sum(1 for source in self._sources if _is_well(states.get(source.id)))
        totals = await polls.totals(conn, now - DAY)
        counts = await deliveries.counts(conn, since=now - DAY)
        open_rows = counts[State.OWED] + counts[State.SENDING] + counts[State.UNKNOWN]
        stopped = await destinations.stopped(conn)
        return (
            f"The last day: {healthy} of {len(self._sources)} sources healthy, {totals.entries} entries read, "
            f"{counts[State.SENT]} messages sent, {counts[State.REFUSED]} refused, {open_rows} owed"
            + (f"; {stopped} channels stopped" if stopped else "")
        )

    async def reconcile(self) -> Account:
        """The account of the last day; the operators are told when it does not add up. Old polls are dropped."""
        now = self._clock()
        async with self._store.begin() as conn:
            found = await account(conn, now - DAY)
            await polls.prune(conn, now - KEPT_POLLS)
            if not found.adds_up:
                text = (
                    "The account does not add up\n"
                    f"{found.lost} advisories were neither sent nor left out for a reason: {_ids(found)}"
                )
                told = notice(self._operators, "account", text, now, when=f"{now:%Y-%m-%d}")
                await deliveries.owe(conn, [told], now)
        if not found.adds_up:
            self._wake([self._operators])
        log.info("reconcile seen=%d lost=%d", found.seen, found.lost)
        return found


def _health(state: SourceState, times: Sequence[datetime]) -> Health:
    return Health(
        failures=state.failures,
        failing_since=state.failing_since,
        last_error=state.last_error,
        first_polled_at=state.first_polled_at,
        entry_times=times,
        entries=state.entries,
        usual=state.usual,
        future_dated=state.future_dated,
        moved_to=state.moved_to,
    )


def _is_well(state: SourceState | None) -> bool:
    return state is not None and state.failures == 0 and state.last_ok_at is not None and not state.reported


def _text(found: Sequence[News], lines: Sequence[str]) -> str:
    begun = sum(1 for one in found if one.begun)
    over = sum(1 for one in found if one.over)
    parts = [f"{begun} in trouble" if begun else "", f"{over} recovered" if over else ""]
    more = [f"and {len(lines) - SHOWN} lines more: ask for sources"] if len(lines) > SHOWN else []
    return "\n".join([f"Sources: {', '.join(part for part in parts if part)}", *lines[:SHOWN], *more])


def _ids(found: Account) -> str:
    listed = ", ".join(map(str, found.unaccounted[:10]))
    return f"{listed} …" if found.lost > 10 else listed
