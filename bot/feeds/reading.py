"""One document read to the end: parsed, and its entries made into advisories."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.feeds.identity import advisories
from bot.feeds.normalise import future_dated
from bot.feeds.parse import parse
from bot.feeds.plain import plain_line
from bot.model import Advisory, Format, Source


@dataclass(frozen=True, slots=True)
class Reading:
    """What a document gave: advisories oldest first, and what is worth knowing about the document itself."""

    advisories: tuple[Advisory, ...]
    entries: int  # in the document; several may be one advisory
    title: str = ""
    ttl: timedelta | None = None
    future_dated: int = 0
    warnings: tuple[str, ...] = ()


def read(
    body: bytes, source: Source, now: datetime, *, url: str = "", content_type: str = "", format: Format | None = None
) -> Reading:
    """Parse and normalise the document ``body`` of ``source``, found at ``url`` (its own by default).

    ``format`` is the source's unless a fallback has another. Raises NotAFeed.
    """
    url = url or source.url
    feed = parse(body, format or source.format, content_type=content_type, url=url)
    return Reading(
        advisories=tuple(advisories(feed, source, url, now)),
        entries=len(feed.entries),
        title=plain_line(feed.title[:1000]),
        ttl=feed.ttl,
        future_dated=future_dated(feed.entries, now),
        warnings=feed.warnings,
    )
