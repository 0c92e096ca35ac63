"""The crash drill: the real process is killed again and again while publishers publish and Slack loses answers.

At the end every story must stand exactly once in each channel, in the order of publication, every revision after its
story. What Slack has is read from the stand-in's journal, not from Wardwatch's own books.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.model import Subscription
from bot.store import subscriptions
from bot.store.engine import open_store
from bot.store.migrate import migrate
from bot.text import visible
from tests.block_kit import texts
from tests.conftest import NOW
from tests.fake_slack import FakeSlack, Fault
from tests.flow.publisher import Publisher, write_config
from tests.flow.running import Running, in_slack

CHANNELS = ("C0ALERTS", "C0SECOND")
FEEDS = ("north", "south", "east")
MARKER = re.compile(r"PUMP-(\w+)-(\d{5})")
RATES = {
    ("chat.postMessage", "lost"): 0.12,
    ("chat.postMessage", "limited"): 0.04,
    ("chat.postMessage", "html"): 0.04,
    ("chat.postMessage", "reset"): 0.04,
    ("chat.update", "lost"): 0.1,
    ("conversations.history", "html"): 0.1,
    ("auth.test", "html"): 0.1,
}
MOMENTS = ("posted", "serving", "asleep", "posting", "posted", "starting", "updating", "serving", "asleep")


@dataclass
class Report:
    """What the drill did and found. ``lost``, ``twice`` and ``disordered`` must be empty."""

    kills: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    published: int = 0
    messages: int = 0
    lost_answers: int = 0
    killed_after_storing: int = 0  # the message was there, and nobody lived to hear it
    looked_up: int = 0
    feed_faults: int = 0
    revisions: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds_to_drain: float = 0.0
    seconds_to_stop: float = 0.0
    seconds_to_start: list[float] = field(default_factory=list)
    megabytes: float = 0.0


class Slack(FakeSlack):
    """The stand-in, which can say what it is just doing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.heard: Callable[[str], None] = lambda _: None
        self.lost_answers = 0

    def _do(self, method: str, arguments: dict[str, Any], authorization: str) -> dict[str, Any]:
        if method == "chat.postMessage":
            self.heard("posting")
        answer = super()._do(method, arguments, authorization)
        self.heard({"chat.postMessage": "posted", "chat.update": "updating"}.get(method, ""))
        return answer

    def _fault(self, method: str) -> Any:
        fault = super()._fault(method)
        self.lost_answers += bool(fault and fault.kind == "lost" and method == "chat.postMessage")
        return fault


