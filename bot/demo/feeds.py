"""The demo's feeds as documents: RSS 2.0 and Atom, written with ElementTree so that every character is escaped."""

from __future__ import annotations

import html
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from bot.demo.script import Event
from bot.model import Source

ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as a feed shows it now: its latest text, and when it was first published."""

    event: Event
    published: datetime


def rss(source: Source, entries: Sequence[Shown]) -> bytes:
    """An RSS 2.0 document; a revised entry carries ``atom:updated``."""
    root = ET.Element("rss", {"version": "2.0", "xmlns:atom": ATOM})
    channel = ET.SubElement(root, "channel")
    _add(channel, "title", source.name)
    _add(channel, "link", source.url)
    _add(channel, "description", f"{source.organisation}, as told by the Wardwatch demo")
    _add(channel, "language", source.language)
    for shown in entries:
        node = ET.SubElement(channel, "item")
        _add(node, "title", shown.event.title)
        _add(node, "link", shown.event.link)
        _add(node, "guid", shown.event.entry[1], isPermaLink="false")
        _add(node, "pubDate", format_datetime(shown.published, usegmt=True))
        if shown.event.at != shown.published:
            _add(node, "atom:updated", shown.event.at.isoformat())
        _add(node, "description", _paragraphs(shown.event.summary))
    return _document(root)


def atom(source: Source, entries: Sequence[Shown]) -> bytes:
    """An Atom document with the text as HTML content, in the manner of the Canadian Cyber Centre."""
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": source.language})
    _add(root, "id", f"urn:wardwatch:demo:{source.id}")
    _add(root, "title", source.name)
    _add(root, "updated", max((shown.event.at.isoformat() for shown in entries), default="2020-01-01T00:00:00+00:00"))
    _add(ET.SubElement(root, "author"), "name", source.organisation)
    for shown in entries:
        node = ET.SubElement(root, "entry")
        _add(node, "id", f"urn:wardwatch:demo:{source.id}:{shown.event.entry[1]}")
        _add(node, "title", shown.event.title)
        ET.SubElement(node, "link", {"rel": "alternate", "href": shown.event.link})
        _add(node, "published", shown.published.isoformat())
        _add(node, "updated", shown.event.at.isoformat())
        _add(node, "content", _paragraphs(shown.event.summary), type="html")
    return _document(root)


def _add(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = text


def _paragraphs(summary: str) -> str:
    """A summary as HTML; each line is a paragraph."""
    return "".join(f"<p>{html.escape(line, quote=False)}</p>" for line in summary.splitlines() if line.strip())


def _document(root: ET.Element) -> bytes:
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document
