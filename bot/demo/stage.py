"""The demo's stage: serves the feeds on 127.0.0.1 and lets their entries appear one after the other."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from aiohttp import web

from bot.demo import feeds
from bot.demo.feeds import Shown
from bot.demo.script import Event, read_script
from bot.model import Source

log = logging.getLogger(__name__)


class DemoStage:
    """Feeds on a loopback port of the system's choosing, empty at first; ``publish_next`` tells the next event.

    ``config_dir`` is the folder that holds ``demo/``. Raises ConfigError when its content is wrong.
    """

    def __init__(self, config_dir: Path) -> None:
        self._script = read_script(config_dir)
        self._shown: dict[tuple[str, str], Shown] = {}
        self._told = 0
        self._sources: dict[str, Source] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        for source in self._script.sources:
            url = f"http://127.0.0.1:{port}{urlsplit(source.url).path}"
            self._sources[source.id] = source.model_copy(update={"url": url})
        log.info("outcome=demo-serving port=%d sources=%d events=%d", port, len(self._sources), self.events)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner:
            await self._runner.cleanup()

    @property
    def sources(self) -> list[Source]:
        """The demo's sources with the urls they are served at; to be read while the stage is open."""
        return list(self._sources.values())

    def source_of(self, event: Event) -> Source:
        """The source in whose feed an event appears."""
        return self._sources[event.source]

    @property
    def events(self) -> int:
        """How many events there are in all."""
        return len(self._script.events)

    @property
    def told(self) -> int:
        """How many of them were published."""
        return self._told

    @property
    def finished(self) -> bool:
        """Everything is told."""
        return self._told == self.events

    @property
    def upcoming(self) -> Event | None:
        """The event that ``publish_next`` would publish."""
        return None if self.finished else self._script.events[self._told]

    def publish_next(self) -> Event | None:
        """Let the next event appear in its feed; None when everything is told. ``event.at`` is the demo's clock."""
        event = self.upcoming
        if event:
            first = self._shown.get(event.entry)
            self._shown[event.entry] = Shown(event, first.published if first else event.at)
            self._told += 1
        return event

    def publish_until(self, moment: datetime) -> list[Event]:
        """Let everything up to and including ``moment`` appear; the events published, in order."""
        told: list[Event] = []
        while (event := self.upcoming) and event.at <= moment:
            self.publish_next()
            told.append(event)
        return told

    async def _answer(self, request: web.Request) -> web.Response:
        source = next((s for s in self._sources.values() if urlsplit(s.url).path == request.path), None)
        if source is None:
            raise web.HTTPNotFound(text="no such feed in the demo\n")
        shape = "atom" if request.path.endswith(".atom") else "rss"
        body = (feeds.atom if shape == "atom" else feeds.rss)(source, self._entries(source.id))
        etag = hashlib.sha256(body).hexdigest()[:20]
        headers = {"ETag": f'"{etag}"', "Cache-Control": "no-cache"}
        if any(known.value in (etag, "*") for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type=f"application/{shape}+xml", charset="utf-8", headers=headers)

    def _entries(self, source_id: str) -> list[Shown]:
        """What a feed shows now, latest change first, as most publishers do."""
        mine = [shown for shown in self._shown.values() if shown.event.source == source_id]
        return sorted(mine, key=lambda shown: shown.event.at, reverse=True)