class Drill:
    """``kills`` at moments drawn from ``seed``; ``pause`` in seconds lies between two things published.

    ``calm`` lets Slack answer well once the last kill is done, so that the end comes sooner.
    """

    def __init__(self, folder: Path, *, kills: int, seed: int, pause: float, calm: bool = False) -> None:
        self._folder = folder
        self._kills = kills
        self._random = random.Random(seed)
        self._seed = seed
        self._pause = pause
        self._calm = calm
        self._awaited = ""
        self._victim: Running | None = None
        self._killed = asyncio.Event()
        self.report = Report()

    async def run(self) -> Report:
        journal = self._folder / "slack.jsonl"
        async with Publisher(*FEEDS, fault_rate=0.04, seed=self._seed) as self.publisher:
            write_config(self._folder / "config", self.publisher)
            await self._subscribe()
            async with Slack(journal=journal, rates=dict(RATES), seed=self._seed) as self.slack:
                self.slack.add_channel("C0SECOND", "second")
                self.slack.heard = self._hear
                self.publisher.heard = lambda _: self._hear("serving")
                self._given = in_slack(self._folder, self.slack.url, WARDWATCH_ALERT_QUERY="pump")
                await self._first_look()
                publishing = asyncio.create_task(self._publish())
                try:
                    self.slack.fail("chat.postMessage", Fault("lost"))  # one at least
                    for number in range(self._kills):
                        await self._life(MOMENTS[number % len(MOMENTS)])
                finally:
                    publishing.cancel()
                await self._drain()
                self.report.problems = self.slack.problems
                self.report.lost_answers = self.slack.lost_answers
                self.report.looked_up = sum(method.startswith("conversations.h") for method, _ in self.slack.calls)
        self.report.feed_faults = self.publisher.faults
        self._examine([json.loads(line) for line in journal.read_text().splitlines()])
        return self.report

    async def _subscribe(self) -> None:
        """A second channel that asked for the same."""
        store = await open_store(str(self._folder / "ward.db"))
        await migrate(store, now=NOW)
        async with store.begin() as conn:
            added: Subscription | None = await subscriptions.add(conn, "slack:C0SECOND", "pump", "U0NURSE", NOW)
            assert added
        await store.close()

    async def _first_look(self) -> None:
        """The feeds are met while they are empty, so that all that comes is news."""
        async with Running(self._folder, self._given) as wardwatch:
            await self._until(lambda: self._ask("SELECT count(*) FROM sources WHERE first_polled_at IS NOT NULL") == 3)
            await wardwatch.stop()

    async def _publish(self) -> None:
        """New entries all the time, and new texts of entries that have stood there for a while."""
        while True:
            for name in FEEDS:
                await asyncio.sleep(self._pause * self._random.uniform(0.2, 1.8))
                number = len(self.publisher.feeds[name].entries)
                self.publisher.add(name, f"{name}-{number}", _title(name, number), f"Pump {number} leaks.")
                self.report.published += 1
                entries = self.publisher.feeds[name].entries
                if number > 3 and number % 3 == 0:
                    entries[-4].summary += " It is exploited."
                    entries[-4].revised = True

    async def _life(self, moment: str) -> None:
        """One life of the process, ended some random time into ``moment``, or soon where that does not come."""
        begin = time.monotonic()
        async with Running(self._folder, self._given) as wardwatch:
            self._victim, self._killed = wardwatch, asyncio.Event()
            if moment == "starting":
                await asyncio.sleep(self._random.uniform(0.1, 1.5))
                self._kill(moment)
            else:
                await self.publisher.asked_for(self._random.choice(FEEDS), within=30)
                self.report.seconds_to_start.append(time.monotonic() - begin)
            if moment == "asleep":
                await asyncio.sleep(self._random.uniform(0, 1.5))
                self._kill(moment)
            elif moment != "starting":
                self._awaited = moment
                try:
                    await asyncio.wait_for(self._killed.wait(), 3)
                except TimeoutError:
                    self._kill("asleep")
            await wardwatch.process.wait()
            assert wardwatch.process.returncode == -9, wardwatch.text[-3000:]

    def _hear(self, moment: str) -> None:
        if not moment or moment != self._awaited:
            return
        self._awaited = ""
        if moment == "serving":  # the document is on its way: reading, judging and keeping come next
            asyncio.get_running_loop().call_later(self._random.uniform(0, 0.08), self._kill, moment)
        else:
            self._kill(moment)

    def _kill(self, moment: str) -> None:
        self._awaited = ""
        assert self._victim
        if self._victim.process.returncode is None and not self._killed.is_set():
            self._victim.process.kill()
            self.report.kills[moment] += 1
            self.report.killed_after_storing += moment == "posted"
            self._killed.set()

    async def _drain(self) -> None:
        """A last life in which everything owed must arrive."""
        begin = time.monotonic()
        if self._calm:
            self.slack.rates.clear()
        async with Running(self._folder, self._given) as wardwatch:
            await self._until(self._is_done, within=600)
            self.report.seconds_to_drain = time.monotonic() - begin
            self.report.megabytes = wardwatch.memory()
            self.report.seconds_to_stop = await wardwatch.stop()
            assert wardwatch.process.returncode == 0, wardwatch.text[-3000:]

    def _is_done(self) -> bool:
        """Everything published has been read, and nothing is owed any more."""
        known = self._ask("SELECT count(*) FROM advisories")
        revised = self._ask("SELECT count(*) FROM advisories WHERE summary LIKE '%exploited%'")
        still = "SELECT count(*) FROM deliveries WHERE state IN ('owed', 'sending', 'unknown')"
        wanted = sum(entry.revised for feed in self.publisher.feeds.values() for entry in feed.entries)
        return known == self.report.published and revised == wanted and self._ask(still) == 0

    def _ask(self, query: str) -> int:
        with closing(sqlite3.connect(f"file:{self._folder / 'ward.db'}?mode=ro", uri=True)) as database:
            return int(database.execute(query).fetchone()[0])

    async def _until(self, condition: Callable[[], bool], within: float = 30) -> None:
        async with asyncio.timeout(within):
            while not condition():  # noqa: ASYNC110  what it looks at is a file that others write
                await asyncio.sleep(0.1)

    def _examine(self, journal: list[dict[str, Any]]) -> None:
        """Read from the journal what each channel was shown, and hold it against what was published."""
        owed_revisions = self._ask("SELECT count(*) FROM deliveries WHERE kind = 'revision' AND state = 'sent'")
        for channel in CHANNELS:
            posts = [line["message"] for line in journal if line["did"] == "post" and line["channel"] == channel]
            self.report.messages += len(posts)
            self._count(channel, posts)
        if self.report.revisions != owed_revisions:
            self.report.lost.append(f"{owed_revisions} revisions sent by the ledger, {self.report.revisions} in Slack")

    def _count(self, channel: str, posts: list[dict[str, Any]]) -> None:
        shown: dict[tuple[str, int], int] = {}
        told: set[tuple[str, int]] = set()
        last: dict[str, int] = defaultdict(lambda: -1)
        for place, post in enumerate(posts):
            marks = _marks(visible(texts(post)))
            if post.get("thread_ts"):
                self._count_revision(channel, marks[0], shown, told)
                continue
            for mark in marks:
                if mark in shown:
                    self.report.twice.append(f"{channel} {mark} at {shown[mark]} and {place}")
                if mark[1] <= last[mark[0]]:
                    self.report.disordered.append(f"{channel} {mark} after {last[mark[0]]}")
                shown[mark], last[mark[0]] = place, mark[1]
        published = {(name, n) for name, feed in self.publisher.feeds.items() for n in range(len(feed.entries))}
        self.report.lost += [f"{channel} {mark}" for mark in sorted(published - shown.keys())]

    def _count_revision(
        self, channel: str, mark: tuple[str, int], shown: dict[tuple[str, int], int], told: set[tuple[str, int]]
    ) -> None:
        self.report.revisions += 1
        if mark not in shown:
            self.report.disordered.append(f"{channel} revision of {mark} before its story")
        if mark in told:
            self.report.twice.append(f"{channel} revision of {mark}")
        told.add(mark)


def _title(name: str, number: int) -> str:
    return f"CVE-2026-{FEEDS.index(name) + 1}{number:05} in infusion pump PUMP-{name}-{number:05}"


def _marks(text: str) -> list[tuple[str, int]]:
    """The entries that a message shows, each once, in their order."""
    return list(dict.fromkeys((name, int(number)) for name, number in MARKER.findall(text)))
