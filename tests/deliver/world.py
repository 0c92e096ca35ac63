"""A chat platform that keeps state and misbehaves on demand, a clock that moves by itself, a ledger to fill."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from bot.deliver import Deliverer, Limits
from bot.errors import OutcomeUnknown
from bot.message import Card, Digest, Message, Note
from bot.model import Advisory, Delivery, Kind, Owed, Relevance, Severity, Source, State, Verdict
from bot.rules import Rules
from bot.store import advisories, deliveries, stories
from bot.store.engine import Store

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
RULES = TypeAdapter(Rules).validate_python({})
SOURCES = {
    "cisa": Source(id="cisa", name="CISA", organisation="CISA", country="US", language="en", url="https://e.org/")
}
VERDICT = Verdict(Relevance.DIRECT, (), Severity.HIGH)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - NOW).total_seconds()

    async def sleep(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        await asyncio.sleep(0)
        self.now = max(self.now, end)


@dataclass
class Posted:
    ref: str
    channel: str
    key: str
    thread: str | None
    message: Message
    at: datetime


class FakePlatform:
    """``faults[channel]`` is consumed by posts.

    An exception is raised, and ``hang`` waits, before the message is there; ``lost`` loses the answer, and
    ``hang-after`` waits, after it is.
    """

    def __init__(self, clock: Clock, *, can_ask: bool = True) -> None:
        self.clock = clock
        self.can_ask = can_ask
        self.posted: list[Posted] = []
        self.updates: list[tuple[str, str, Message]] = []
        self.faults: defaultdict[str, list[Exception | str | None]] = defaultdict(list)
        self.find_faults: list[Exception] = []
        self.update_faults: list[Exception] = []
        self.asked: list[tuple[str, datetime]] = []
        self.calls = 0
        self.under_way = 0
        self.most_under_way = 0
        self.hanging = asyncio.Event()  # set while a post hangs
        self.release = asyncio.Event()

    async def post(self, channel: str, message: Message, *, key: str, thread: str | None) -> str:
        self.calls += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0)
            fault = self.faults[channel].pop(0) if self.faults[channel] else None
            if isinstance(fault, Exception):
                raise fault
            if fault == "hang":
                self.hanging.set()
                await self.release.wait()
            self.posted.append(Posted(f"{channel}-{len(self.posted) + 1}", channel, key, thread, message, self.clock()))
            if fault == "hang-after":
                self.hanging.set()
                await self.release.wait()
            if fault == "lost":
                raise OutcomeUnknown("the answer was lost")
            return self.posted[-1].ref
        finally:
            self.under_way -= 1

    async def update(self, channel: str, ref: str, message: Message) -> None:
        if self.update_faults:
            raise self.update_faults.pop(0)
        self.updates.append((channel, ref, message))

    async def find(self, channel: str, key: str, *, since: datetime, thread: str | None) -> str | None:
        self.asked.append((key, since))
        if self.find_faults:
            raise self.find_faults.pop(0)
        found = (p.ref for p in self.posted if (p.channel, p.key, p.thread) == (channel, key, thread))
        return next(found, None)

    def headings(self, channel: str = "C1") -> list[str]:
        return [heading(p.message) for p in self.posted if p.channel == channel]


def heading(message: Message) -> str:
    return message.headline if isinstance(message, Card) else message.heading


class World:
    """A store, a platform, a clock and a deliverer over them."""

    def __init__(self, store: Store, *, can_ask: bool = True) -> None:
        self.store = store
        self.clock = Clock()
        self.platform = FakePlatform(self.clock, can_ask=can_ask)
        self.deliverer = self.deliver()

    def deliver(self, *, limits: Limits | None = None, real_time: bool = False, operators: str = "") -> Deliverer:
        """A new deliverer, as after a restart."""
        times: dict[str, Any] = {} if real_time else {"sleep": self.clock.sleep, "monotonic": self.clock.monotonic}
        self.deliverer = Deliverer(
            self.store,
            {"slack": self.platform},
            sources=SOURCES,
            rules=RULES,
            clock=self.clock,
            operators=operators,
            limits=limits or Limits(pace=0),
            chance=lambda: 1.0,
            **times,
        )
        return self.deliverer

    async def tell(self, *titles: str, to: Iterable[str] = ("C1",), due: timedelta = timedelta(0)) -> list[int]:
        """Owe a new story of each title to each channel; the stories."""
        ids, owed = [], []
        async with self.store.begin() as conn:
            for title in titles:
                story = await stories.create(conn, NOW)
                advisory = Advisory(source="cisa", key=title, title=title, hash=title)
                number = await advisories.insert(conn, advisory, VERDICT, story, NOW)
                ids.append(story)
                owed += [
                    Owed(f"slack:{channel}", f"story:{story}", Kind.STORY, 0, NOW + due, number, ("pump",))
                    for channel in to
                ]
            await deliveries.owe(conn, owed, NOW)
        return ids

    async def revise(
        self, story: int, text: str, number: int = 1, *, kind: Kind = Kind.REVISION, to: str = "C1"
    ) -> None:
        async with self.store.begin() as conn:
            found = await stories.get(conn, story)
            assert found
            owed = Owed(f"slack:{to}", f"story:{story}", kind, number, NOW, found.members[0].id, text=text)
            await deliveries.owe(conn, [owed], NOW)

    async def rows(self, state: State | None = None) -> list[Delivery]:
        async with self.store.read() as conn:
            found = [await deliveries.get(conn, number) for number in range(1, 60)]
        return [row for row in found if row and (state is None or row.state is state)]

    async def states(self) -> list[State]:
        return [row.state for row in await self.rows()]


__all__ = ["NOW", "Card", "Digest", "FakePlatform", "Note", "World", "heading"]
