"""The ledger on both databases: nothing is lost, nothing twice, nothing out of order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.model import Kind, Owed, State
from bot.store import deliveries, destinations
from bot.store.engine import Store

NOW = datetime(2020, 5, 26, 12, tzinfo=UTC)
CHANNEL = "slack:C1"
MINUTE = timedelta(minutes=1)


def owed(story: int, kind: Kind = Kind.STORY, revision: int = 0, **values: Any) -> Owed:
    values = {"destination": CHANNEL, "due_at": NOW} | values
    return Owed(subject=f"story:{story}", kind=kind, revision=revision, **values)


async def subjects(store: Store, now: datetime = NOW, limit: int = 100) -> list[str]:
    async with store.read() as conn:
        return [f"{one.subject[6:]} {one.kind}" for one in await deliveries.due(conn, CHANNEL, now, limit)]


async def test_what_is_owed_twice_is_entered_once(store: Store) -> None:
    async with store.begin() as conn:
        assert await deliveries.owe(conn, [owed(1), owed(2), owed(1)], NOW) == 2
    async with store.begin() as conn:
        assert await deliveries.owe(conn, [owed(2), owed(3, because=("ransomware",), text="t")], NOW) == 1
    async with store.read() as conn:
        found = await deliveries.due(conn, CHANNEL, NOW, 100)
    assert [one.subject for one in found] == ["story:1", "story:2", "story:3"]
    assert (found[2].because, found[2].text, found[2].state, found[2].due_at) == (("ransomware",), "t", State.OWED, NOW)
    assert found[2].key == f"{CHANNEL}/story:3/story/0"


async def test_a_delivery_goes_from_owed_to_sent_and_its_thread_is_found(store: Store) -> None:
    async with store.begin() as conn:
        await deliveries.owe(conn, [owed(7)], NOW)
        (one,) = await deliveries.due(conn, CHANNEL, NOW, 10)
        assert await deliveries.mark_sending(conn, [one.id], one.key, NOW) == [one.id]
        assert await deliveries.mark_sending(conn, [one.id], "again", NOW) == []
        assert await deliveries.thread_of(conn, CHANNEL, 7) is None
        await deliveries.attempt(conn, [one.id], NOW, "sent")
        await deliveries.mark_sent(conn, [one.id], "123.45", NOW + MINUTE)
    async with store.read() as conn:
        kept = await deliveries.get(conn, one.id)
        assert kept is not None
        assert (kept.state, kept.ref, kept.sent_as, kept.attempts) == (State.SENT, "123.45", one.key, 1)
        assert (kept.started, kept.settled_at) == (NOW, NOW + MINUTE)
        assert await deliveries.thread_of(conn, CHANNEL, 7) == "123.45"
        assert await deliveries.of_story(conn, 7) == [kept]
        assert await deliveries.of_story(conn, 7, destination="slack:C2") == []
        assert await deliveries.attempts_of(conn, one.id) == [deliveries.Attempt(one.id, NOW, "sent", "")]
        assert (await deliveries.counts(conn))[State.SENT] == 1
        assert await deliveries.next_due(conn) is None


async def test_nothing_is_due_while_an_outcome_is_open(store: Store) -> None:
    async with store.begin() as conn:
        await deliveries.owe(conn, [owed(1), owed(2), owed(3, destination="slack:C2")], NOW)
        first, _ = await deliveries.due(conn, CHANNEL, NOW, 10)
        await deliveries.mark_sending(conn, [first.id], first.key, NOW)
    assert await subjects(store) == []
    async with store.begin() as conn:
        assert await deliveries.destinations_due(conn, NOW) == [("slack:C2", NOW)]
        assert [one.id for one in await deliveries.unfinished(conn)] == [first.id]
        await deliveries.mark_unknown(conn, [first.id])
        assert [one.state for one in await deliveries.unfinished(conn, destination=CHANNEL)] == [State.UNKNOWN]
    assert await subjects(store) == []
    async with store.begin() as conn:
        await deliveries.mark_owed_again(conn, [first.id], NOW)
    assert await subjects(store) == ["1 story", "2 story"]


async def test_a_row_that_is_put_off_puts_off_its_destination(store: Store) -> None:
    async with store.begin() as conn:
        await deliveries.owe(conn, [owed(1), owed(2)], NOW)
        first, _ = await deliveries.due(conn, CHANNEL, NOW, 10)
        await deliveries.mark_sending(conn, [first.id], first.key, NOW)
        await deliveries.mark_owed_again(conn, [first.id], NOW + MINUTE)
        assert await deliveries.destinations_due(conn, NOW) == []
        assert await deliveries.next_due(conn) == NOW + MINUTE
        await destinations.block(conn, CHANNEL, NOW + MINUTE / 2)  # a shorter pause does not end a longer one
    assert await subjects(store, NOW + MINUTE * 0.9) == []
    assert await subjects(store, NOW + MINUTE) == ["1 story", "2 story"]


async def test_what_is_kept_for_later_holds_back_its_own_story_only(store: Store) -> None:
    morning = NOW + timedelta(hours=8)
    async with store.begin() as conn:
        await deliveries.owe(conn, [owed(1, due_at=morning), owed(2)], NOW)
        await deliveries.owe(conn, [owed(1, Kind.REVISION, 1), owed(2, Kind.REVISION, 1)], NOW)
        assert await deliveries.next_due(conn) == NOW
    assert await subjects(store) == ["2 story", "2 revision"]
    assert await subjects(store, morning) == ["1 story", "2 story", "1 revision", "2 revision"]


async def test_a_stopped_destination_gets_nothing_until_it_is_started(store: Store) -> None:
    async with store.begin() as conn:
        await deliveries.owe(conn, [owed(1), owed(2)], NOW)
        assert await destinations.stop(conn, CHANNEL, "archived", NOW)
        assert not await destinations.stop(conn, CHANNEL, "archived", NOW + MINUTE)
        assert await deliveries.next_due(conn) is None
        assert await deliveries.destinations_due(conn, NOW) == []
        assert await deliveries.owed_by_destination(conn) == {CHANNEL: 2}
    assert await subjects(store) == []
    async with store.begin() as conn:
        assert await destinations.get(conn, CHANNEL) == destinations.Destination(CHANNEL, "stopped", "archived", NOW)
        assert await destinations.start(conn, CHANNEL, NOW + MINUTE)
    assert await subjects(store) == ["1 story", "2 story"]
    async with store.begin() as conn:
        assert await deliveries.expire_destination(conn, CHANNEL, "stopped", NOW) == 2
        assert (await deliveries.counts(conn))[State.EXPIRED] == 2
        assert (await deliveries.counts(conn, since=NOW + MINUTE))[State.EXPIRED] == 0


async def test_a_digest_settles_several_rows_and_a_refusal_is_kept(store: Store) -> None:
    async with store.begin() as conn:
        await deliveries.owe(conn, [owed(n) for n in range(5)], NOW)
        ids = [one.id for one in await deliveries.due(conn, CHANNEL, NOW, 4)]
        await deliveries.mark_sending(conn, ids, "digest", NOW)
        await deliveries.mark_sent(conn, ids[:2], "1.1", NOW)
        await deliveries.refuse(conn, ids[2:], "msg_too_long", NOW)
        await deliveries.expire(conn, ids, "late", NOW)  # what is settled stays settled
        assert {one.sent_as for one in [await deliveries.get(conn, i) for i in ids] if one} == {"digest"}
        states = await deliveries.counts(conn)
        assert (states[State.SENT], states[State.REFUSED], states[State.OWED]) == (2, 2, 1)
        refused = await deliveries.get(conn, ids[3])
        assert refused is not None
        assert refused.reason == "msg_too_long"


async def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    try:
        async with store.begin() as conn:
            await deliveries.owe(conn, [owed(1)], NOW)
            raise RuntimeError("killed")
    except RuntimeError:
        pass
    async with store.read() as conn:
        assert (await deliveries.counts(conn))[State.OWED] == 0
        assert await destinations.every(conn) == []


async def test_draining_a_long_ledger_reads_no_more_than_it_sends(sqlite_store: Store) -> None:
    """What is due is found by an index that holds only what is owed, in the order it is sent."""
    async with sqlite_store.read() as conn:
        query = "SELECT * FROM deliveries WHERE destination = 'a' AND state = 'owed' ORDER BY id LIMIT 3"
        plan = str((await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")).all())
    assert "ix_deliveries_owed (destination=?)" in plan
    assert "TEMP B-TREE" not in plan
