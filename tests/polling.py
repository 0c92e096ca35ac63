"""The whole way from a publisher to the ledger, with real parts: fetcher, parser process, judge, store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import TypeAdapter
from sqlalchemy import text

from bot.feeds.apart import Parser
from bot.feeds.fetch import Fetcher, Limits
from bot.intake import Asked, Intake
from bot.judge import Judge
from bot.model import Delivery, Kind, Source, State, Stored
from bot.pipeline import Pipeline
from bot.query import parse
from bot.rounds import Rounds
from bot.rules import Rules
from bot.store import advisories, deliveries, sources, suppressions
from bot.store.engine import Store, open_store
from bot.store.polls import Poll
from bot.store.sources import SourceState
from bot.watch import Watch
from tests.feed_server import FeedServer, Post, serving

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ALERTS, OPERATORS = "test:alerts", "test:operators"
RULES = TypeAdapter(Rules).validate_python(
    {
        "relevance": [
            {"id": "care", "title": "A care provider", "gives": "direct", "when": {"words": ["hospital"]}},
            {"id": "device", "title": "A medical device", "gives": "direct", "when": {"words": ["pump"]}},
        ],
        "severity": [
            {"id": "usual", "title": "Everything", "gives": "medium", "when": {"field": "kev", "is": ["no"]}},
            {"id": "exploited", "title": "In KEV", "gives": "critical", "when": {"field": "kev", "is": ["yes"]}},
            {"id": "grave", "title": "It kills", "gives": "critical", "when": {"words": ["lethal"]}},
        ],
    }
)


class NoNames(AbstractResolver):
    """Knows no name, and asks nobody."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        raise OSError(None, f"no address for {host}")

    async def close(self) -> None: ...


@dataclass
class Told:
    """A row of the ledger as a reader of the channel would name it."""

    kind: Kind
    title: str
    text: str


class World:
    """A publisher, a store, a clock that tests set, and a pipeline between them."""

    def __init__(self, server: FeedServer, store: Store, fetcher: Fetcher, parser: Parser, **options: Any) -> None:
        self.server = server
        self.store = store
        self.fetcher = fetcher
        self.now = NOW
        self.chance = 0.0
        self.woken: list[set[str]] = []
        self.watch: Watch[Asked] = Watch()
        self.watch.add(Asked(ALERTS, "relevance:direct", standing=True), parse("relevance:direct"))
        self.intake = Intake(Judge(RULES, {}), self.watch)
        self.parser = parser
        self.pipeline = self.new_pipeline(**options)

    def new_pipeline(self, **options: Any) -> Pipeline:
        return Pipeline(
            self.store,
            self.fetcher,
            self.parser,
            self.intake,
            clock=lambda: self.now,
            wake=self._wake,
            jitter=lambda: self.chance,
            **options,
        )

    def _wake(self, destinations: Iterable[str]) -> None:
        self.woken.append(set(destinations))

    def rounds(self, *listed: Source) -> Rounds:
        return Rounds(self.store, listed, operators=OPERATORS, clock=lambda: self.now, wake=self._wake)

    def source(self, name: str = "one", path: str = "", **fields: Any) -> Source:
        """A source whose feed is at ``/NAME`` of the server."""
        stanza = {"name": name.title(), "organisation": name.title(), "country": "DE", "language": "en"}
        return Source(**{**stanza, "id": name, "url": self.server.url(path or f"/{name}"), "private": True, **fields})

    async def poll(self, source: Source, *posts: Post, after: timedelta = HOUR) -> Poll:
        """Publish ``posts`` as the whole feed (if any are given), let time pass, and poll."""
        if posts:
            self.server.feed("/" + source.url.rsplit("/", 1)[-1]).posts = posts
        self.now += after
        return await self.pipeline.poll(source)

    async def state(self, source: Source) -> SourceState:
        async with self.store.read() as conn:
            return await sources.get(conn, source.id)

    async def ledger(self, destination: str = ALERTS) -> list[Delivery]:
        async with self.store.read() as conn:
            ids = (await conn.execute(text("SELECT id FROM deliveries ORDER BY id"))).scalars().all()
            rows = [await deliveries.get(conn, one) for one in ids]
        return [row for row in rows if row and row.destination == destination]

    async def told(self) -> list[Told]:
        """What the alert channel was owed, in order."""
        kept = {stored.id: stored for stored in await self.stored()}
        return [
            Told(row.kind, kept[row.advisory_id].advisory.title if row.advisory_id else "", row.text)
            for row in await self.ledger()
        ]

    async def titles(self) -> list[str]:
        """The headlines of the stories the alert channel was owed, in order."""
        return [one.title for one in await self.told() if one.kind is Kind.STORY]

    async def notices(self) -> list[str]:
        return [row.text for row in await self.ledger(OPERATORS)]

    async def stored(self) -> list[Stored]:
        async with self.store.read() as conn:
            return [one async for one in advisories.stream(conn)]

    async def reasons(self, title: str) -> list[str]:
        """Why something about the advisory of this title was not sent."""
        (found,) = [one for one in await self.stored() if one.advisory.title == title]
        async with self.store.read() as conn:
            return [one.reason for one in await suppressions.of_advisory(conn, found.id)]

    async def send_all(self) -> None:
        """As if the channel had been sent what it is owed."""
        ids = [row.id for row in await self.ledger() if row.state is State.OWED]
        async with self.store.begin() as conn:
            await deliveries.mark_sent(conn, ids, "ref", self.now)


def post(number: int, title: str = "", **fields: Any) -> Post:
    """An entry about a hospital, published ``number`` minutes after midnight of the first day."""
    usual = {
        "title": title or f"Hospital {number} attacked",
        "guid": f"id-{number}",
        "link": f"https://one.example/alerts/{number}",
        "summary": f"Text of alert {number}.",
        "published": NOW - HOUR * 12 + MINUTE * number,
    }
    return Post(**{**usual, **fields})


@asynccontextmanager
async def opened_world(url: str, parser: Parser, **options: Any) -> AsyncIterator[World]:
    store = await open_store(url)
    limits = Limits(total=5, connect=2, read=0.3)
    async with serving() as server, Fetcher(user_agent="t", limits=limits, proxies={}, resolver=NoNames()) as fetcher:
        try:
            yield World(server, store, fetcher, parser, **options)
        finally:
            await store.close()
