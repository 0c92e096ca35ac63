"""The first schema: sources, advisories, stories, subscriptions, the ledger, facts, and the full-text index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "destinations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", MOMENT, nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("blocked_until", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destinations")),
    )
    op.create_table(
        "facts",
        sa.Column("cve", sa.Text(), nullable=False),
        sa.Column("kev_added", sa.Text(), nullable=True),
        sa.Column("kev_due", sa.Text(), nullable=True),
        sa.Column("ransomware", sa.Boolean(), nullable=False),
        sa.Column("kev_as_of", MOMENT, nullable=True),
        sa.Column("epss", sa.Float(53), nullable=True),
        sa.Column("epss_as_of", MOMENT, nullable=True),
        sa.Column("cvss", sa.Float(53), nullable=True),
        sa.Column("cvss_as_of", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("cve", name=op.f("pk_facts")),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )
    op.create_table(
        "polls",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("revised", sa.Integer(), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_polls")),
    )
    op.create_index("ix_polls_at", "polls", ["at"], unique=False)
    op.create_index("ix_polls_source_at", "polls", ["source", "at"], unique=False)
    op.create_table(
        "requests",
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("signature", name=op.f("pk_requests")),
    )
    op.create_index("ix_requests_at", "requests", ["at"], unique=False)
    op.create_table(
        "sources",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("validators", sa.Text(), nullable=False),
        sa.Column("next_check_at", MOMENT, nullable=True),
        sa.Column("checked_at", MOMENT, nullable=True),
        sa.Column("claimed_until", MOMENT, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_ok_at", MOMENT, nullable=True),
        sa.Column("last_entry_at", MOMENT, nullable=True),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("usual", sa.Integer(), nullable=False),
        sa.Column("moved_to", sa.Text(), nullable=False),
        sa.Column("future_dated", sa.Integer(), nullable=False),
        sa.Column("first_polled_at", MOMENT, nullable=True),
        sa.Column("active_url", sa.Text(), nullable=False),
        sa.Column("reported", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
    )
    op.create_table(
        "stories",
        sa.Column("id", ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stories")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", ID, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("destination", "identity", name=op.f("uq_subscriptions_destination_identity")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "advisories",
        sa.Column("id", ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("story_id", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("first_seen", MOMENT, nullable=False),
        sa.Column("last_seen", MOMENT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("published", MOMENT, nullable=True),
        sa.Column("updated", MOMENT, nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("cves", sa.Text(), nullable=False),
        sa.Column("cvss", sa.Float(53), nullable=True),
        sa.Column("epss", sa.Float(53), nullable=True),
        sa.Column("kev", sa.Boolean(), nullable=False),
        sa.Column("known_ransomware", sa.Boolean(), nullable=False),
        sa.Column("vendors", sa.Text(), nullable=False),
        sa.Column("products", sa.Text(), nullable=False),
        sa.Column("sectors", sa.Text(), nullable=False),
        sa.Column("stated_severity", sa.Text(), nullable=True),
        sa.Column("health_publisher", sa.Boolean(), nullable=False),
        sa.Column("tlp", sa.Text(), nullable=False),
        sa.Column("relevance", sa.Integer(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("threats", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("url_folded", sa.Text(), nullable=False),
        sa.Column("url_identity", sa.Text(), nullable=False),
        sa.Column("country_folded", sa.Text(), nullable=False),
        sa.Column("language_folded", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["story_id"], ["stories.id"], name=op.f("fk_advisories_story_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advisories")),
        sa.UniqueConstraint("place", name=op.f("uq_advisories_place")),
        sa.UniqueConstraint("source", "identity", name=op.f("uq_advisories_source_identity")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_advisories_first_seen", "advisories", ["first_seen"], unique=False)
    op.create_index("ix_advisories_source_at", "advisories", ["source", "at"], unique=False)
    op.create_index("ix_advisories_source_hash", "advisories", ["source", "hash"], unique=False)
    op.create_index("ix_advisories_story_id", "advisories", ["story_id"], unique=False)
    op.create_index("ix_advisories_url_identity", "advisories", ["url_identity"], unique=False)
    op.create_table(
        "advisory_cves",
        sa.Column("cve", BYTEWISE, nullable=False),
        sa.Column("advisory_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["advisory_id"], ["advisories.id"], name=op.f("fk_advisory_cves_advisory_id")),
        sa.PrimaryKeyConstraint("cve", "advisory_id", name=op.f("pk_advisory_cves")),
    )
    op.create_index("ix_advisory_cves_advisory_id", "advisory_cves", ["advisory_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("advisory_id", ID, nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=True),
        sa.Column("sent_as", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started", MOMENT, nullable=True),
        sa.Column("sending_since", MOMENT, nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["advisory_id"], ["advisories.id"], name=op.f("fk_deliveries_advisory_id")),
        sa.ForeignKeyConstraint(["destination"], ["destinations.id"], name=op.f("fk_deliveries_destination")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "destination", "subject", "kind", "revision", name=op.f("uq_deliveries_destination_subject_kind_revision")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_advisory_id", "deliveries", ["advisory_id"], unique=False)
    op.create_index(
        "ix_deliveries_held",
        "deliveries",
        ["destination", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('sending', 'unknown')"),
        postgresql_where=sa.text("state IN ('sending', 'unknown')"),
    )
    op.create_index(
        "ix_deliveries_owed",
        "deliveries",
        ["destination", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'owed'"),
        postgresql_where=sa.text("state = 'owed'"),
    )
    op.create_index(
        "ix_deliveries_owed_due",
        "deliveries",
        ["destination", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'owed'"),
        postgresql_where=sa.text("state = 'owed'"),
    )
    op.create_index("ix_deliveries_settled_at", "deliveries", ["settled_at"], unique=False)
    op.create_index("ix_deliveries_subject", "deliveries", ["subject"], unique=False)
    op.create_table(
        "revisions",
        sa.Column("advisory_id", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["advisory_id"], ["advisories.id"], name=op.f("fk_revisions_advisory_id")),
        sa.PrimaryKeyConstraint("advisory_id", "revision", name=op.f("pk_revisions")),
    )
    op.create_table(
        "suppressions",
        sa.Column("advisory_id", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["advisory_id"], ["advisories.id"], name=op.f("fk_suppressions_advisory_id")),
        sa.PrimaryKeyConstraint("advisory_id", "revision", "destination", name=op.f("pk_suppressions")),
    )
    op.create_table(
        "attempts",
        sa.Column("id", ID, nullable=False),
        sa.Column("delivery_id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_attempts_delivery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index("ix_attempts_delivery_id", "attempts", ["delivery_id"], unique=False)
    _full_text()


def _full_text() -> None:
    """The words of each advisory under its place; no positions, phrases are confirmed on the text itself."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TABLE advisory_words "
            "(place BIGINT NOT NULL PRIMARY KEY, plain TEXT NOT NULL, words TSVECTOR NOT NULL)"
        )
        op.execute("CREATE INDEX ix_advisory_words_words ON advisory_words USING gin (words)")
    else:
        op.execute(
            "CREATE VIRTUAL TABLE advisory_words "
            "USING fts5(plain, marked, tokenize = 'ascii', detail = none, columnsize = 0)"
        )


def downgrade() -> None:
    raise NotImplementedError("restore the copy made before the upgrade")
