"""Runs the workers: one for each destination with something due, woken by name, by time, or by a look at the ledger."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from bot.deliver.gate import Gate, Limits, Sleep, either
from bot.deliver.letters import Letters
from bot.deliver.outcomes import Clock, Health, Outcomes
from bot.deliver.platform import Platform, split
from bot.deliver.worker import Worker
from bot.errors import StoreError
from bot.model import Source, State
from bot.rules import Rules
from bot.store import deliveries
from bot.store.engine import Connection, Store

log = logging.getLogger(__name__)

_STEP = timedelta(minutes=1)  # less is the clock being trimmed
_STORE_PAUSE = 5.0  # seconds before the database is tried again


class Deliverer:
    """Sends what the ledger owes, through ``platforms`` by name; ``operators`` is where word about trouble goes."""

    def __init__(
        self,
        store: Store,
        platforms: Mapping[str, Platform],
        *,
        sources: Mapping[str, Source],
        rules: Rules,
        clock: Clock,
        operators: str = "",
        limits: Limits | None = None,
        sleep: Sleep = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._platforms = platforms
        self._clock = clock
        self._sleep = sleep
        self._monotonic = monotonic
        self._gate = Gate(limits or Limits(), monotonic, sleep)
        self._outcomes = Outcomes(store, self._gate, operators=operators, chance=chance, tell=self._wake)
        self._worker = Worker(store, platforms, Letters(store, sources, rules), self._gate, self._outcomes)
        self._working: dict[str, asyncio.Task[None]] = {}
        self._asked: set[str] = set()
        self._later: dict[str, float] = {}  # destination -> monotonic time of its next try
        self._next_sweep = 0.0
        self._ahead = clock() - timedelta(seconds=monotonic())  # moves only when the clock is set
        self._woken = asyncio.Event()
        self._strangers: set[str] = set()

    @property
    def health(self) -> Health:
        """How sending goes, for ``status``."""
        return self._outcomes.health

    def wake(self, destinations: Iterable[str] | None = None) -> None:
        """Something is owed to these destinations, or to some (None)."""
        if destinations is None:
            self._next_sweep = 0.0
        else:
            self._asked.update(destinations)
        self._woken.set()

    def _wake(self, destination: str) -> None:
        self.wake([destination])

    async def run(self) -> None:
        """Send until cancelled; then finish what is in flight, for a few seconds at most."""
        recovered = False
        try:
            while True:
                try:
                    if not recovered:
                        await self.recover()
                        recovered = True
                    await self._start()
                except StoreError as error:
                    log.error("delivery=waiting reason=%r", str(error))
                    await self._sleep(_STORE_PAUSE)
                await self._wait()
        finally:
            await self._finish()

    async def recover(self) -> int:
        """At start: rows found ``sending`` were cut off, so their outcome is unknown; how many rows are so."""
        async with self._store.begin() as conn:
            rows = await deliveries.unfinished(conn)
            await deliveries.mark_unknown(conn, [row.id for row in rows if row.state is State.SENDING])
            await self._clock_set_back(conn)
        if rows:
            log.warning("delivery=recovered rows=%d: their platforms are asked", len(rows))
        self.wake({row.destination for row in rows})
        return len(rows)

    async def drain(self, now: datetime | None = None) -> int:
        """Send all that is due (at ``now``, if given) and return; how many rows were sent."""
        clock: Clock = self._clock if now is None else lambda: now
        total = 0
        while True:
            due = [name for name in await self._due(clock()) if self._gate.pause_left(name) <= 0]
            done = await asyncio.gather(*(self._worker.drain(name, clock) for name in due))
            sent = sum(number for number, _ in done)
            total += sent
            if not sent:
                return total

    async def _due(self, now: datetime) -> list[str]:
        """Destinations with something due or open, for which there is a platform."""
        async with self._store.read() as conn:
            due = [destination for destination, _ in await deliveries.destinations_due(conn, now)]
            open_ = [row.destination for row in await deliveries.unfinished(conn)]
        return [name for name in dict.fromkeys((*open_, *due)) if self._is_known(name)]

    def _is_known(self, destination: str) -> bool:
        if split(destination)[0] in self._platforms:
            return True
        if destination not in self._strangers:
            self._strangers.add(destination)
            log.error("delivery=impossible destination=%s reason='no such platform is set up'", destination)
        return False

    async def _start(self) -> None:
        """Start a worker for each destination that has something to do and none at work."""
        now = self._monotonic()
        names = {name for name, at in self._later.items() if at <= now} | self._asked
        if now >= self._next_sweep:
            self._gate.forget()
            await self._watch_clock()
            names.update(await self._due(self._clock()))
            self._next_sweep = now + await self._sweep_in()
        for name in sorted(names):
            if name in self._working:
                continue  # asked for again when it ends
            self._asked.discard(name)
            self._later.pop(name, None)
            left = self._gate.pause_left(name)
            if left > 0:
                self._later[name] = now + left
            elif self._is_known(name):
                self._working[name] = asyncio.create_task(self._work(name))

    async def _watch_clock(self) -> None:
        """Notice that the clock was set back, which would put off what was owed before."""
        ahead = self._clock() - timedelta(seconds=self._monotonic())
        if ahead < self._ahead - _STEP:
            async with self._store.begin() as conn:
                await self._clock_set_back(conn)
        self._ahead = ahead

    async def _clock_set_back(self, conn: Connection) -> None:
        longest = timedelta(seconds=max(self._gate.limits.longest_pause, self._gate.limits.longest_backoff))
        if count := await deliveries.clock_set_back(conn, self._clock(), longest):
            log.warning("delivery=clock-set-back brought_back=%d", count)

    async def _sweep_in(self) -> float:
        async with self._store.read() as conn:
            due_at = await deliveries.next_due(conn)
        left = (due_at - self._clock()).total_seconds() if due_at else 0.0
        return min(self._gate.limits.sweep, left) if left > 0 else self._gate.limits.sweep

    async def _work(self, destination: str) -> None:
        wait: float | None
        try:
            _, wait = await self._worker.drain(destination, self._clock)
        except StoreError as error:
            log.error("delivery=waiting destination=%s reason=%r", destination, str(error))
            wait = _STORE_PAUSE
        except Exception:
            log.exception("delivery=failed destination=%s", destination)
            wait = self._gate.limits.sweep
        finally:
            self._working.pop(destination, None)
            self._woken.set()
        if wait is not None:
            self._later[destination] = self._monotonic() + wait

    async def _wait(self) -> None:
        """Wait until somebody wakes us or the next thing falls due."""
        ready = self._asked - self._working.keys()
        next_try = min((at for name, at in self._later.items() if name not in self._working), default=self._next_sweep)
        left = min(next_try, self._next_sweep) - self._monotonic()
        if not ready and left > 0:
            await either(self._woken.wait(), self._sleep(left))
        self._woken.clear()

    async def _finish(self) -> None:
        self._gate.stopping.set()
        tasks = list(self._working.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._gate.limits.stop)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            log.warning("delivery=cut-off destinations=%d: asked about at the next start", len(late))
