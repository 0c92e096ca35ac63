"""Runs what ``app`` has built: polls what is due, delivers, listens, and stops within five seconds when asked.

Each node's scheduler only calls ``tick``; a claim in the database decides who polls which source.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from bot import VERSION
from bot.app import App
from bot.errors import StoreError
from bot.metrics import Metrics
from bot.schedule import Job, scheduler
from bot.store import deliveries, sources
from bot.web import Health

log = logging.getLogger(__name__)

TICK = timedelta(seconds=5)
ALIVE = 120.0  # seconds without a tick after which only a restart helps
STOP = 3.5  # seconds for polls under way when stopping
NIGHT = dt.time(2, 10)  # UTC, of the account


class Runner:
    """``first_round`` is told, once, how many sources were tried and how many answered."""

    def __init__(self, app: App, *, first_round: Callable[[int, int], None]) -> None:
        self.app = app
        self.metrics = Metrics()
        self._polling: dict[str, asyncio.Task[None]] = {}
        self._first_round = first_round
        self._untried = set(app.enabled)
        self._answered = 0
        self._ticked = self._polled = self._checked = 0.0  # monotonic times

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything at work while the block lasts."""
        delivering = asyncio.create_task(self.app.deliverer.run())
        timetable = scheduler(self._jobs())
        timetable.start()
        try:
            await self.tick()
            yield
        finally:
            timetable.shutdown(wait=False)
            await asyncio.gather(self._end_polls(), _ended(delivering))

    def _jobs(self) -> list[Job]:
        app = self.app
        jobs = [
            Job("tick", self.tick, every=TICK),
            Job("watchdog", app.rounds.watch, every=timedelta(minutes=5)),
            Job("heartbeat", app.rounds.heartbeat, at=app.settings.heartbeat),
            Job("account", app.rounds.reconcile, at=NIGHT),
            Job("metrics", self._measure, every=timedelta(seconds=30)),
        ]
        if app.epss is not None:
            jobs.append(Job("epss", self._enrich, every=timedelta(hours=6)))
        return jobs

    async def tick(self) -> None:
        """Claim the sources that are due, and poll them beside each other."""
        app = self.app
        free = app.settings.fetch_concurrency - len(self._polling)
        if free > 0:
            async with app.store.begin() as conn:
                due = await sources.claim_due(conn, app.context.clock(), free, app.enabled)
            for name in due:
                self._polling[name] = asyncio.create_task(self._poll(name))
        self._ticked = time.monotonic()

    async def _poll(self, name: str) -> None:
        try:
            poll = await self.app.pipeline.poll(self.app.enabled[name])
            self.metrics.polled(poll)
            self._tried(name, poll.status != "failed")
        except StoreError as error:
            log.error("poll source=%s status=not-kept error=%s", name, error)
        except Exception:  # one source must not stop the others
            log.exception("poll source=%s status=broken", name)
        finally:
            self._polling.pop(name, None)
            self._polled = time.monotonic()
        if not self._polling:
            await self.tick()  # a full first round does not wait for the clock

    def _tried(self, name: str, answered: bool) -> None:
        if name not in self._untried:
            return
        self._untried.discard(name)
        self._answered += answered
        if not self._untried:
            self._first_round(len(self.app.enabled), self._answered)

    async def _end_polls(self) -> None:
        """Let polls under way finish for a moment; the others are given back and come again."""
        names = list(self._polling)
        if not names:
            return
        _, late = await asyncio.wait(list(self._polling.values()), timeout=STOP)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        async with self.app.store.begin() as conn:
            await sources.release(conn, names)

    async def _enrich(self) -> None:
        assert self.app.epss is not None
        await self.app.epss.refresh(self.app.context.clock())

    async def _measure(self) -> None:
        async with self.app.store.read() as conn:
            counts = await deliveries.counts(conn)
            states = await sources.all_states(conn)
        self.metrics.stands(counts, sum(state.failures > 0 for state in states.values()))

    async def health(self) -> Health:
        """How Wardwatch is, for a supervisor."""
        now = time.monotonic()
        async with self.app.store.read() as conn:
            states = await sources.all_states(conn)
        failing = [state.id for state in states.values() if state.reported and state.id in self.app.enabled]
        troubles = [*([f"sources in trouble: {', '.join(sorted(failing)[:10])}"] if failing else [])]
        troubles += self.app.context.cautions()
        return Health(
            version=VERSION,
            alive=now - self._ticked < ALIVE,
            since_tick=_since(self._ticked, now),
            since_poll=_since(self._polled, now),
            troubles=tuple(troubles),
        )


def _since(moment: float, now: float) -> float | None:
    return round(now - moment, 1) if moment else None


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
