"""Who hears of an advisory that was taken in: asks the watch, reads the ledger, owes, and keeps reasons for silence."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.model import Delivery, Stored
from bot.route import Arrival, Wanted, is_baseline, route
from bot.store import deliveries, stories
from bot.store.engine import Connection
from bot.store.suppressions import Suppression
from bot.subject import Subject
from bot.watch import Watch


@dataclass(frozen=True, slots=True)
class Asked:
    """Who watches: a destination, by its standing query or by a subscription (its text)."""

    destination: str
    query: str
    standing: bool = False


@dataclass(slots=True)
class Taken:
    """What became of one document."""

    new: int = 0
    revised: int = 0
    owed: int = 0
    newest: datetime | None = None  # date of the newest new advisory, of those without one the moment of the poll
    destinations: set[str] = field(default_factory=set)  # to be woken once the transaction has committed
    silent: list[Suppression] = field(default_factory=list)


class Teller:
    """Routes arrivals of one document, and adds up in ``taken`` what came of it."""

    def __init__(self, watch: Watch[Asked], conn: Connection, now: datetime, taken: Taken) -> None:
        self._watch = watch
        self._conn = conn
        self._now = now
        self._taken = taken

    async def tell(self, arrival: Arrival, *, alone: bool = False) -> None:
        """Owe what ``arrival`` calls for; ``alone`` when its story has just been made."""
        ledger: list[Delivery] = []
        silent = is_baseline(arrival, self._now)
        if not alone and not silent:
            arrival = replace(arrival, members=await self._members(arrival))
            ledger = await deliveries.of_story(self._conn, arrival.stored.story_id)
        await asyncio.sleep(0)  # matching a long text takes milliseconds, and there may be many
        routing = route(arrival, Wanted() if silent else self._wanted(arrival), ledger, self._now)
        if routing.owed:
            self._taken.owed += await deliveries.owe(self._conn, routing.owed, self._now)
            self._taken.destinations |= {owed.destination for owed in routing.owed}
        stored = arrival.stored
        self._taken.silent += [
            Suppression(stored.id, silent.reason, self._now, stored.revision, silent.destination)
            for silent in routing.suppressed
        ]

    async def _members(self, arrival: Arrival) -> tuple[Stored, ...]:
        """The others of its story; of a new advisory, those that were there before it."""
        story = await stories.get(self._conn, arrival.stored.story_id)
        others = [member for member in (story.members if story else ()) if member.id != arrival.stored.id]
        return tuple(member for member in others if arrival.before is not None or member.id < arrival.stored.id)

    def _wanted(self, arrival: Arrival) -> Wanted:
        asked = self._asking(arrival.stored)
        subscribed: dict[str, list[str]] = {}
        for one in asked:
            if not one.standing:
                subscribed.setdefault(one.destination, []).append(one.query)
        before = self._asking(arrival.before) if arrival.before else ()
        return Wanted(
            standing=frozenset(one.destination for one in asked if one.standing),
            subscribed=subscribed,
            before=frozenset(one.destination for one in before),
        )

    def _asking(self, stored: Stored) -> tuple[Asked, ...]:
        return tuple(self._watch.match(Subject(stored.advisory, stored.verdict, seen=stored.first_seen), now=self._now))
