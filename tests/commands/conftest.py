"""A small stored history, and a person who asks about it from a channel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter

from bot.commands import Context, Person, Policy, dispatch
from bot.conditions import Condition
from bot.message import Reply
from bot.model import Advisory, Reason, Relevance, Severity, Source, Subscription, Threat, Verdict
from bot.query import unparse
from bot.rules import Rules
from bot.store import advisories, stories
from bot.store.engine import Store
from bot.terms import parse_term

NOW = datetime(2020, 5, 26, 12, tzinfo=UTC)
HERE = "slack:C1"
ANNA = Person("U1", "anna")
RULES = TypeAdapter(Rules).validate_python(
    {
        "relevance": [
            {"id": "care", "title": "A care provider", "gives": "direct", "when": {"words": ["hospital"]}},
            {"id": "device", "title": "A medical device", "gives": "direct", "when": {"words": ["pump"]}},
        ],
        "threats": [{"id": "ransom", "title": "Ransomware", "gives": "ransomware", "when": {"words": ["ransom*"]}}],
    }
)
SOURCES = {
    name: Source(id=name, name=shown, organisation=shown, country=country, language="en", url="https://e.example/")
    for name, shown, country in (
        ("us-cisa", "CISA", "US"),
        ("uk-ncsc", "NCSC", "GB"),
        ("cz-nukib", "NUKIB", "CZ"),
        ("de-bsi", "BSI", "DE"),
    )
}
LEXICONS = {"care-settings": (parse_term("hospital*"), parse_term("clinic*"))}
HOSPITAL = Verdict(
    Relevance.DIRECT,
    (Threat.RANSOMWARE,),
    Severity.HIGH,
    (
        Reason("care", "lexicon:care-settings", "hospital", "title", 11, 19),
        Reason("ransom", "ransom*", "Ransomware", "title", 0, 10),
    ),
)


@dataclass
class Channel:
    """A channel in which somebody types; remembers what the watch was told."""

    context: Context
    heard: list[str] = field(default_factory=list)

    async def __call__(self, text: str, who: Person = ANNA, where: str = HERE) -> Reply:
        return await dispatch(text, who, where, self.context)

    def with_(self, **changes: object) -> Channel:
        """The same channel under other circumstances."""
        return Channel(replace(self.context, **changes), self.heard)  # type: ignore[arg-type]

    def subscribed(self, one: Subscription, condition: Condition) -> None:
        self.heard.append(f"+{one.id} {unparse(condition)}")

    def unsubscribed(self, one: Subscription) -> None:
        self.heard.append(f"-{one.id} {one.query}")


@pytest.fixture
def channel(sqlite_store: Store) -> Channel:
    context = Context(
        store=sqlite_store,
        rules=RULES,
        lexicons=LEXICONS,
        sources=SOURCES,
        clock=lambda: NOW,
        started=NOW - timedelta(hours=30),
        version="1.2.3",
        policy=Policy(limit=3),
    )
    made = Channel(context)
    made.context = replace(context, subscribed=made.subscribed, unsubscribed=made.unsubscribed)
    return made


Keep = Callable[..., Awaitable[tuple[int, int]]]


@pytest.fixture
def keep(sqlite_store: Store) -> Keep:
    """Keeps an advisory; (its story, its id). Without ``story`` it gets one of its own."""

    async def kept(
        title: str, *, days: float = 1, story: int | None = None, verdict: Verdict | None = None, **fields: object
    ) -> tuple[int, int]:
        at = NOW - timedelta(days=days)
        link = f"https://e.example/{abs(hash(title))}"
        values = {"source": "us-cisa", "key": title, "url": link, "country": "US", "hash": title, "published": at}
        async with sqlite_store.begin() as conn:
            story = story or await stories.create(conn, at)
            advisory = Advisory(title=title, **(values | fields))  # type: ignore[arg-type]
            return story, await advisories.insert(conn, advisory, verdict or Verdict(), story, at)

    return kept


def said(reply: Reply) -> str:
    """A reply as a person reads it."""
    lines = ["".join(piece.text for piece in line) for line in reply.lines]
    shown = [f"{row.headline} [{'; '.join(row.details)}] #{row.story_id}" for row in reply.rows]
    return "\n".join(part for part in (reply.heading, *lines, reply.preformatted, *shown, reply.footer) if part)
