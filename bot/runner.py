"""Runs what ``app`` has built: polls what is due, delivers, and stops within five seconds when asked.

Each node's scheduler only calls ``tick``; a claim in the database decides who polls which source. The database also
says when the next source falls due: ``tick`` comes again then, and every five seconds in any case.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import VERSION
from bot.app import App
from bot.errors import StoreError
from bot.metrics import Metrics
from bot.schedule import Job, realign, scheduler
from bot.store import deliveries, sources
from bot.store.sources import SourceState
from bot.web import Health

log = logging.getLogger(__name__)

TICK = timedelta(seconds=5)
SOONEST = 0.05  # seconds between two ticks
CLOCK_WATCH = 2.0  # seconds between looks at the clock
ALIVE = 120.0  # seconds without a tick after which only a restart helps
STOP = 3.5  # seconds for polls under way when stopping
STORE_PAUSE = 5.0  # seconds before a source is polled again whose poll the database did not keep
MEND = 5.0  # seconds before delivery is started anew, should it ever end by itself
NIGHT = dt.time(2, 10)  # UTC, of the account


class Runner:
    """``first_round`` is told, once, how many of the sources due at start were tried and how many answered."""

    def __init__(self, app: App, *, first_round: Callable[[int, int], None]) -> None:
        self.app = app
        self.metrics = Metrics()
        self._jobs = self._timed()
        self._timetable: AsyncIOScheduler = scheduler(self._jobs)
        self._polling: dict[str, asyncio.Task[None]] = {}
        self._ticking = self._asked = False
        self._stopping = asyncio.Event()
        self._first_round = first_round
        self._untried: set[str] = set()
        self._tried_of_all = self._answered = 0
        self._ticked = time.monotonic()
        self._polled = 0.0  # monotonic; 0 for never

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything at work while the block lasts. Raises StoreError when the database cannot be used."""
        await self._begin()
        self._timetable.start()
        self._again(0)
        beside = [asyncio.create_task(self._deliver()), asyncio.create_task(self._keep_time())]
        try:
            yield
        finally:
            self._stopping.set()
            self._timetable.shutdown(wait=False)
            await asyncio.gather(self._end_polls(), *map(_ended, beside))

    def _timed(self) -> list[Job]:
        app = self.app
        jobs = [
            Job("tick", self.tick, every=TICK),
            Job("subscriptions", self._learn, every=timedelta(seconds=15)),
            Job("watchdog", app.rounds.watch, every=timedelta(minutes=5)),
            Job("heartbeat", app.rounds.heartbeat, at=app.settings.heartbeat),
            Job("account", app.rounds.reconcile, at=NIGHT),
            Job("metrics", self._measure, every=timedelta(seconds=30)),
        ]
        if app.epss is not None:
            jobs.append(Job("epss", self._enrich, every=timedelta(hours=6), first=timedelta(minutes=2)))
        return jobs

    async def _begin(self) -> None:
        """Note what is due, and take back what a process that was killed had claimed."""
        store, enabled = self.app.store, self.app.enabled
        async with store.begin() as conn:
            if store.dialect == "sqlite":  # nobody else polls here; on PostgreSQL the lease of a dead node runs out
                await sources.release(conn, enabled)
            states = await sources.all_states(conn)
        now = self.app.context.clock()
        self._untried = {name for name in enabled if _is_due(states.get(name), now)}
        self._tried_of_all = len(self._untried)

    # -- polling

    async def tick(self) -> None:
        """Claim the sources that are due, poll them beside each other, and come again when the next one is due."""
        self._ticking, self._asked = True, False
        try:
            wait = await self._claim()
        except StoreError as error:
            log.error("tick outcome=waiting reason=%r", str(error))
            wait = TICK.total_seconds()
        finally:
            self._ticking = False
        self._ticked = time.monotonic()
        self._again(0 if self._asked else wait)

    async def _claim(self) -> float:
        """Start the polls that are due and have room; seconds until the next one is due."""
        app, now = self.app, self.app.context.clock()
        free = app.settings.fetch_concurrency - len(self._polling)
        if free <= 0 or self._stopping.is_set():
            return TICK.total_seconds()  # the end of a poll asks for the next tick
        idle = app.enabled.keys() - self._polling.keys()
        async with app.store.begin() as conn:
            due = await sources.claim_due(conn, now, free, idle)
            next_check = await sources.next_check(conn, idle - set(due))
        for name in due:
            self._polling[name] = asyncio.create_task(self._poll(name))
        return (next_check - now).total_seconds() if next_check else TICK.total_seconds()

    def _again(self, seconds: float) -> None:
        """Let the scheduler call ``tick`` after so many seconds."""
        if not self._stopping.is_set():
            wait = timedelta(seconds=max(SOONEST, min(seconds, TICK.total_seconds())))
            self._timetable.modify_job("tick", next_run_time=datetime.now(UTC) + wait)

    async def _poll(self, name: str) -> None:
        try:
            poll = await self.app.pipeline.poll(self.app.enabled[name])
            self.metrics.polled(poll)
            self._tried(name, poll.status != "failed")
        except StoreError as error:  # says nothing about the source
            log.error("poll source=%s outcome=not-kept reason=%r", name, str(error))
            await self._pause(STORE_PAUSE)  # what cannot be kept is not fetched again at once
            await self._give_back([name])
        except Exception:  # one source must not stop the others
            log.exception("poll source=%s outcome=broken", name)
            self._tried(name, False)
        finally:
            self._polling.pop(name, None)
            self._polled = time.monotonic()
        self._asked = True
        if not self._ticking:
            self._again(0)

    def _tried(self, name: str, answered: bool) -> None:
        if name not in self._untried:
            return
        self._untried.discard(name)
        self._answered += answered
        if not self._untried:
            self._first_round(self._tried_of_all, self._answered)

    async def _end_polls(self) -> None:
        """Let polls under way finish for a moment; the others are given back and come again."""
        under_way = dict(self._polling)
        if not under_way:
            return
        _, late = await asyncio.wait(under_way.values(), timeout=STOP)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._give_back([name for name, task in under_way.items() if task in late])

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _give_back(self, names: list[str]) -> None:
        """Give back claims; where that fails they run out by themselves."""
        try:
            async with self.app.store.begin() as conn:
                await sources.release(conn, names)
        except StoreError as error:
            log.error("claims outcome=not-given-back sources=%d reason=%r", len(names), str(error))

    # -- beside

    async def _deliver(self) -> None:
        """Deliver for ever: should the deliverer end by an error nobody thought of, it is started anew."""
        while True:
            try:
                await self.app.deliverer.run()
            except Exception:
                log.exception("delivery=ended again_in=%.0fs", MEND)
            await asyncio.sleep(MEND)

    async def _keep_time(self) -> None:
        """Keep the timetable right when the clock is set back."""
        while True:
            await asyncio.sleep(CLOCK_WATCH)
            realign(self._timetable, self._jobs, datetime.now(UTC))

    async def _learn(self) -> None:
        await self.app.asking.refresh(self.app.store)

    async def _enrich(self) -> None:
        assert self.app.epss is not None
        await self.app.epss.refresh(self.app.context.clock())

    async def _measure(self) -> None:
        async with self.app.store.read() as conn:
            counts = await deliveries.counts(conn)
            states = await sources.all_states(conn)
        enabled = self.app.enabled
        self.metrics.stands(counts, sum(state.failures > 0 for name, state in states.items() if name in enabled))

    async def health(self) -> Health:
        """How Wardwatch is, for a supervisor."""
        now = time.monotonic()
        sent = self.app.deliverer.health.last_sent
        return Health(
            version=VERSION,
            alive=now - self._ticked < ALIVE,
            since_tick=round(now - self._ticked, 1),
            since_poll=round(now - self._polled, 1) if self._polled else None,
            since_delivery=round((self.app.context.clock() - sent).total_seconds(), 1) if sent else None,
            troubles=(*await self._troubles(), *self.app.context.cautions()),
        )

    async def _troubles(self) -> list[str]:
        try:
            async with self.app.store.read() as conn:
                states = await sources.all_states(conn)
        except StoreError as error:
            return [str(error)]
        failing = sorted(state.id for state in states.values() if state.reported and state.id in self.app.enabled)
        return [f"sources in trouble: {', '.join(failing[:10])}"] if failing else []


def _is_due(state: SourceState | None, now: datetime) -> bool:
    return state is None or state.next_check_at is None or state.next_check_at <= now


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
