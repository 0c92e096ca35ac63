"""Rows of the ledger as the message that is to be sent, composed from what the store knows at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.compose import compose_card, compose_digest, compose_note, compose_notice, told_changes
from bot.message import Card, Message
from bot.model import Delivery, Kind, Source, State, Story
from bot.rules import Rules
from bot.store import deliveries, facts, stories
from bot.store.engine import Connection, Store
from bot.store.facts import CveFacts


@dataclass(frozen=True, slots=True)
class Letter:
    """One message for rows of one destination. ``card`` replaces what stands at ``thread`` before it is sent."""

    message: Message
    thread: str | None = None
    card: Card | None = None


class Letters:
    """Composes; ``sources`` and ``rules`` name what a card shows."""

    def __init__(self, store: Store, sources: Mapping[str, Source], rules: Rules) -> None:
        self._store = store
        self._sources = sources
        self._rules = rules

    async def write(self, rows: Sequence[Delivery]) -> Letter:
        """The message of these rows: one row, or several stories for a digest. Raises LookupError for a lost story."""
        if rows[0].kind is Kind.NOTICE:
            return Letter(compose_notice(rows[0]))
        async with self._store.read() as conn:
            told = await _stories(conn, rows)
            known = await _facts(conn, told)
            if len(rows) > 1:
                return Letter(compose_digest(told, known, self._sources, self._rules))
            ledger = await deliveries.of_story(conn, told[0].id, destination=rows[0].destination)
        return self._about(rows[0], told[0], known, ledger)

    def _about(self, row: Delivery, story: Story, known: Mapping[str, CveFacts], ledger: Sequence[Delivery]) -> Letter:
        first = _shown(ledger)
        because = (row if row.kind is Kind.STORY or first is None else first).because
        changes = told_changes(one for one in ledger if one.id <= row.id)
        card = compose_card(story, known, self._sources, self._rules, because=because, changes=changes)
        if row.kind is Kind.STORY:
            return Letter(card)
        note = compose_note(row, story, known, self._sources, self._rules)
        if first is None:
            return Letter(note)
        alone = first.sent_as in ("", first.key)  # else a digest stands there
        return Letter(note, first.ref, card if alone else None)

    async def thread(self, row: Delivery) -> str | None:
        """The thread in which ``row`` was, or would be, posted."""
        if row.kind in (Kind.STORY, Kind.NOTICE):
            return None
        async with self._store.read() as conn:
            return await deliveries.thread_of(conn, row.destination, story_id(row))


def story_id(row: Delivery) -> int:
    """The story that a row is about."""
    return int(row.subject.removeprefix("story:"))


def _shown(ledger: Iterable[Delivery]) -> Delivery | None:
    """The row by which the destination got the story."""
    return next((row for row in ledger if row.kind is Kind.STORY and row.state is State.SENT and row.ref), None)


async def _stories(conn: Connection, rows: Sequence[Delivery]) -> list[Story]:
    found = await stories.of(conn, [story_id(row) for row in rows])
    told = [story for row in rows if (story := found.get(story_id(row))) and story.members]
    if len(told) < len(rows):
        raise LookupError(f"no advisory is left of {rows[0].subject}")
    return told


async def _facts(conn: Connection, told: Sequence[Story]) -> dict[str, CveFacts]:
    return await facts.get(conn, {cve for story in told for member in story.members for cve in member.advisory.cves})
