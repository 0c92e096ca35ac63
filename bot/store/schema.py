"""The tables. A change here needs a revision in ``migrations/versions``; a test compares the two on both databases.

The full-text index ``advisory_words`` is no table of this metadata: it is an FTS5 table on SQLite and a table with a
tsvector on PostgreSQL. Its key is an advisory's ``place``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger as Big
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    literal_column,
    text,
)

from bot.store.columns import Id, Json, Moment, Plain, PlainBytewise

INDEX = "advisory_words"

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _needed(name: str, kind: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, nullable=False, **options)


sources = Table(
    "sources",
    metadata,
    Column("id", Plain, primary_key=True),
    _needed("validators", Json),
    Column("next_check_at", Moment),
    Column("checked_at", Moment),
    Column("claimed_until", Moment),
    _needed("failures", Integer),
    Column("failing_since", Moment),
    _needed("last_error", Plain),
    Column("last_status", Integer),
    Column("last_ok_at", Moment),
    Column("last_entry_at", Moment),
    _needed("entries", Integer),
    _needed("usual", Integer),
    _needed("moved_to", Plain),
    _needed("future_dated", Integer),
    Column("first_polled_at", Moment),
    _needed("active_url", Plain),
    _needed("reported", Json),
)

polls = Table(
    "polls",
    metadata,
    Column("id", Id, primary_key=True),
    _needed("source", Plain),
    _needed("at", Moment),
    _needed("status", Plain),
    _needed("entries", Integer),
    _needed("new", Integer),
    _needed("revised", Integer),
    _needed("alerts", Integer),
    _needed("seconds", Float(53)),
    _needed("note", Plain),
    Index("ix_polls_source_at", "source", "at"),
    Index("ix_polls_at", "at"),
)

stories = Table(
    "stories",
    metadata,
    Column("id", Id, primary_key=True),
    _needed("created_at", Moment),
    sqlite_autoincrement=True,
)

advisories = Table(
    "advisories",
    metadata,
    Column("id", Id, primary_key=True),
    _needed("source", Plain),
    _needed("key", Plain),
    _needed("identity", Plain),  # the key, or its hash where it is too long for an index
    _needed("hash", Plain),
    Column("story_id", Id, ForeignKey("stories.id"), nullable=False),
    _needed("revision", Integer),
    _needed("first_seen", Moment),
    _needed("last_seen", Moment),
    _needed("at", Moment),  # published, or first seen
    Column("place", Big, unique=True),  # sorts as (at, id) do; key of the full-text index (see index.py)
    _needed("title", Plain),
    _needed("summary", Plain),
    _needed("url", Plain),
    Column("published", Moment),
    Column("updated", Moment),
    _needed("language", Plain),
    _needed("organisation", Plain),
    _needed("country", Plain),
    _needed("cves", Json),
    Column("cvss", Float(53)),
    Column("epss", Float(53)),
    _needed("kev", Boolean),
    _needed("known_ransomware", Boolean),
    _needed("vendors", Json),
    _needed("products", Json),
    _needed("sectors", Json),
    Column("stated_severity", Plain),
    _needed("health_publisher", Boolean),
    _needed("tlp", Plain),
    _needed("relevance", Integer),  # rank
    _needed("severity", Integer),  # rank
    _needed("threats", Integer),  # one bit for each threat, in the order of model.Threat
    _needed("reasons", Json),
    _needed("url_folded", Plain),  # lower case, as queries compare them
    _needed("url_identity", Plain),
    _needed("country_folded", Plain),
    _needed("language_folded", Plain),
    UniqueConstraint("source", "identity"),
    Index("ix_advisories_source_hash", "source", "hash"),
    Index("ix_advisories_source_at", "source", "at"),
    Index("ix_advisories_story_id", "story_id"),
    Index("ix_advisories_url_identity", "url_identity"),
    Index("ix_advisories_first_seen", "first_seen"),
    sqlite_autoincrement=True,
)

advisory_cves = Table(
    "advisory_cves",
    metadata,
    Column("cve", PlainBytewise, primary_key=True),  # lower case
    Column("advisory_id", Id, ForeignKey("advisories.id"), primary_key=True),
    Index("ix_advisory_cves_advisory_id", "advisory_id"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("advisory_id", Id, ForeignKey("advisories.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    _needed("seen_at", Moment),
    _needed("hash", Plain),
    _needed("title", Plain),
    _needed("summary", Plain),
    _needed("severity", Plain),
)

destinations = Table(
    "destinations",
    metadata,
    Column("id", Plain, primary_key=True),  # "slack:C0123"
    _needed("state", Plain),  # active, stopped
    _needed("reason", Plain),
    Column("since", Moment),
    _needed("owner", Plain),
    Column("blocked_until", Moment),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Id, primary_key=True),
    _needed("destination", Plain),
    _needed("query", Plain),
    _needed("identity", Plain),  # the query, or its hash
    _needed("created_by", Plain),
    _needed("created_at", Moment),
    UniqueConstraint("destination", "identity"),
    sqlite_autoincrement=True,
)

OWED = text("state = 'owed'")  # written out, so that the databases see that the partial indexes serve
HELD = text("state IN ('sending', 'unknown')")

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("destination", Plain, ForeignKey("destinations.id"), nullable=False),
    _needed("subject", Plain),
    _needed("kind", Plain),
    _needed("revision", Integer),
    _needed("state", Plain),
    _needed("due_at", Moment),
    Column("advisory_id", Id, ForeignKey("advisories.id")),
    _needed("because", Json),
    _needed("text", Plain),
    _needed("attempts", Integer),
    Column("ref", Plain),
    _needed("sent_as", Plain),
    _needed("reason", Plain),
    _needed("created_at", Moment),
    Column("started", Moment),
    Column("sending_since", Moment),
    Column("settled_at", Moment),
    UniqueConstraint("destination", "subject", "kind", "revision"),
    Index("ix_deliveries_owed", "destination", "id", sqlite_where=OWED, postgresql_where=OWED),
    Index("ix_deliveries_owed_due", "destination", "due_at", sqlite_where=OWED, postgresql_where=OWED),
    Index("ix_deliveries_held", "destination", "id", sqlite_where=HELD, postgresql_where=HELD),
    Index("ix_deliveries_subject", "subject"),
    Index("ix_deliveries_advisory_id", "advisory_id"),
    Index("ix_deliveries_settled_at", "settled_at"),
    sqlite_autoincrement=True,
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("delivery_id", Id, ForeignKey("deliveries.id"), nullable=False),
    _needed("at", Moment),
    _needed("outcome", Plain),
    _needed("reason", Plain),
    Index("ix_attempts_delivery_id", "delivery_id"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("advisory_id", Id, ForeignKey("advisories.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("destination", Plain, primary_key=True),  # empty: for every destination
    _needed("reason", Plain),
    _needed("at", Moment),
)

facts = Table(
    "facts",
    metadata,
    Column("cve", Plain, primary_key=True),  # upper case
    Column("kev_added", Plain),
    Column("kev_due", Plain),
    _needed("ransomware", Boolean),
    Column("kev_as_of", Moment),
    Column("epss", Float(53)),
    Column("epss_as_of", Moment),
    Column("cvss", Float(53)),
    Column("cvss_as_of", Moment),
)

meta = Table("meta", metadata, Column("name", Plain, primary_key=True), _needed("value", Plain))

requests = Table(
    "requests",
    metadata,
    Column("signature", Plain, primary_key=True),
    _needed("at", Moment),
    Index("ix_requests_at", "at"),
)


def is_owed(rows: FromClause) -> ColumnElement[bool]:
    """Rows of the ledger that are owed, in the words of their index."""
    return rows.c.state == literal_column("'owed'")


def is_held(rows: FromClause) -> ColumnElement[bool]:
    """Rows of the ledger whose outcome is open, in the words of their index."""
    return rows.c.state.in_([literal_column("'sending'"), literal_column("'unknown'")])
