"""poll(source): fetch -> parse -> normalise -> take in, in order; decides nothing about advisories.

The network and the parser come first, outside any transaction. Then one transaction keeps everything together:
advisories, deliveries, the validators by which the document is known, and when to look again. A source is never given
up.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.errors import FetchError, NotAFeed
from bot.feeds.apart import Parser
from bot.feeds.fetch import Fetched, Fetcher, Memory, Unchanged
from bot.feeds.reading import Reading
from bot.intake import Intake, Taken
from bot.model import Format, Source
from bot.store import polls, sources
from bot.store.engine import Connection, Store
from bot.store.polls import Poll
from bot.store.sources import SourceState, Validators

log = logging.getLogger(__name__)

LONGEST_TTL = timedelta(hours=12)  # what a publisher may ask of us by ttl or max-age
LONGEST_BACKOFF = timedelta(hours=6)
LONGEST_PAUSE = timedelta(days=1)  # Retry-After
OUTAGE_MARGIN = timedelta(days=1)  # entries dated so long before the last good look are no news of a fallback
USUAL_WEIGHT = 0.2  # of the newest document in the usual number of entries


@dataclass(frozen=True, slots=True)
class Document:
    """One place where a source's facts can be had."""

    url: str
    format: Format


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at the documents of a source gave: the one that answered, and why those before it did not."""

    document: Document
    fetched: Fetched | Unchanged | None = None
    reading: Reading | None = None
    failures: tuple[str, ...] = ()
    status: int | None = None
    retry_after: timedelta | None = None


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
        """Look at one source now; what it gave. A source that fails is recorded, never raised."""
        started = time.monotonic()
        async with self._store.read() as conn:
            state = await sources.get(conn, source.id)
        seen = await self._look(source, state)
        now = self._clock()
        async with self._store.begin() as conn:
            taken = await self._take(conn, source, state, seen, now)
            await sources.save(conn, self._next_state(source, state, seen, now))
            poll = _report(source, seen, taken, now, time.monotonic() - started)
            await polls.record(conn, poll)
        self._wake(taken.destinations)
        log.log(
            logging.WARNING if poll.status == "failed" else logging.INFO,
            "poll source=%s status=%s entries=%d new=%d revised=%d alerts=%d seconds=%.2f note=%r",
            *(poll.source, poll.status, poll.entries, poll.new, poll.revised, poll.alerts, poll.seconds, poll.note),
        )
        return poll

    async def _look(self, source: Source, state: SourceState) -> Seen:
        """The first document that answers: the configured one, else a fallback; each time anew, so it hands back."""
        failures: list[str] = []
        seen = Seen(Document(source.url, source.format))
        for document in documents(source):
            trusted = not failures and state.failures == 0 and not state.active_url
            memory = _memory(state, document.url) if trusted or document.url == state.active_url else Memory()
            try:
                fetched = await self._fetcher.fetch(
                    document.url, memory, max_bytes=source.max_bytes, private=source.private
                )
                reading = await self._read(source, document, fetched) if isinstance(fetched, Fetched) else None
                return replace(seen, document=document, fetched=fetched, reading=reading, failures=tuple(failures))
            except (FetchError, NotAFeed) as error:
                failures.append(str(error))
                if isinstance(error, FetchError) and document.url == source.url:
                    pause = timedelta(seconds=error.retry_after) if error.retry_after else None
                    seen = replace(seen, status=error.status, retry_after=pause)
        return replace(seen, failures=tuple(failures))

    async def _read(self, source: Source, document: Document, fetched: Fetched) -> Reading:
        return await self._parser.read(
            fetched.body,
            source,
            self._clock(),
            url=fetched.url,
            content_type=fetched.content_type,
            format=document.format,
        )

    async def _take(self, conn: Connection, source: Source, state: SourceState, seen: Seen, now: datetime) -> Taken:
        if seen.reading is None:
            return Taken()
        baseline = self._baseline(state, seen.document, now)
        return await self._intake.take(conn, source.id, seen.reading.advisories, now, baseline=baseline)

    def _baseline(self, state: SourceState, document: Document, now: datetime) -> timedelta | None:
        """How young an entry must be to be news when its document is met for the first time; None when it is known."""
        if state.first_polled_at is None:
            return self._first_run_window
        if document.url in state.validators:
            return None
        return now - (state.last_ok_at or state.first_polled_at) + OUTAGE_MARGIN

    def _next_state(self, source: Source, state: SourceState, seen: Seen, now: datetime) -> SourceState:
        if seen.fetched is None:
            return self._failed(source, state, seen, now)
        memory, url = seen.fetched.memory, seen.document.url
        validators = dict(state.validators) | {url: Validators(memory.etag, memory.last_modified, memory.body_hash)}
        kept = {one.url for one in documents(source)}
        reading = seen.reading
        entries = reading.entries if reading else state.entries
        return replace(
            state,
            validators={url: known for url, known in validators.items() if url in kept},
            next_check_at=now + self._pause(source, seen),
            checked_at=now,
            claimed_until=None,
            failures=0,
            failing_since=None,
            last_error="; ".join(seen.failures),
            last_status=200 if isinstance(seen.fetched, Fetched) else 304,
            last_ok_at=now,
            entries=entries,
            usual=round(state.usual + (entries - state.usual) * USUAL_WEIGHT) if state.usual else entries,
            moved_to=(seen.fetched.moved_to or "") if url == source.url else state.moved_to,
            first_polled_at=state.first_polled_at or now,
            active_url="" if url == source.url else url,
            future_dated=reading.future_dated if reading else state.future_dated,
        )

    def _pause(self, source: Source, seen: Seen) -> timedelta:
        """Until the next look: the longest of the interval and what the publisher asks, never all at once."""
        asked = [seen.fetched.max_age if seen.fetched else None, seen.reading.ttl if seen.reading else None]
        wanted = max([source.interval, *(min(pause, LONGEST_TTL) for pause in asked if pause)])
        return wanted * (0.95 + 0.1 * self._jitter())

    def _failed(self, source: Source, state: SourceState, seen: Seen, now: datetime) -> SourceState:
        failures = state.failures + 1
        backoff = min(source.interval * 2 ** min(failures - 1, 10), max(LONGEST_BACKOFF, source.interval))
        pause = max(backoff * (1 + 0.25 * self._jitter()), min(seen.retry_after or timedelta(0), LONGEST_PAUSE))
        return replace(
            state,
            next_check_at=now + pause,
            checked_at=now,
            claimed_until=None,
            failures=failures,
            failing_since=state.failing_since or now,
            last_error="; ".join(seen.failures),
            last_status=seen.status,
        )


def documents(source: Source) -> tuple[Document, ...]:
    """Where a source's facts can be had, the configured url first."""
    return (
        Document(source.url, source.format),
        *(Document(one.url, one.format or source.format) for one in source.fallbacks),
    )


def _memory(state: SourceState, url: str) -> Memory:
    known = state.validators.get(url)
    return Memory(known.etag, known.last_modified, known.body_hash) if known else Memory()


def _report(source: Source, seen: Seen, taken: Taken, now: datetime, seconds: float) -> Poll:
    status = "failed" if seen.fetched is None else "ok" if seen.reading else "unchanged"
    notes = list(seen.failures)
    if notes and seen.fetched is not None:
        notes.append(f"reading the fallback {seen.document.url}")
    notes += seen.reading.warnings if seen.reading else ()
    return Poll(
        source=source.id,
        at=now,
        status=status,
        entries=seen.reading.entries if seen.reading else 0,
        new=taken.new,
        revised=taken.revised,
        alerts=taken.owed,
        seconds=round(seconds, 3),
        note="; ".join(notes)[:500],
    )
