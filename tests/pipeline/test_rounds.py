"""What Wardwatch does of itself: the watchdog speaks once, the heartbeat once a day, the account adds up."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.model import State
from bot.store import deliveries, polls, sources
from bot.store.sources import SourceState
from tests.polling import DAY, NOW, OPERATORS, World, post

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_failing_source_is_told_once_and_again_when_it_recovers(world: World) -> None:
    source, rounds = world.source(), world.rounds(world.source())
    await world.poll(source, post(0))
    world.server.feed("/one").status = 403
    for failures in range(1, 6):
        await world.poll(source)
        assert len(await rounds.watch()) == (failures == 3)
    assert await world.notices() == [
        "Sources: 1 in trouble\nOne (one) fails since 2026-03-10 14:00 UTC (3 times): HTTP 403 Forbidden"
    ]
    assert world.woken[-1] == {OPERATORS}
    world.server.feed("/one").status = 200
    await world.poll(source)
    await rounds.watch()
    await rounds.watch()
    assert (await world.notices())[1:] == ["Sources: 1 recovered\nOne (one) is no longer failing"]


async def test_78_sources_that_fail_at_once_make_one_notice(world: World) -> None:
    listed = [world.source(f"s{n}") for n in range(78)]
    rounds = world.rounds(*listed)
    async with world.store.begin() as conn:
        for source in listed:
            await sources.save(conn, SourceState(source.id, failures=2, failing_since=NOW))
    for source in listed:
        await world.poll(source, after=timedelta(0))
    assert len(await rounds.watch()) == 78
    (notice,) = await world.notices()
    assert notice.startswith("Sources: 78 in trouble\nS0 (s0) fails since")
    assert notice.endswith("and 58 lines more: ask for sources")
    assert await rounds.watch() == []


async def test_a_quiet_source_is_told_by_the_rhythm_it_has_shown(world: World) -> None:
    source = world.source(rhythm=90 * DAY)
    rounds = world.rounds(source)
    await world.poll(source, *(post(n, published=NOW - DAY * (14 - n)) for n in range(15)))
    for days in range(1, 4):
        await world.poll(source, after=DAY)
        assert await rounds.watch() == [], f"{days} days of silence are a long weekend"
    world.now += DAY
    assert await rounds.watch() == ["One (one) says nothing new since 2026-03-10; usual are 4 days at most"]
    shown = world.server.feed("/one").posts
    await world.poll(source, *shown, post(15, published=world.now))
    assert await rounds.watch() == ["One (one) is no longer quiet"]


async def test_a_source_whose_entries_have_no_dates_is_not_called_quiet_after_days(world: World) -> None:
    source = world.source(rhythm=30 * DAY)
    await world.poll(source, *(post(n, published="") for n in range(20)))
    await world.poll(source, after=20 * DAY)
    assert await world.rounds(source).watch() == []
    await world.poll(source, after=11 * DAY)
    assert "says nothing new" in (await world.rounds(source).watch())[0]


async def test_a_quiet_source_that_fails_is_not_called_recovered(world: World) -> None:
    source, rounds = world.source(rhythm=10 * DAY), world.rounds(world.source(rhythm=10 * DAY))
    await world.poll(source, post(0))
    await world.poll(source, after=20 * DAY)
    assert len(await rounds.watch()) == 1
    world.server.feed("/one").status = 500
    for _ in range(3):
        await world.poll(source)
    assert [line.split(": ")[1] for line in await rounds.watch()] == ["HTTP 500 Internal Server Error"]
    world.server.feed("/one").status = 200
    await world.poll(source)
    assert await rounds.watch() == ["One (one) is no longer failing"], "and as quiet as it was told to be"


async def test_a_shrinking_source_is_told_once(world: World) -> None:
    source, rounds = world.source(), world.rounds(world.source())
    await world.poll(source, *(post(n) for n in range(30)))
    assert await rounds.watch() == []
    await world.poll(source, post(0), post(1))
    assert await rounds.watch() == ["One (one) holds 2 entries; 29 are usual"]
    for n in range(5):
        await world.poll(source, post(0), post(1, summary=str(n)))
        assert await rounds.watch() == []
    await world.poll(source, *(post(n) for n in range(31)))
    assert await rounds.watch() == ["One (one) is no longer shrinking"]


async def test_a_future_dated_source_is_told_once(world: World) -> None:
    source, rounds = world.source(), world.rounds(world.source())
    mad = post(1, published="Tue, 10 Mar 2122 10:00:00 GMT")
    await world.poll(source, post(0), mad)
    assert await rounds.watch() == ["One (one) dates 1 of its entries in the future; the dates are not believed"]
    await world.poll(source, post(0), mad, post(2))
    assert await rounds.watch() == []
    await world.poll(source, post(0), post(2))
    assert await rounds.watch() == ["One (one) is no longer future-dated"]


async def test_two_watchdogs_beside_each_other_tell_once(either_world: World) -> None:
    world = either_world
    for _ in range(3):
        await world.poll(world.source())
    nodes = [world.rounds(world.source()) for _ in range(3)]
    told = await asyncio.gather(*(node.watch() for node in nodes))
    assert sorted(map(len, told)) == [0, 0, 1]
    assert len(await world.notices()) == 1


async def test_the_heartbeat_is_said_once_a_day_by_however_many_nodes(either_world: World) -> None:
    world = either_world
    await world.poll(world.source(), post(0))
    await world.poll(world.source(), post(0), post(1))
    await world.poll(world.source("two"))
    nodes = [world.rounds(world.source(), world.source("two")) for _ in range(3)]
    for node in nodes:
        await node.heartbeat()
    assert await world.notices() == [
        "The last day: 1 of 2 sources healthy, 3 entries read, 0 messages sent, 0 refused, 1 owed"
    ]
    world.now += DAY
    await nodes[0].heartbeat()
    assert len(await world.notices()) == 2


async def mixed_day(world: World) -> None:
    """Baseline, sent, owed, refused, revised, silent and unchanged advisories."""
    source = world.source()
    await world.poll(source, post(0), post(1))
    await world.poll(source, post(0), post(1), post(2), post(3, "Water works"))
    await world.send_all()
    await world.poll(
        source, post(0), post(1), post(2, summary="Surgery is cancelled."), post(3, "Water works"), post(4)
    )
    await world.poll(world.source("two", organisation="One"), post(2, guid="t"))
    async with world.store.begin() as conn:
        await deliveries.refuse(
            conn, [row.id for row in await world.ledger() if row.state is State.OWED][-1:], "no", world.now
        )


async def test_the_account_of_a_mixed_day_adds_up(either_world: World) -> None:
    world = either_world
    await mixed_day(world)
    found = await world.rounds().reconcile()
    assert found.adds_up
    assert found.seen == 6
    assert found.states == {State.OWED: 1, State.REFUSED: 1}, "the revision is owed; the first text was sent"
    assert found.silent == {
        "was there at the first poll of its source": 3,
        "no channel asks for it (relevance none)": 1,
    }
    assert await world.notices() == []


@pytest.mark.parametrize(
    "loss",
    [
        "DELETE FROM suppressions WHERE advisory_id = 1",
        "DELETE FROM deliveries WHERE kind = 'revision'",
        "DELETE FROM deliveries WHERE state = 'refused'",
    ],
)
async def test_a_row_that_is_lost_is_found(world: World, loss: str) -> None:
    await mixed_day(world)
    async with world.store.begin() as conn:
        assert (await conn.execute(text(loss))).rowcount == 1
    found = await world.rounds().reconcile()
    assert not found.adds_up
    assert (found.lost, len(found.unaccounted), found.seen) == (1, 1, 6)
    await world.rounds().reconcile()
    assert await world.notices() == [
        f"The account does not add up\n1 advisories were neither sent nor left out for a reason: {found.unaccounted[0]}"
    ], "said once a day"


async def test_old_polls_are_dropped(world: World) -> None:
    await world.poll(world.source(), post(0))
    await world.poll(world.source(), after=100 * DAY)
    await world.rounds().reconcile()
    async with world.store.read() as conn:
        assert [one.at for one in await polls.latest(conn, "one")] == [world.now]


async def test_a_disabled_source_is_nobody_s_trouble(world: World) -> None:
    source = world.source(enabled=False)
    for _ in range(4):
        await world.poll(source)
    assert await world.rounds(source).watch() == []
