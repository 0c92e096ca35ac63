"""What became of every advisory: each counted once, by what its newest text led to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.model import Advisory, Kind, Owed, State, Verdict
from bot.store import advisories, deliveries, stories, suppressions
from bot.store.accounts import account
from bot.store.engine import Connection, Store
from bot.store.suppressions import Suppression

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def advisory(conn: Connection, key: str, now: datetime = NOW) -> int:
    story = await stories.create(conn, now)
    one = Advisory(source="one", key=key, title=key, hash=key)
    return await advisories.insert(conn, one, Verdict(), story, now)


async def owe(conn: Connection, number: int, to: str, now: datetime = NOW, kind: Kind = Kind.STORY) -> int:
    await deliveries.owe(conn, [Owed(to, f"story:{number}", kind, 0, now, number)], now)
    return (await deliveries.of_advisory(conn, number))[-1].id


async def test_each_advisory_is_counted_once_by_its_best_delivery(store: Store) -> None:
    async with store.begin() as conn:
        sent = await advisory(conn, "sent")
        await deliveries.mark_sent(conn, [await owe(conn, sent, "slack:C1")], "ref", NOW)
        await owe(conn, sent, "slack:C2")
        await owe(conn, await advisory(conn, "owed"), "slack:C1")
        expired = await owe(conn, await advisory(conn, "expired"), "slack:C1")
        await deliveries.expire(conn, [expired], "stopped", NOW)
        silent = await advisory(conn, "silent")
        await suppressions.record(conn, [Suppression(silent, "not asked for", NOW)])
        lost = [await advisory(conn, "lost"), await advisory(conn, "lost too")]
        found = await account(conn, NOW - HOUR)
        first = await account(conn, NOW - HOUR, listed=1)
    assert found.states == {State.SENT: 1, State.OWED: 1, State.EXPIRED: 1}
    assert found.silent == {"not asked for": 1}
    assert (found.seen, found.lost, found.unaccounted, found.adds_up) == (6, 2, tuple(lost), False)
    assert (first.lost, len(first.unaccounted)) == (2, 1)


async def test_only_what_was_seen_lately_is_counted(store: Store) -> None:
    async with store.begin() as conn:
        await advisory(conn, "old", NOW - 9 * HOUR)
        assert (await account(conn, NOW - HOUR)).adds_up
        assert (await account(conn, NOW - 10 * HOUR)).lost == 1


async def test_a_new_text_needs_its_own_account(store: Store) -> None:
    later = NOW + HOUR
    async with store.begin() as conn:
        number = await advisory(conn, "a")
        await suppressions.record(conn, [Suppression(number, "first look", NOW)])
        await deliveries.mark_sent(conn, [await owe(conn, number, "slack:C1")], "ref", NOW)
        new = Advisory(source="one", key="a", title="a", hash="new")
        await advisories.revise(conn, number, new, Verdict(), later)
        assert (await account(conn, NOW)).unaccounted == (number,), "what was said of the old text does not count"
        await suppressions.record(conn, [Suppression(number, "only a date", later, revision=1)])
        assert (await account(conn, NOW)).silent == {"only a date": 1}
        await owe(conn, number, "slack:C1", later, Kind.REVISION)
        assert (await account(conn, NOW)).states == {State.OWED: 1}
