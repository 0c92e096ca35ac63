"""Silence is noticed: what is wrong with a source, and what the operators have not been told of yet. Pure.

Each source learns its rhythm from when its entries came; ``rhythm`` in ``config/`` bounds it. A trouble is told once
when it begins and once when it is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from bot.model import Source


class Trouble(StrEnum):
    """What can be wrong with a source."""

    FAILING = "failing"
    QUIET = "quiet"
    SHRINKING = "shrinking"
    FUTURE = "future-dated"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a source when it is examined."""

    failures: int = 0  # in a row
    failing_since: datetime | None = None
    last_error: str = ""
    first_polled_at: datetime | None = None
    entry_times: Sequence[datetime] = ()  # of its newest entries, newest first
    entries: int = 0  # in the last document
    usual: int = 0
    future_dated: int = 0
    moved_to: str = ""


FAILURES = 3  # in a row, before it is told
LEARNED = 10  # entries before a rhythm is believed
SHORTEST_SILENCE = timedelta(days=4)  # a long weekend is no trouble
SHRUNK = 4  # a document with less than a fourth of its usual entries


def silence_allowed(source: Source, entry_times: Sequence[datetime]) -> timedelta:
    """The longest silence of ``source`` that is still normal: half as long again as the longest lately seen.

    Never longer than its configured rhythm, nor shorter than a long weekend. Entries of one moment teach nothing: those
    without a date all came when the source was first read.
    """
    gaps = [later - earlier for later, earlier in pairwise(entry_times) if later > earlier]
    if len(gaps) < LEARNED:
        return source.rhythm
    return min(source.rhythm, max(max(gaps) * 1.5, SHORTEST_SILENCE))


def examine(source: Source, health: Health, now: datetime) -> dict[Trouble, str]:
    """Every trouble of a source, with a line that says what it is."""
    found: dict[Trouble, str] = {}
    if health.failures >= FAILURES and health.failing_since is not None:
        since = f"{health.failing_since:%Y-%m-%d %H:%M} UTC"
        found[Trouble.FAILING] = f"fails since {since} ({health.failures} times): {health.last_error}"
    elif health.first_polled_at is not None:
        found |= _content_troubles(source, health, health.first_polled_at, now)
    if health.moved_to:
        found[Trouble.MOVED] = f"has moved for good: set its url to {health.moved_to}"
    return found


def _content_troubles(source: Source, health: Health, first_polled_at: datetime, now: datetime) -> dict[Trouble, str]:
    found: dict[Trouble, str] = {}
    last = health.entry_times[0] if health.entry_times else first_polled_at
    allowed = silence_allowed(source, health.entry_times)
    if now - last > allowed:
        found[Trouble.QUIET] = f"says nothing new since {last:%Y-%m-%d}; usual are {allowed.days} days at most"
    if health.usual >= LEARNED and health.entries * SHRUNK < health.usual:
        found[Trouble.SHRINKING] = f"holds {health.entries} entries; {health.usual} are usual"
    if health.future_dated:
        found[Trouble.FUTURE] = f"dates {health.future_dated} of its entries in the future; the dates are not believed"
    return found


@dataclass(frozen=True, slots=True)
class News:
    """What the operators are to be told of one source; ``lasting`` are its troubles of which they then know."""

    source: Source
    begun: dict[Trouble, str]
    over: tuple[Trouble, ...]
    lasting: tuple[Trouble, ...]

    def lines(self) -> list[str]:
        """A line for each trouble that began or is over."""
        name = f"{self.source.name} ({self.source.id})"
        return [f"{name} {text}" for text in self.begun.values()] + [
            f"{name} is no longer {trouble}" for trouble in self.over
        ]


def news(source: Source, told: Sequence[str], found: dict[Trouble, str]) -> News | None:
    """What changed since the operators were told of ``told``; None when nothing did.

    While a source fails, nobody knows whether it is still quiet or shrunk: what was told of it stands.
    """
    known = [Trouble(name) for name in told if name in set(Trouble)]
    unseen = {Trouble.QUIET, Trouble.SHRINKING, Trouble.FUTURE} if Trouble.FAILING in found else set[Trouble]()
    lasting = tuple(trouble for trouble in Trouble if trouble in found or (trouble in known and trouble in unseen))
    begun = {trouble: text for trouble, text in found.items() if trouble not in known}
    over = tuple(trouble for trouble in known if trouble not in lasting)
    return News(source, begun, over, lasting) if begun or over else None
