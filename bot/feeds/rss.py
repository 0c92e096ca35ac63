"""RSS, Atom and RDF, read by feedparser: strictly where the XML is well-formed, leniently where it is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from io import BytesIO
from typing import Any
from xml.sax import SAXException

import feedparser

from bot.errors import NotAFeed
from bot.feeds.documents import Xml, likeness, xml_document
from bot.feeds.records import MOST_ENTRIES
from bot.model import Entry, Feed

_ROOTS = ("rss", "feed", "rdf", "channel")
_WRAPPED = re.compile(r"<(rss)\s[^<>]{0,500}version|<(feed)\s[^<>]{0,500}http://www\.w3\.org/2005/Atom", re.IGNORECASE)
_ENTRY_START = re.compile(r"<(?:\w+:)?(?:item|entry)[\s>/]", re.IGNORECASE)
_ENTRY_END = re.compile(r"</(?:\w+:)?(?:item|entry)\s*>", re.IGNORECASE)
_PERIODS = {"hourly": 1, "daily": 24, "weekly": 24 * 7, "monthly": 24 * 30, "yearly": 24 * 365}  # hours
_LONGEST_TTL = timedelta(days=7)


def read_rss(text: str) -> Feed:
    """The feed in ``text``. Raises NotAFeed for anything that is not RSS, Atom or RDF."""
    document = _unwrapped(xml_document(text))
    if document.kind not in _ROOTS:
        raise NotAFeed(f"expected RSS or Atom, got {likeness(text)}")
    try:
        parsed = feedparser.parse(
            BytesIO(b'<?xml version="1.0" encoding="utf-8"?>' + document.text.encode("utf-8", "replace")),
            sanitize_html=False,  # only entries that are new are cleaned, later, by a faster library
            resolve_relative_uris=False,
        )
    except MemoryError:
        raise
    except Exception as error:  # feedparser and the libraries below it raise many kinds on hostile input
        raise NotAFeed(f"the feed cannot be parsed ({type(error).__name__})") from error
    if not parsed.version:
        raise NotAFeed(f"expected RSS or Atom, got {likeness(text)}")
    feed = _feed(parsed, document)
    if not feed.entries and feed.warnings and feed.warnings[0].startswith("truncated"):
        raise NotAFeed("the document is cut before the end of its first entry")
    return feed


def _unwrapped(document: Xml) -> Xml:
    """The feed inside an HTML page, which some sites put around it; everything else as it is."""
    found = _WRAPPED.search(document.text) if document.kind == "html" else None
    if not found:
        return document
    root = found[1] or found[2]
    end = document.text.rfind(f"</{root}>")
    return Xml(document.text[found.start() : end + len(root) + 3 if end > 0 else None], root)


def _feed(parsed: Any, document: Xml) -> Feed:
    warnings: list[str] = []
    raw = list(parsed.entries)
    if _is_truncated(document):
        warnings.append("truncated: the end of the document is missing")
        if raw and _ends_inside_entry(document.text):
            raw.pop()
            warnings[-1] += ", and the last, incomplete entry was left out"
    elif isinstance(error := parsed.get("bozo_exception"), SAXException):
        warnings.append(f"not well-formed XML, read leniently: {' '.join(str(error).split())[:200]}")
    if len(raw) > MOST_ENTRIES:
        warnings.append(f"{len(raw)} entries: all after the first {MOST_ENTRIES} were left out")
    entries = tuple(entry for one in raw[:MOST_ENTRIES] if _says_something(entry := _entry(one)))
    return Feed(
        entries=entries,
        title=_text(parsed.feed, "title"),
        language=_text(parsed.feed, "language") or _language(parsed.feed),
        ttl=_ttl(parsed.feed),
        warnings=tuple(warnings),
    )


def _entry(raw: Mapping[str, Any]) -> Entry:
    texts = [_text(raw, "summary"), *(_text(part, "value") for part in raw.get("content") or ())]
    return Entry(
        guid=_text(raw, "id"),
        link=_text(raw, "link"),
        title=_text(raw, "title"),
        summary=max(texts, key=lambda text: len(text.strip())),
        published=_text(raw, "published"),
        updated=_text(raw, "updated"),
        language=_language(raw),
    )


def _says_something(entry: Entry) -> bool:
    return any(text.strip() for text in (entry.guid, entry.link, entry.title, entry.summary))


def _text(raw: Mapping[str, Any], name: str) -> str:
    # dict.get, because feedparser's own get answers a missing "updated" with "published" and a warning.
    value = dict.get(raw, name) if isinstance(raw, dict) else None
    return value if isinstance(value, str) else ""


def _language(raw: Mapping[str, Any]) -> str:
    detail = raw.get("title_detail")
    return _text(detail, "language") if isinstance(detail, dict) else ""


def _ttl(feed: Mapping[str, Any]) -> timedelta | None:
    """How long the publisher asks us to stay away: ``ttl`` (minutes), or ``sy:updatePeriod`` by its frequency."""
    minutes = _text(feed, "ttl").strip()
    if minutes.isdecimal() and int(minutes[:9]) > 0:
        return min(timedelta(minutes=int(minutes[:9])), _LONGEST_TTL)
    hours = _PERIODS.get(_text(feed, "sy_updateperiod").strip().lower())
    if not hours:
        return None
    frequency = _text(feed, "sy_updatefrequency").strip()
    times = int(frequency[:6]) if frequency.isdecimal() else 1
    return min(timedelta(hours=hours / max(times, 1)), _LONGEST_TTL)


def _is_truncated(document: Xml) -> bool:
    """Whether the root element is never closed after the last entry began."""
    lowered = document.text.lower()
    close = lowered.rfind(f"</{document.root.lower()}")
    if close < 0:
        return not re.fullmatch(r"<[^<>]*/>\s*", document.text)
    return bool(_ENTRY_START.search(document.text, close))


def _ends_inside_entry(text: str) -> bool:
    starts = [match.start() for match in _ENTRY_START.finditer(text)]
    return bool(starts) and not _ENTRY_END.search(text, starts[-1])
