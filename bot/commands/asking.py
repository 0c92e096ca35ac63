"""What a command is given: the question, and the parts of Wardwatch that answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.conditions import Condition, Lexicons
from bot.message import Reply
from bot.model import Source, Subscription
from bot.rules import Rules
from bot.store.engine import Store


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks; ``id`` as the platform knows them."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: what was typed after the verb, and from where."""

    words: str
    who: Person
    where: str  # the destination asked from: "slack:C0123", "terminal:"
    now: datetime
    page: int = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may change what a channel subscribes to, and how much of it there may be."""

    admins: frozenset[str] = frozenset()  # ids of persons; empty: every member may
    limit: int = 50  # subscriptions of one destination

    def may_change(self, who: Person) -> bool:
        return not self.admins or who.id in self.admins


def _unheard(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Context:
    """What commands work with.

    ``subscribed`` and ``unsubscribed`` are called after the commit, so that the watch learns at once. ``cautions``
    gives lines for ``status``, such as a platform on which delivery is at-least-once. ``prefix`` is what is typed
    before a command: ``/ward`` in Slack.
    """

    store: Store
    rules: Rules
    lexicons: Lexicons
    sources: Mapping[str, Source]
    clock: Callable[[], datetime]
    started: datetime
    version: str
    policy: Policy = field(default_factory=Policy)
    standing: Mapping[str, str] = field(default_factory=dict)  # destination -> the query set for it in the settings
    subscribed: Callable[[Subscription, Condition], None] = _unheard
    unsubscribed: Callable[[Subscription], None] = _unheard
    cautions: Callable[[], Iterable[str]] = tuple
    prefix: str = ""

    def typed(self, command: str) -> str:
        """A command as it is typed here."""
        return f"{self.prefix} {command}".strip()


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that can be asked."""

    name: str
    usage: str
    about: str
    examples: tuple[str, ...]
    details: str
    answer: Callable[[Ask, Context], Awaitable[Reply]]
