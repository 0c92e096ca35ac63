"""What Wardwatch does of itself beside polling and delivering: the watchdog, the daily heartbeat, the nightly account.

Each round looks at the store, and owes the operators a notice where they must know something.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.model import Source, State
from bot.route import notice
from bot.store import deliveries, destinations, polls, sources
from bot.store.accounts import Account, account
from bot.store.engine import Connection, Store
from bot.store.sources import SourceState
from bot.watchdog import Health, News, examine, news

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
KEPT_POLLS = timedelta(days=90)


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
            states = await sources.all_states(conn)
            found: list[News] = []
            for source in self._sources:
                state = states.get(source.id)
                if state is None:
                    continue
                times = await polls.entry_times(conn, source.id)
                troubles = examine(source, _health(state, times), now)
                told = news(source, state.reported, troubles)
                if told is not None:
                    await sources.save(conn, replace(state, reported=tuple(map(str, troubles))))
                    found.append(told)
            lines = [line for told in found for line in told.lines()]
            if lines:
                text = "\n".join([_heading(found), *lines])
                await deliveries.owe(conn, [notice(self._operators, "sources", text, now)], now)
        if lines:
            self._wake([self._operators])
            log.warning("watchdog changes=%d first=%r", len(lines), lines[0])
        return lines

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
            f"Wardwatch is well: {healthy} of {len(self._sources)} sources healthy, {totals.entries} entries read, "
            f"{counts[State.SENT]} messages sent, {open_rows} owed, {counts[State.REFUSED]} refused in the last day"
            + (f"; {stopped} channels stopped" if stopped else "")
        )

    async def reconcile(self) -> Account:
        """The account of the last day; the operators are told when it does not add up. Old polls are dropped."""
        now = self._clock()
        async with self._store.begin() as conn:
            found = await account(conn, now - DAY)
            await polls.prune(conn, now - KEPT_POLLS)
            if not found.adds_up:
                ids = ", ".join(map(str, found.unaccounted[:10])) or "none listed"
                text = f"The account does not add up\n{len(found.unaccounted)} advisories without a reason: {ids}"
                await deliveries.owe(conn, [notice(self._operators, "account", text, now)], now)
        if not found.adds_up:
            self._wake([self._operators])
        log.info("reconcile seen=%d unaccounted=%d", found.seen, len(found.unaccounted))
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


def _heading(found: Sequence[News]) -> str:
    begun = sum(1 for one in found if one.begun)
    over = sum(1 for one in found if one.over)
    parts = [f"{begun} in trouble" if begun else "", f"{over} recovered" if over else ""]
    return f"Sources: {', '.join(part for part in parts if part)}"
