"""Route: who hears of an advisory, how and when. Pure.

A destination hears of a story once (STORY), by whichever of its subscriptions; what happens to the story later goes to
the destinations that have it: REVISION when an advisory of it changed, CORROBORATION when another source tells it.
Whatever is not owed leaves a reason.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.changes import Change, beside, changes, written
from bot.model import Delivery, Kind, Owed, State, Stored

DAILY = 3  # revisions of one advisory announced to a destination in a day; twice as many where they make it worse
YOUNG = timedelta(days=7)  # a story that was never told here is news once more, when it is dated so
_DEAD = (State.REFUSED, State.EXPIRED)
_PLACES, _FACTS, _MEMBERS = 10_000, 9_000, 200_000  # how ``mark`` fills the 31 bits of a column


@dataclass(frozen=True, slots=True)
class Arrival:
    """An advisory as a poll brought it, or as a fact learned later (KEV) left it.

    ``before`` is its former state where it was known: with a lower revision when its text changed, with the same one
    when only facts did. ``told_before`` says that the very text was announced earlier (it flaps). ``first_poll`` says
    that its document, or the one that stated the fact, was met for the first time.
    """

    stored: Stored
    before: Stored | None = None
    members: Sequence[Stored] = ()  # the other advisories of its story
    told_before: bool = False
    first_poll: bool = False  # the source was never polled before
    first_run_window: timedelta = timedelta(0)
    states_facts: bool = False  # it is an entry of a list of facts (KEV); they were told of the story's advisories


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who asks for an advisory: destinations whose standing query holds, and subscriptions (as text) that do.

    ``before`` are the destinations that asked for its former text too.
    """

    standing: frozenset[str] = frozenset()
    subscribed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    before: frozenset[str] = frozenset()

    @property
    def destinations(self) -> list[str]:
        return sorted(self.standing | set(self.subscribed))


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Why a destination (empty: everybody) does not hear of an advisory."""

    destination: str
    reason: str


@dataclass(frozen=True, slots=True)
class Routing:
    """What is owed, and what is not, with the reason."""

    owed: tuple[Owed, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()


def route(arrival: Arrival, wanted: Wanted, ledger: Sequence[Delivery], now: datetime) -> Routing:
    """Who hears of ``arrival``. ``ledger`` holds every delivery about its story so far."""
    if is_baseline(arrival, now):
        return Routing(suppressed=(Suppressed("", "was there at the first poll of its source"),))
    told = {row.destination for row in ledger if row.kind is Kind.STORY and row.state not in _DEAD}
    told_changes = _told_changes(arrival)
    owed: list[Owed] = []
    suppressed: list[Suppressed] = []
    for destination in sorted({*wanted.destinations, *told}):
        if destination in told:
            decided = _follow(arrival, destination, ledger, told_changes, now)
        else:
            decided = _first(arrival, destination, wanted, ledger, told_changes, now)
        if isinstance(decided, Owed):
            owed.append(decided)
        else:
            suppressed.append(Suppressed(destination, decided))
    if not owed and not suppressed:
        suppressed.append(Suppressed("", f"no channel asks for it (relevance {arrival.stored.verdict.relevance})"))
    return Routing(tuple(owed), tuple(suppressed))


def is_baseline(arrival: Arrival, now: datetime) -> bool:
    """Whether an entry of a source's first poll is too old to be news."""
    if not arrival.first_poll or arrival.before is not None:
        return False
    published, window = arrival.stored.advisory.published, arrival.first_run_window
    return not window or published is None or now - published > window


def notice(destination: str, what: str, text: str, now: datetime, *, when: str = "") -> Owed:
    """Word to the operators; the same ``what`` and ``when`` (default: this moment) is said once."""
    subject = f"notice:{what}:{when or now.strftime('%Y-%m-%dT%H:%M:%SZ')}"
    return Owed(destination, subject, Kind.NOTICE, 0, now, text=text)


def mark(advisory_id: int, revision: int) -> int:
    """The number that sets a delivery about this revision of this advisory apart from others about its story."""
    return advisory_id % _MEMBERS * _PLACES + revision % _FACTS


