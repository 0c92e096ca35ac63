"""What is remembered of sources; several nodes share them without polling one twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.store import polls, sources
from bot.store.engine import Store
from bot.store.sources import SourceState, Validators

NOW = datetime(2020, 5, 26, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def claim(store: Store, now: datetime, ids: list[str], limit: int = 10) -> list[str]:
    async with store.begin() as conn:
        return await sources.claim_due(conn, now, limit, ids)


async def test_a_state_comes_back_as_it_was(store: Store) -> None:
    state = SourceState(
        "cisa",
        validators={"https://a.example/": Validators('"etag\x00"', "Tue", "hash")},
        next_check_at=NOW,
        checked_at=NOW,
        failures=3,
        failing_since=NOW - HOUR,
        last_error="403",
        last_status=403,
        entries=20,
        usual=30,
        moved_to="https://b.example/",
        first_polled_at=NOW,
        active_url="https://c.example/",
        reported=("failing", "quiet"),
    )
    async with store.begin() as conn:
        assert await sources.get(conn, "cisa") == SourceState("cisa")
        await sources.save(conn, state)
        await sources.save(conn, replace(state, failures=4))
    async with store.read() as conn:
        kept = await sources.get(conn, "cisa")
        assert kept == replace(
            state, failures=4, validators={"https://a.example/": Validators('"etag\x00"', "Tue", "hash")}
        )
        assert await sources.all_states(conn) == {"cisa": kept}


async def test_what_is_due_is_claimed_once_until_it_is_saved_or_the_lease_ends(store: Store) -> None:
    assert sorted(await claim(store, NOW, ["a", "b", "c"])) == ["a", "b", "c"]
    assert await claim(store, NOW, ["a", "b", "c"]) == []
    async with store.begin() as conn:
        await sources.save(conn, SourceState("a", next_check_at=NOW + HOUR, checked_at=NOW))
        await sources.release(conn, ["b"])
    assert await claim(store, NOW, ["a", "b", "c"]) == ["b"]
    assert await claim(store, NOW + sources.LEASE, ["c"]) == ["c"]
    assert await claim(store, NOW + HOUR, ["a"]) == ["a"]


async def test_the_longest_overdue_come_first_within_the_limit(store: Store) -> None:
    async with store.begin() as conn:
        for name, hours in (("a", 1), ("b", 3), ("c", 2), ("later", -1)):
            await sources.save(conn, SourceState(name, next_check_at=NOW - hours * HOUR, checked_at=NOW - 9 * HOUR))
    assert await claim(store, NOW, ["a", "b", "c", "later"], limit=2) == ["b", "c"]
    assert await claim(store, NOW, ["a", "b", "c", "later"], limit=2) == ["a"]


async def test_a_clock_that_is_set_back_stops_no_source(store: Store) -> None:
    day = timedelta(days=1)
    async with store.begin() as conn:
        await sources.save(conn, SourceState("a", next_check_at=NOW + HOUR, checked_at=NOW))
        await sources.save(conn, SourceState("b", claimed_until=NOW + sources.LEASE))
    assert sorted(await claim(store, NOW - day, ["a", "b"])) == ["a", "b"]


async def test_many_nodes_claim_each_source_once(store: Store) -> None:
    names = [f"s{n}" for n in range(30)]
    claims = await asyncio.gather(*(claim(store, NOW, names, limit=7) for _ in range(8)))
    claimed = [name for one in claims for name in one]
    assert len(claimed) == len(set(claimed))
    claimed += await claim(store, NOW, names, limit=30)
    assert sorted(claimed) == sorted(names)


async def test_polls_add_up_and_old_ones_go(store: Store) -> None:
    async with store.begin() as conn:
        for hours in range(4):
            status = "failed" if hours == 2 else "ok"
            await polls.record(conn, polls.Poll("a", NOW - hours * HOUR, status, entries=10, new=hours, alerts=1))
        assert await polls.totals(conn, NOW - 2 * HOUR) == polls.Totals(3, 1, 30, 3, 0, 3)
        assert await polls.totals(conn, NOW + HOUR) == polls.Totals(0, 0, 0, 0, 0, 0)
        assert [one.new for one in await polls.latest(conn, "a", 2)] == [0, 1]
        assert await polls.prune(conn, NOW - HOUR) == 2
        assert len(await polls.latest(conn, "a")) == 2
