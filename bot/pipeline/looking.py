"""A look at the documents of a source: the first one that answers, and why those before it did not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.errors import FetchError, NotAFeed
from bot.feeds.apart import Parser
from bot.feeds.fetch import Fetched, Fetcher, Memory, Unchanged
from bot.feeds.reading import Reading
from bot.model import Format, Source
from bot.store.sources import SourceState


@dataclass(frozen=True, slots=True)
class Document:
    """One place where a source's facts can be had."""

    url: str
    format: Format


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look gave: ``document`` is the one that answered, or the configured one where none did.

    ``status`` and ``retry_after`` are those of the configured one, where it failed.
    """

    document: Document
    fetched: Fetched | Unchanged | None = None
    reading: Reading | None = None
    failures: tuple[str, ...] = ()
    status: int | None = None
    retry_after: timedelta | None = None


def documents(source: Source) -> tuple[Document, ...]:
    """Where a source's facts can be had, the configured url first."""
    return (
        Document(source.url, source.format),
        *(Document(one.url, one.format or source.format) for one in source.fallbacks),
    )


async def look(fetcher: Fetcher, parser: Parser, source: Source, state: SourceState, now: datetime) -> Seen:
    """Try the configured document, then its fallbacks; each time anew, so that the first hands back by itself."""
    seen = Seen(documents(source)[0])
    for document in documents(source):
        try:
            fetched = await fetcher.fetch(
                document.url, _memory(source, state, document), max_bytes=source.max_bytes, private=source.private
            )
            reading = await _read(parser, source, document, fetched, now) if isinstance(fetched, Fetched) else None
            return replace(seen, document=document, fetched=fetched, reading=reading)
        except (FetchError, NotAFeed) as error:
            seen = _with_failure(seen, document, error)
    return seen


def _memory(source: Source, state: SourceState, document: Document) -> Memory:
    """What is remembered of the document read last. After a failure it is asked for whole: "unchanged" clears none."""
    known = state.validators.get(document.url)
    if known is None or state.failures or document.url != (state.active_url or source.url):
        return Memory()
    return Memory(known.etag, known.last_modified, known.body_hash)


async def _read(parser: Parser, source: Source, document: Document, fetched: Fetched, now: datetime) -> Reading:
    return await parser.read(
        fetched.body, source, now, url=fetched.url, content_type=fetched.content_type, format=document.format
    )


def _with_failure(seen: Seen, document: Document, error: FetchError | NotAFeed) -> Seen:
    seen = replace(seen, failures=(*seen.failures, str(error)))
    if document != seen.document or not isinstance(error, FetchError):
        return seen
    pause = timedelta(seconds=error.retry_after) if error.retry_after else None
    return replace(seen, status=error.status, retry_after=pause)


def notes(seen: Seen) -> Iterator[str]:
    """What a person should know of a look: failures, the fallback in use, what was wrong with the document."""
    yield from seen.failures
    if seen.failures and seen.fetched is not None:
        yield f"reading the fallback {seen.document.url}"
    yield from seen.reading.warnings if seen.reading else ()