def _fact_mark(told_changes: Sequence[Change]) -> int:
    """The number of facts learned later: one for a story and what became worse, whichever advisory it was noted at."""
    return _FACTS + zlib.crc32(written([change for change in told_changes if change.worse]).encode()) % (
        _PLACES - _FACTS
    )


def _owed(
    arrival: Arrival,
    destination: str,
    kind: Kind,
    number: int,
    now: datetime,
    *,
    because: Sequence[str] = (),
    text: str = "",
) -> Owed:
    subject = f"story:{arrival.stored.story_id}"
    return Owed(destination, subject, kind, number, now, arrival.stored.id, tuple(because), text)


def _announced_today(arrival: Arrival, destination: str, ledger: Sequence[Delivery], now: datetime) -> int:
    return sum(
        row.destination == destination
        and row.kind is Kind.REVISION
        and row.advisory_id == arrival.stored.id
        and abs(now - row.due_at) < timedelta(days=1)
        for row in ledger
    )


def _first(
    arrival: Arrival,
    destination: str,
    wanted: Wanted,
    ledger: Sequence[Delivery],
    told_changes: tuple[Change, ...],
    now: datetime,
) -> Owed | str:
    """The first word of a story to ``destination``, or why not."""
    if arrival.before is not None and not _is_news(arrival, destination in wanted.before, told_changes, now):
        return "changed, but was known before and is neither worse nor newly dated"
    if arrival.before is not None and arrival.first_poll:
        return "became worse by what stood in a list long before it was first read"
    dead = sum(row.destination == destination and row.kind is Kind.STORY for row in ledger)
    because = tuple(dict.fromkeys(wanted.subscribed.get(destination, ())))
    return _owed(arrival, destination, Kind.STORY, dead, now, because=because)


def _is_news(arrival: Arrival, wanted_before: bool, told_changes: tuple[Change, ...], now: datetime) -> bool:
    """Whether a new text of an advisory that ``destination`` never heard of is worth telling.

    A publisher who touches his whole archive must not flood a channel.
    """
    assert arrival.before is not None
    if not told_changes or arrival.told_before:
        return False
    if not wanted_before or any(change.worse for change in told_changes):
        return True
    dated, earlier = arrival.stored.advisory.updated, arrival.before.advisory.updated
    return dated is not None and dated != earlier and now - dated <= YOUNG


def _follow(
    arrival: Arrival, destination: str, ledger: Sequence[Delivery], told_changes: tuple[Change, ...], now: datetime
) -> Owed | str:
    """What a destination that has the story hears of ``arrival``, or why it does not."""
    if arrival.before is None:
        if any(row.advisory_id == arrival.stored.id and row.destination == destination for row in ledger):
            return "was told already"
        if _tells_nothing_more(arrival) and not any(change.worse for change in told_changes):
            return "its story was told already, by the same organisation or as a fact"
        number = mark(arrival.stored.id, 0)
        return _owed(arrival, destination, Kind.CORROBORATION, number, now, text=written(told_changes))
    is_worse = any(change.worse for change in told_changes)
    if not told_changes:
        return "only its date or white space changed"
    if arrival.before.revision == arrival.stored.revision:
        if not is_worse:
            return "facts learned later made nothing worse"
        return _owed(arrival, destination, Kind.REVISION, _fact_mark(told_changes), now, text=written(told_changes))
    if arrival.told_before:
        return "went back to a text that was announced before"
    if _announced_today(arrival, destination, ledger, now) >= (2 * DAILY if is_worse else DAILY):
        return f"changed more than {DAILY} times within a day; the newest text is kept"
    number = mark(arrival.stored.id, arrival.stored.revision)
    return _owed(arrival, destination, Kind.REVISION, number, now, text=written(told_changes))


def _tells_nothing_more(arrival: Arrival) -> bool:
    """Whether a further advisory of a story comes from an organisation that has told it, or states known facts."""
    own = arrival.stored.advisory.organisation.casefold()
    return arrival.states_facts or any(own and m.advisory.organisation.casefold() == own for m in arrival.members)


def _told_changes(arrival: Arrival) -> tuple[Change, ...]:
    new = (arrival.stored.advisory, arrival.stored.verdict)
    if arrival.before is None:
        return beside(arrival.members, new)
    return changes((arrival.before.advisory, arrival.before.verdict), new)
