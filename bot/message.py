"""What Wardwatch says, before any chat platform shapes it: a card, a note, a digest, or the reply to a command.

Texts here are plain: whatever came from a feed is escaped by the platform that shows it, never earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.model import Relevance, Severity, Threat, Tlp


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text: a link where ``url`` is set, and at most one emphasis."""

    text: str
    url: str = ""
    style: Literal["", "strong", "code", "quiet"] = ""


Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Button:
    """Something to press: opens ``url``, or sends ``action`` with ``value`` back to Wardwatch."""

    label: str
    action: str
    value: str = ""
    url: str = ""
    tone: Literal["", "primary", "danger"] = ""


@dataclass(frozen=True, slots=True)
class CveFact:
    """What is known of one CVE when the card is composed."""

    cve: str
    cvss: float | None = None
    epss: float | None = None
    kev_added: str = ""  # ISO date, empty when not in KEV
    ransomware: bool = False


@dataclass(frozen=True, slots=True)
class Why:
    """One reason as a person reads it: the rule's title and the words that matched, in the order found."""

    rule: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One story in a channel."""

    story_id: int
    headline: str
    url: str
    severity: Severity
    relevance: Relevance
    threats: tuple[Threat, ...]
    affected: str  # who or what is concerned, in one line; empty when the advisory does not tell
    why: tuple[Why, ...]
    summary: str
    cves: tuple[CveFact, ...]
    source: str
    country: str
    published: datetime | None
    seen: datetime
    tlp: Tlp = Tlp.CLEAR
    because: tuple[str, ...] = ()  # subscriptions that asked for it, beside the channel's standing one
    also: tuple[str, ...] = ()  # further sources telling the same story
    changes: tuple[str, ...] = ()  # what revisions changed, newest first
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A reply in a story's thread, or word to the operators."""

    heading: str
    lines: tuple[Line, ...] = ()
    severity: Severity | None = None
    broadcast: bool = False  # also shown in the channel itself: a revision made the story worse


@dataclass(frozen=True, slots=True)
class Row:
    """One advisory or story in a list."""

    headline: str
    url: str
    severity: Severity | None
    details: tuple[str, ...] = ()  # source, date, CVEs: short texts shown beside each other
    story_id: int | None = None


@dataclass(frozen=True, slots=True)
class Digest:
    """Several deliveries of one destination that fall due together."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a command; ``more`` is the command of the next page, ``trouble`` marks a mistake of typing."""

    heading: str
    lines: tuple[Line, ...] = ()
    rows: tuple[Row, ...] = ()
    preformatted: str = ""  # shown in a fixed-width face: a query with a caret under its error
    footer: str = ""
    more: str = ""
    card: Card | None = None
    trouble: bool = False


Message = Card | Note | Digest | Reply
