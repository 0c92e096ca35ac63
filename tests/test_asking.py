"""What is asked for follows the store, whoever changed it."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.intake import Asking
from bot.model import Advisory
from bot.query import parse
from bot.store import subscriptions
from bot.store.engine import Store
from bot.subject import Subject

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def heard(asking: Asking, title: str) -> set[str]:
    subject = Subject(Advisory(source="s", key="k", title=title), seen=NOW)
    return {asked.query for asked in asking.watch.match(subject, now=NOW)}


async def test_a_subscription_made_and_ended_by_another_process_is_learned(sqlite_store: Store) -> None:
    asking = Asking({"terminal:": "fire"}, {}, platforms=["terminal", "slack"])
    async with sqlite_store.begin() as conn:
        made, _ = await subscriptions.add(conn, "slack:C1", "pump", "U1", NOW)
    assert heard(asking, "A pump on fire") == {"fire"}
    await asking.refresh(sqlite_store)
    assert heard(asking, "A pump on fire") == {"fire", "pump"}
    async with sqlite_store.begin() as conn:
        await subscriptions.remove(conn, "slack:C1", made.id)
    await asking.refresh(sqlite_store)
    assert heard(asking, "A pump on fire") == {"fire"}


async def test_a_subscription_that_cannot_be_read_any_more_silences_no_other(sqlite_store: Store) -> None:
    asking = Asking({}, {}, platforms=["slack"])
    async with sqlite_store.begin() as conn:
        await subscriptions.add(conn, "slack:C1", "lexicon:gone", "U1", NOW)
        await subscriptions.add(conn, "slack:C1", "pump", "U1", NOW)
    await asking.refresh(sqlite_store)
    await asking.refresh(sqlite_store)
    assert heard(asking, "A pump") == {"pump"}


async def test_what_was_learned_at_once_is_not_learned_twice(sqlite_store: Store) -> None:
    asking = Asking({}, {}, platforms=["slack"])
    async with sqlite_store.begin() as conn:
        made, _ = await subscriptions.add(conn, "slack:C1", "pump", "U1", NOW)
    asking.add(made, parse("pump"))
    await asking.refresh(sqlite_store)
    asking.remove(made)
    assert heard(asking, "A pump") == set()


async def test_a_subscription_of_a_platform_that_is_not_there_rests(sqlite_store: Store) -> None:
    asking = Asking({}, {}, platforms=["slack"])
    async with sqlite_store.begin() as conn:
        await subscriptions.add(conn, "terminal:", "pump", "terminal", NOW)
    await asking.refresh(sqlite_store)
    assert heard(asking, "A pump") == set()
