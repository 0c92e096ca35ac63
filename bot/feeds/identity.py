"""All advisories of one feed document: which entries are one advisory, and which only claim to be. Pure.

A guid is believed unless the document itself gives it to entries that link elsewhere, or that have different titles
once the words for "update" are taken off; then the link, or the title, tells them apart.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from bot.feeds.normalise import Reading, advisory_of, default_key, reading_of
from bot.feeds.titles import bare_title
from bot.model import Advisory, Feed, Source

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def advisories(feed: Feed, source: Source, base_url: str, now: datetime) -> list[Advisory]:
    """The advisories of ``feed``, each once, oldest first; entries without a date stay beside their neighbours.

    Several entries that are revisions of one advisory give the newest one.
    """
    readings = [reading_of(entry, base_url) for entry in feed.entries]
    newest: dict[str, Reading] = {}
    for key, reading in zip(_keys(readings), readings, strict=True):
        known = newest.get(key)
        if known is None or (reading.date or _LONG_AGO) > (known.date or _LONG_AGO):
            newest[key] = reading
    made = [advisory_of(reading, source, now, feed.language, key=key) for key, reading in newest.items()]
    return _oldest_first(made)


def _keys(readings: Sequence[Reading]) -> list[str]:
    """The key of each reading, in order."""
    keys = [default_key(reading) for reading in readings]
    for group in _shared(keys):
        urls = {readings[at].url for at in group}
        if len(urls) > 1 and all(urls):
            for at in group:
                keys[at] = readings[at].url
    for group in _shared(keys):
        titles = {at: _bare(readings[at]) for at in group}
        if len(set(titles.values())) > 1:
            for at, title in titles.items():
                keys[at] = f"{keys[at]}#{hashlib.sha256(title.encode()).hexdigest()[:16]}"
    return keys


def _shared(keys: Sequence[str]) -> list[list[int]]:
    """Positions of entries that have their key in common with others."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, key in enumerate(keys):
        places[key].append(at)
    return [group for group in places.values() if len(group) > 1]


def _bare(reading: Reading) -> str:
    return " ".join(bare_title(reading.title).casefold().split())


def _oldest_first(made: Iterable[Advisory]) -> list[Advisory]:
    advisories = list(made)
    if _is_newest_first([advisory.updated or advisory.published for advisory in advisories]):
        advisories.reverse()  # so that entries of one second, too, come in the order of their publication
    dates = [advisory.updated or advisory.published for advisory in advisories]
    last = next((date for date in dates if date), _LONG_AGO)
    order = []
    for at, date in enumerate(dates):
        last = date or last
        order.append((last, at))
    return [advisories[at] for _, at in sorted(order)]


def _is_newest_first(dates: Sequence[datetime | None]) -> bool:
    known = [date for date in dates if date]
    return bool(known) and known[0] > known[-1]
