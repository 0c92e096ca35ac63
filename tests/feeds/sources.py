"""What the feed tests share: a source, a moment, and small feeds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.model import Entry, Source

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BASE = "https://cert.example/feeds/all.xml"


def source(**fields: Any) -> Source:
    stanza = {"id": "ex-cert", "name": "Example CERT", "organisation": "Example", "country": "DE", "language": "de"}
    return Source(**{**stanza, "url": BASE, **fields})


def entry(**fields: str) -> Entry:
    return Entry(**{"title": "Pump flaw", "link": "https://cert.example/1", "guid": "A-1", **fields})


def rss(*items: str, head: str = "") -> bytes:
    channel = f"<title>Example CERT</title>{head}{''.join(f'<item>{item}</item>' for item in items)}"
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>{channel}</channel></rss>'.encode()
