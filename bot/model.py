"""The nouns of Wardwatch, as the field uses them. Frozen values; no behaviour beyond reading themselves.

``Source`` is typed by a person in ``config/sources.yaml`` and therefore a pydantic model; everything else is made
inside and is a frozen dataclass. All datetimes are aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, field_validator


class Relevance(StrEnum):
    """How an advisory concerns healthcare."""

    DIRECT = "direct"
    MENTION = "mention"
    NONE = "none"

    @property
    def rank(self) -> int:
        return ("none", "mention", "direct").index(self.value)


class Severity(StrEnum):
    """Our own grading; CVSS is theirs."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return ("info", "low", "medium", "high", "critical").index(self.value)


class Threat(StrEnum):
    """What kind of danger an advisory speaks of; several may hold."""

    RANSOMWARE = "ransomware"
    DATA_THEFT = "data-theft"
    ESPIONAGE = "espionage"
    DDOS = "ddos"
    VULNERABILITY = "vulnerability"
    PHISHING = "phishing"
    FRAUD = "fraud"
    SUPPLY_CHAIN = "supply-chain"
    MALWARE = "malware"
    POLICY = "policy"
    RECALL = "recall"
    OTHER = "other"


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0 (FIRST)."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"


class Format(StrEnum):
    """What a source serves; each has one reader in ``feeds/parse.py``."""

    RSS = "rss"  # RSS, Atom and RDF
    JSONFEED = "jsonfeed"
    KEV = "kev"  # CISA's Known Exploited Vulnerabilities catalogue
    CSAF = "csaf"  # a CSAF ROLIE feed, or one CSAF document
    NHS = "nhs"  # NHS England's cyber alerts over REST
    EUVD = "euvd"  # ENISA's EU Vulnerability Database
    OPENFDA = "openfda"  # FDA device recalls over the openFDA API
    CSH = "csh"  # Swiss Cyber Security Hub posts


_DURATION_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(value: object) -> object:
    """``"90s"``, ``"15m"``, ``"6h"``, ``"30d"`` or ``"2w"`` as a timedelta; anything else is left to pydantic."""
    if isinstance(value, str) and value[:-1].isdigit() and value[-1:] in _DURATION_UNITS:
        return timedelta(**{_DURATION_UNITS[value[-1]]: int(value[:-1])})
    return value


def _checked_url(value: object) -> object:
    """An absolute http(s) URL, kept exactly as written: some publishers' odd percent-encoding is right."""
    if isinstance(value, str):
        TypeAdapter(HttpUrl).validate_python(value)
    return value


class Source(BaseModel):
    """A configured origin of advisories: one stanza of ``config/sources.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,48}$", description="short name, unique, never re-used")]
    name: Annotated[str, Field(min_length=1, description="what people call it")]
    organisation: Annotated[str, Field(min_length=1, description="who publishes it")]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2,3}$", description="ISO 3166 code, or EU, or INT")]
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$", description="ISO 639-1 code of its texts")]
    format: Annotated[Format, Field(description="which reader understands it")] = Format.RSS
    url: Annotated[str, Field(description="the document to poll")]
    fallbacks: Annotated[tuple[Fallback, ...], Field(description="other ways to the same facts, tried in order")] = ()
    interval: Annotated[timedelta, Field(ge=timedelta(seconds=1), description="how often to look, at most")] = (
        timedelta(minutes=30)
    )
    rhythm: Annotated[timedelta, Field(description="the longest silence that is still normal")] = timedelta(days=30)
    tlp: Annotated[Tlp, Field(description="marking of what it publishes")] = Tlp.CLEAR
    health: Annotated[bool, Field(description="the publisher serves the health sector only")] = False
    private: Annotated[bool, Field(description="may be on a loopback or private address")] = False
    max_bytes: Annotated[int, Field(ge=1024, le=256 * 2**20, description="limit after decompression")] = 16 * 2**20
    enabled: Annotated[bool, Field(description="poll it")] = True
    note: Annotated[str, Field(description="what an operator should know")] = ""

    @field_validator("interval", "rhythm", mode="before")
    @classmethod
    def _durations(cls, value: object) -> object:
        return parse_duration(value)

    @field_validator("url", mode="before")
    @classmethod
    def _url(cls, value: object) -> object:
        return _checked_url(value)


class Fallback(BaseModel):
    """Another document with the same facts, possibly in another format."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    format: Format | None = None

    @field_validator("url", mode="before")
    @classmethod
    def _url(cls, value: object) -> object:
        return _checked_url(value)


Source.model_rebuild()


