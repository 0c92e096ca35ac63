"""What is wrong with a source, and what the operators have not been told of yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.model import Source
from bot.watchdog import Health, Trouble, examine, news, silence_allowed

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SOURCE = Source(
    id="one", name="One", organisation="One", country="DE", language="en", url="https://e.example/", rhythm=30 * DAY
)
WELL = Health(first_polled_at=NOW - 100 * DAY, entry_times=(NOW - DAY,), entries=30, usual=30)


def every(days: float, number: int = 20) -> list[datetime]:
    return [NOW - DAY * days * n for n in range(number)]


def test_a_rhythm_is_learned_from_enough_entries_and_bounded() -> None:
    assert silence_allowed(SOURCE, every(6)) == 9 * DAY
    assert silence_allowed(SOURCE, every(6, number=10)) == SOURCE.rhythm, "too few to learn from"
    assert silence_allowed(SOURCE, every(0.1)) == 4 * DAY, "a long weekend"
    assert silence_allowed(SOURCE, every(50)) == SOURCE.rhythm
    assert silence_allowed(SOURCE, [NOW] * 50) == SOURCE.rhythm, "what came at one moment teaches nothing"


@pytest.mark.parametrize(
    ("health", "trouble"),
    [
        (WELL, None),
        (replace(WELL, failures=2, failing_since=NOW), None),
        (replace(WELL, failures=3, failing_since=NOW, entry_times=(NOW - 99 * DAY,)), Trouble.FAILING),
        (Health(failures=3, failing_since=NOW), Trouble.FAILING),
        (replace(WELL, entry_times=(NOW - 31 * DAY,)), Trouble.QUIET),
        (replace(WELL, entry_times=(), first_polled_at=NOW - 31 * DAY), Trouble.QUIET),
        (replace(WELL, entry_times=(), first_polled_at=NOW - DAY), None),
        (replace(WELL, entries=7), Trouble.SHRINKING),
        (replace(WELL, entries=8), None),
        (replace(WELL, entries=0, usual=9), None),
        (replace(WELL, future_dated=2), Trouble.FUTURE),
        (replace(WELL, moved_to="https://new.example/"), Trouble.MOVED),
        (Health(), None),
    ],
)
def test_each_trouble_is_seen(health: Health, trouble: Trouble | None) -> None:
    assert list(examine(SOURCE, health, NOW)) == ([trouble] if trouble else [])


def test_only_what_changed_is_news() -> None:
    assert news(SOURCE, (), {}) is None
    assert news(SOURCE, ("quiet",), {Trouble.QUIET: "says nothing"}) is None
    told = news(SOURCE, ("quiet",), {Trouble.MOVED: "has moved"})
    assert told is not None
    assert told.lines() == ["One (one) has moved", "One (one) is no longer quiet"]
    assert told.lasting == (Trouble.MOVED,)


def test_what_cannot_be_seen_while_a_source_fails_stands() -> None:
    told = news(SOURCE, ("quiet", "moved"), {Trouble.FAILING: "fails"})
    assert told is not None
    assert (list(told.begun), told.over) == ([Trouble.FAILING], (Trouble.MOVED,))
    assert told.lasting == (Trouble.FAILING, Trouble.QUIET)


def test_a_trouble_of_an_older_version_is_forgotten() -> None:
    assert news(SOURCE, ("haunted",), {}) is None
