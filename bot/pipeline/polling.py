"""The steps of a poll.

The network and the parser come first, outside any transaction. Then one transaction keeps everything together:
advisories, deliveries, the validators by which the document is known, and when to look again. A source is never given
up.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.errors import WardwatchError
from bot.feeds.apart import Parser
from bot.feeds.fetch import Fetcher
from bot.intake import Intake, Taken
from bot.model import Source
from bot.pipeline.looking import Seen, documents, look, notes
from bot.pipeline.remembering import is_other_document, news_window, remembered
from bot.store import polls, sources
from bot.store.engine import Store
from bot.store.polls import Poll
from bot.store.turns import take_turn

log = logging.getLogger(__name__)


class Pipeline:
    """Polls sources. ``wake`` is called with the destinations that are owed something, after the commit."""

    def __init__(
        self,
        store: Store,
        fetcher: Fetcher,
        parser: Parser,
        intake: Intake,
        *,
        clock: Callable[[], datetime],
        wake: Callable[[Iterable[str]], None],
        first_run_window: timedelta = timedelta(0),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._parser = parser
        self._intake = intake
        self._clock = clock
        self._wake = wake
        self._first_run_window = first_run_window
        self._jitter = jitter

    async def poll(self, source: Source) -> Poll:
        """Look at one source now; what it gave. A source that fails is recorded, never raised; StoreError is."""
        started = time.monotonic()
        async with self._store.read() as conn:
            state = await sources.get(conn, source.id)
        try:
            seen = await look(self._fetcher, self._parser, source, state, self._clock())
            poll = await self._keep(source, seen, started)
        except WardwatchError:
            raise
        except Exception as error:  # a fault of ours in one document is told like any other, and stops nobody else
            log.exception("poll source=%s outcome=broken", source.id)
            fault = f"a fault of Wardwatch, please report it ({type(error).__name__}: {error})"[:300]
            poll = await self._keep(source, Seen(documents(source)[0], failures=(fault,)), started)
        log.log(
            logging.WARNING if poll.status == "failed" else logging.INFO,
            "poll source=%s status=%s entries=%d new=%d revised=%d alerts=%d seconds=%.2f note=%r",
            *(poll.source, poll.status, poll.entries, poll.new, poll.revised, poll.alerts, poll.seconds, poll.note),
        )
        return poll

    async def _keep(self, source: Source, seen: Seen, started: float) -> Poll:
        """All that came of a look, in one transaction; then those are woken who are owed something."""
        now, taken = self._clock(), Taken()
        async with self._store.begin() as conn:
            await take_turn(conn)
            state = await sources.get(conn, source.id)  # once more: much may have happened during the look
            if seen.reading is not None:
                taken = await self._intake.take(
                    conn,
                    source.id,
                    seen.reading.advisories,
                    now,
                    baseline=news_window(source, state, seen, now, self._first_run_window),
                    other_ids=is_other_document(source, state, seen),
                )
            after = remembered(source, state, seen, now, self._jitter())
            await sources.save(conn, replace(after, last_entry_at=_latest(state.last_entry_at, taken.newest)))
            poll = _report(source, seen, taken, now, time.monotonic() - started)
            await polls.record(conn, poll)
        if taken.destinations:
            self._wake(taken.destinations)
        return poll


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment), default=None)


def _report(source: Source, seen: Seen, taken: Taken, now: datetime, seconds: float) -> Poll:
    return Poll(
        source=source.id,
        at=now,
        status="failed" if seen.fetched is None else "ok" if seen.reading else "unchanged",
        entries=seen.reading.entries if seen.reading else 0,
        new=taken.new,
        revised=taken.revised,
        alerts=taken.owed,
        seconds=round(seconds, 3),
        note="; ".join(notes(seen))[:500],
    )