@dataclass(frozen=True, slots=True)
class Entry:
    """What a feed said, as it said it: text may hold HTML, dates are strings, links may be relative.

    ``facts`` are typed statements some formats make beside their prose (KEV, CSAF, NHS).
    """

    guid: str = ""
    link: str = ""
    title: str = ""
    summary: str = ""  # as served: HTML, Markdown or plain
    published: str = ""
    updated: str = ""
    language: str = ""
    facts: Facts | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Typed statements of structured formats; empty where a feed is prose."""

    cves: tuple[str, ...] = ()
    cvss: float | None = None
    vendors: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    severity: Severity | None = None  # the publisher's own grading, where it has one
    kev_added: str = ""  # date CISA added it to KEV, as served
    kev_due: str = ""  # date a federal agency must have acted by, as served
    known_ransomware: bool = False


@dataclass(frozen=True, slots=True)
class Feed:
    """A parsed document: its entries in the order served, what its publisher asks of us, and what was wrong with it."""

    entries: tuple[Entry, ...]
    title: str = ""
    language: str = ""
    ttl: timedelta | None = None  # RSS ttl or sy:updatePeriod: do not come back sooner
    warnings: tuple[str, ...] = ()  # e.g. "truncated: the last entry was left out"


@dataclass(frozen=True, slots=True)
class Advisory:
    """What we make of an entry: plain text, absolute http(s) links, aware UTC times.

    Identity is (``source``, ``key``): the guid, else the link, else a hash of title and text; never a date.
    ``hash`` covers title, text and dates: a new hash under the same identity is a revision.
    """

    source: str
    key: str
    title: str
    summary: str = ""
    url: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    language: str = "en"
    organisation: str = ""
    country: str = ""
    cves: tuple[str, ...] = ()
    cvss: float | None = None
    epss: float | None = None
    kev: bool = False
    known_ransomware: bool = False
    vendors: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    stated_severity: Severity | None = None
    health_publisher: bool = False
    tlp: Tlp = Tlp.CLEAR
    hash: str = ""


Place = Literal["title", "text", "field"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict is what it is: a rule, its clause, and the words found.

    ``start`` and ``end`` are character offsets into the title or summary (-1 where the clause tested a field).
    """

    rule: str
    clause: str
    words: str
    place: Place
    start: int = -1
    end: int = -1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of an advisory."""

    relevance: Relevance = Relevance.NONE
    threats: tuple[Threat, ...] = ()
    severity: Severity = Severity.INFO
    reasons: tuple[Reason, ...] = ()


class Kind(StrEnum):
    """What is owed to a destination."""

    STORY = "story"  # the first a channel hears of a story: a card
    REVISION = "revision"  # an advisory of that story changed: a reply in its thread, and the card is updated
    CORROBORATION = "corroboration"  # another source tells the same story: a reply in its thread, card updated
    NOTICE = "notice"  # for the operators: a source fails or recovers, a destination stopped, the daily heartbeat


class State(StrEnum):
    """Where a delivery stands. owed -> sending -> sent | unknown -> sent | refused | expired."""

    OWED = "owed"  # not attempted yet, or certainly not delivered: due at ``due_at``
    SENDING = "sending"  # committed before the call; found at start it means: unknown
    UNKNOWN = "unknown"  # the answer was lost: the platform is asked before anything is sent again
    SENT = "sent"  # the platform has it; ``ref`` is its receipt
    REFUSED = "refused"  # the platform will never take it; the reason is kept and told
    EXPIRED = "expired"  # overtaken before it could be sent (its destination stopped, its story was withdrawn)


@dataclass(frozen=True, slots=True)
class Owed:
    """One delivery as ``route`` decides it, before it has an id.

    ``subject`` is ``story:<id>`` or ``notice:<what>:<when>``; unique with destination, kind and revision.
    """

    destination: str  # "slack:C0123", "terminal:"
    subject: str
    kind: Kind
    revision: int
    due_at: datetime
    advisory_id: int | None = None
    because: tuple[str, ...] = ()  # the subscriptions (as text) that asked for it
    text: str = ""  # for notices


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the ledger."""

    id: int
    destination: str
    subject: str
    kind: Kind
    revision: int
    state: State
    due_at: datetime
    advisory_id: int | None
    because: tuple[str, ...]
    text: str
    attempts: int
    ref: str | None
    sending_since: datetime | None = None
    started: datetime | None = None  # when it was first attempted
    sent_as: str = ""  # the key in the platform's metadata; the rows of one digest share it
    reason: str = ""  # why it was refused or expired
    settled_at: datetime | None = None  # when it was sent, refused or expired

    @property
    def key(self) -> str:
        """Stable name of this delivery, carried in the platform's message metadata."""
        return f"{self.destination}/{self.subject}/{self.kind}/{self.revision}"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A standing condition of a destination; ``query`` is its text in the query language."""

    id: int
    destination: str
    query: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """An advisory as the store keeps it: with id, verdict, story and when we saw it."""

    id: int
    advisory: Advisory
    verdict: Verdict
    story_id: int
    revision: int  # 0 for the first text seen
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Story:
    """Advisories about one thing, across sources and languages; ``members`` oldest first."""

    id: int
    members: tuple[Stored, ...] = field(default=())
