"""JSON Feed, versions 1 and 1.1."""

from __future__ import annotations

from bot.feeds.records import Record, Text, foreign, load, read_entries
from bot.model import Entry, Feed

_EXPECTED = "a JSON Feed"


class _JsonEntry(Record):
    id: Text = ""
    url: Text = ""
    external_url: Text = ""
    title: Text = ""
    content_html: Text = ""
    content_text: Text = ""
    summary: Text = ""
    date_published: Text = ""
    date_modified: Text = ""
    language: Text = ""


def read_jsonfeed(text: str) -> Feed:
    """The feed in ``text``; raises NotAFeed when ``version`` does not name JSON Feed or there is no list of entries."""
    content = load(text, _EXPECTED)
    is_feed = isinstance(content, dict) and "jsonfeed.org/version/" in str(content.get("version", ""))
    if not is_feed or not isinstance(content.get("items"), list):
        raise foreign(text, _EXPECTED)
    entries, warnings = read_entries(content["items"], _JsonEntry, _entry)
    return Feed(
        tuple(entry for entry in entries if entry.guid or entry.link or entry.title or entry.summary),
        title=str(content.get("title") or ""),
        language=str(content.get("language") or ""),
        warnings=warnings,
    )


def _entry(raw: _JsonEntry) -> Entry:
    return Entry(
        guid=raw.id,
        link=raw.url or raw.external_url,
        title=raw.title,
        summary=raw.content_html or raw.content_text or raw.summary,
        published=raw.date_published,
        updated=raw.date_modified,
        language=raw.language,
    )
