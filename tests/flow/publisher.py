"""Publishers for tests of the real process: a loopback server whose feeds grow, are revised, and fail now and then."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from pathlib import Path
from typing import Self

from aiohttp import web

Heard = Callable[[str], None]


@dataclass
class Shown:
    """One entry of a feed; ``title`` and ``summary`` are text, or HTML where ``markup`` says so."""

    guid: str
    title: str
    summary: str
    at: datetime
    markup: bool = False
    revised: bool = False


@dataclass
class Feed:
    entries: list[Shown] = field(default_factory=list)  # oldest first
    oldest_first: bool = False
    window: int = 300  # entries that a document holds
    raw: bytes | None = None  # served instead

    def document(self) -> bytes:
        if self.raw is not None:
            return self.raw
        newest = self.entries[-self.window :]
        nodes = "".join(map(_node, newest if self.oldest_first else reversed(newest)))
        return f'<rss version="2.0"><channel><title>Feed</title>{nodes}</channel></rss>'.encode()


def _node(shown: Shown) -> str:
    title, summary = (text if shown.markup else escape(text) for text in (shown.title, shown.summary))
    return (
        f"<item><guid isPermaLink='false'>{escape(shown.guid)}</guid><title>{escape(title)}</title>"
        f"<link>https://cert.example/{escape(shown.guid)}</link>"
        f"<description>{escape(summary)}</description>"
        f"<pubDate>{format_datetime(shown.at)}</pubDate></item>"
    )


class Publisher:
    """Serves ``feeds`` by name under ``/NAME.xml``. ``fault_rate`` of the answers are errors or cut off."""

    def __init__(self, *names: str, fault_rate: float = 0.0, seed: int = 0) -> None:
        self.feeds = {name: Feed(oldest_first=number % 2 == 1) for number, name in enumerate(names)}
        self.asked: list[str] = []  # names of feeds, as they were asked for
        self.faults = 0
        self.heard: Heard = lambda _: None  # called when a document has been served
        self._rate = fault_rate
        self._random = random.Random(seed)
        self._served = asyncio.Condition()

    def add(self, name: str, guid: str, title: str, summary: str = "", *, markup: bool = False) -> Shown:
        shown = Shown(guid, title, summary, datetime.now(UTC), markup)
        self.feeds[name].entries.append(shown)
        return shown

    async def asked_for(self, *names: str, times: int = 1, within: float = 15) -> None:
        """Wait until each of the feeds has been served so many times more."""
        target = {name: self.asked.count(name) + times for name in names}
        async with asyncio.timeout(within), self._served:
            await self._served.wait_for(lambda: all(self.asked.count(name) >= n for name, n in target.items()))

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.router.add_get("/{name}.xml", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = int(self._runner.addresses[0][1])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}.xml"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        body = self.feeds[name].document()
        if self._random.random() < self._rate:
            self.faults += 1
            if self._random.random() < 0.5:
                return web.Response(status=503, text="later")
            body = body[: len(body) // 2]  # a publisher's disk is full, say
        response = web.Response(body=body, content_type="application/rss+xml")
        await response.prepare(request)
        await response.write_eof()
        self.asked.append(name)
        async with self._served:
            self._served.notify_all()
        self.heard(name)
        return response


def write_config(folder: Path, publisher: Publisher, *, interval: str = "1s", more: str = "") -> Path:
    """A configuration folder with a stanza for each feed, and rules that know a few words."""
    (folder / "lexicons").mkdir(parents=True, exist_ok=True)
    stanzas = "".join(
        f"- {{id: {name}, name: Cert {name}, organisation: Org {name}, country: DE, language: en, "
        f"url: '{publisher.url(name)}', interval: {interval}, private: true}}\n"
        for name in publisher.feeds
    )
    (folder / "sources.yaml").write_text(stanzas + more)
    (folder / "lexicons" / "care.yaml").write_text("about: care\nterms: {en: [hospital*, infusion pump]}\n")
    (folder / "rules.yaml").write_text(
        "relevance:\n  - {id: care, title: Care is hit, gives: direct, when: {lexicon: care}}\n"
        "threats:\n  - {id: ransom, title: Ransomware, gives: ransomware, when: {words: [ransomware]}}\n"
    )
    return folder
