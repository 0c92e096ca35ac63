"""An ``Advisory`` of an ``Entry``: plain text, absolute links, aware times, facts. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin, urlsplit

from bot.feeds import statements
from bot.feeds.dates import is_future, read_date
from bot.feeds.plain import cleaned, plain_line, plain_text, shortened
from bot.model import Advisory, Entry, Facts, Source

LONGEST_TITLE = 500  # characters; longer ones are cut between words and end in an ellipsis
LONGEST_SUMMARY = 20_000
LONGEST_KEY = 500
_LONGEST_URL = 8_000
_TITLE_WORDS = 100  # characters of the summary that stand in for a missing title
_NO_HOST = re.compile(r"https?:/*$", re.IGNORECASE)  # would lead to the feed itself
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]+)*$")


def normalise(entry: Entry, source: Source, *, base_url: str, now: datetime, feed_language: str = "") -> Advisory:
    """What we make of ``entry``, which was found in the document at ``base_url``.

    A date more than two days after ``now`` is not believed and left out (``future_dated`` counts them). Facts that a
    format states are preferred to what the prose says. ``hash`` covers title, summary and the dates as the publisher
    gave them, so it depends neither on ``now`` nor on white space.
    """
    return advisory_of(reading_of(entry, base_url), source, now, feed_language, key="")


def future_dated(entries: Iterable[Entry], now: datetime) -> int:
    """How many of ``entries`` carry a date that lies in the future."""
    return sum(any(is_future(read_date(text), now) for text in (one.published, one.updated)) for one in entries)


@dataclass(frozen=True, slots=True)
class Reading:
    """An entry with its text, link and dates read, before identity and facts are settled."""

    entry: Entry
    title: str
    text: str  # uncut
    url: str
    published: datetime | None
    updated: datetime | None

    @property
    def date(self) -> datetime | None:
        """The newest date it carries."""
        return max((date for date in (self.published, self.updated) if date), default=None)


def reading_of(entry: Entry, base_url: str) -> Reading:
    text = plain_text(entry.summary)
    url = absolute_url(entry.link, base_url) or _guid_url(entry, base_url)
    published, updated = read_date(entry.published), read_date(entry.updated)
    title = plain_line(entry.title[:10_000])
    return Reading(entry, title or _title_for(text, url), text, url, published or updated, updated)


def _title_for(text: str, url: str) -> str:
    words = text.split("\n")[0]
    return shortened(words, _TITLE_WORDS) or url or "(no title)"


def absolute_url(link: str, base_url: str) -> str:
    """``link`` as an absolute http(s) address, or an empty string; blanks around and line breaks in it are dropped."""
    link = cleaned(re.sub(r"[\t\r\n]", "", link.strip()))
    if not link or _NO_HOST.match(link) or len(link) > _LONGEST_URL:
        return ""
    try:
        url = urljoin(base_url, link)
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for a port that is no number
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return re.sub(r'[\s<>"|\\^`{}]', lambda match: f"%{ord(match[0]):02X}", url)


def _guid_url(entry: Entry, base_url: str) -> str:
    """A guid that is an address, or a path such as ``/node/25374``, stands in for a missing link."""
    guid = entry.guid.strip()
    return absolute_url(guid, base_url) if re.match(r"https?://|/[\w-]", guid) else ""


def default_key(reading: Reading) -> str:
    """The identity that an entry claims for itself: its guid, else its link, else a hash of title and text."""
    return reading.entry.guid.strip() or reading.url or _digest(reading.title, reading.text)


def clean_key(key: str) -> str:
    """``key`` without invisible characters; a very long one keeps its beginning and gains a hash."""
    key = " ".join(cleaned(key).split()) or _digest(key.encode("utf-8", "replace").decode())
    return key if len(key) <= LONGEST_KEY else f"{key[:400]}#{_digest(key)}"


def advisory_of(reading: Reading, source: Source, now: datetime, feed_language: str, *, key: str) -> Advisory:
    entry, facts = reading.entry, reading.entry.facts or Facts()
    published, updated = (None if is_future(date, now) else date for date in (reading.published, reading.updated))
    both = f"{reading.title}\n{reading.text}"
    summary = shortened(reading.text, LONGEST_SUMMARY)
    return Advisory(
        source=source.id,
        key=clean_key(key or default_key(reading)),
        title=shortened(reading.title, LONGEST_TITLE),
        summary=summary,
        url=reading.url,
        published=published or updated,
        updated=updated,
        language=_language(entry.language) or _language(feed_language) or source.language,
        organisation=source.organisation,
        country=source.country,
        cves=statements.cves("\n".join((*facts.cves, both))),
        cvss=facts.cvss if facts.cvss is not None else statements.cvss(both),
        kev=bool(facts.kev_added),
        known_ransomware=facts.known_ransomware,
        vendors=_lines(facts.vendors) or statements.vendors(reading.text),
        products=_lines(facts.products) or statements.products(reading.text),
        sectors=_lines(facts.sectors) or statements.sectors(reading.text),
        stated_severity=facts.severity or statements.severity(reading.title, reading.text),
        health_publisher=source.health,
        tlp=statements.tlp(both) or source.tlp,
        hash=_digest(reading.title, summary, str(reading.published), str(reading.updated)),
    )


def _lines(names: tuple[str, ...]) -> tuple[str, ...]:
    shown = (shortened(plain_line(name), 200) for name in names[:200])
    return tuple(dict.fromkeys(name for name in shown if name))


def _language(tag: str) -> str:
    found = _LANGUAGE.match(tag.strip())
    return found[1].lower() if found else ""


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(" ".join(text.split()) for text in texts).encode()).hexdigest()
