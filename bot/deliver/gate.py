"""When the next message may go: one a second to a channel, none to a platform that asked for a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bot.deliver.platform import split

Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast, how long, how many; times in seconds."""

    pace: float = 1.0  # between two messages to one channel
    paces: Mapping[str, float] = field(default_factory=dict)  # the same by platform, where it differs
    in_flight: int = 8  # messages under way at once
    digest_from: int = 4  # so many stories due together become one message
    digest_most: int = 20  # stories in one message
    call: float = 45.0  # for one call; a platform that hangs longer has lost its answer
    ask_after: float = 5.0  # a history may lag behind
    first_backoff: float = 2.0
    longest_backoff: float = 300.0
    longest_pause: float = 3600.0  # a pause that a platform asks for is believed up to this
    auth_pause: float = 600.0  # a refused token is tried again
    stale: timedelta = timedelta(seconds=60)  # a row of a running process that is sending for so long was left behind
    sweep: float = 30.0  # how often the whole ledger is looked at, beside wake-ups
    stop: float = 4.0  # what is in flight may take so long when stopping


class Gate:
    """Paces and pauses, in the time of ``monotonic``: a clock that is set changes nothing."""

    def __init__(self, limits: Limits, monotonic: Callable[[], float], sleep: Sleep) -> None:
        self.limits = limits
        self.stopping = asyncio.Event()
        self.flight = asyncio.Semaphore(limits.in_flight)
        self._monotonic = monotonic
        self._sleep = sleep
        self._next: dict[str, float] = {}
        self._paused: dict[str, float] = {}

    async def turn(self, destination: str) -> bool:
        """Wait until ``destination`` may have another message; False when stopping, or its platform pauses."""
        wait = self._next.get(destination, 0.0) - self._monotonic()
        if wait > 0:
            await self.rest(wait)
        return not self.stopping.is_set() and self.pause_left(destination) <= 0

    def sent(self, destination: str) -> None:
        """Note that a message went out."""
        pace = self.limits.paces.get(split(destination)[0], self.limits.pace)
        if pace > 0:
            self._next[destination] = self._monotonic() + pace

    def pause(self, platform: str, seconds: float) -> None:
        """Let no message go to ``platform`` for so long."""
        self._paused[platform] = max(self._paused.get(platform, 0.0), self._monotonic() + seconds)

    def pause_left(self, destination: str) -> float:
        """Seconds until the platform of ``destination`` takes messages again; 0 or less when it does."""
        return self._paused.get(split(destination)[0], 0.0) - self._monotonic()

    def forget(self) -> None:
        """Drop the paces of channels whose turn has come anyway."""
        now = self._monotonic()
        self._next = {destination: at for destination, at in self._next.items() if at > now}

    async def rest(self, seconds: float) -> None:
        """Sleep, but not beyond the moment of stopping."""
        await either(self.stopping.wait(), self._sleep(seconds))


async def either(*waits: Awaitable[object]) -> None:
    """Wait until one of ``waits`` is done; the others are given up."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
