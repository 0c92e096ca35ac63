"""Crashes between marking and settling; wake-ups, stopping, many rows at once: the running deliverer."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from world import NOW, Digest, World

from bot.deliver import Deliverer, Limits
from bot.errors import OutcomeUnknown, RateLimited, Unavailable
from bot.model import Delivery, State
from bot.route import notice
from bot.store import deliveries, destinations
from bot.store.engine import Connection, Store

FAST = Limits(pace=0, ask_after=0, first_backoff=0.01, longest_backoff=0.02, sweep=0.05, stop=0.3)


@pytest.fixture
async def world(sqlite_store: Store) -> World:
    return World(sqlite_store)


@asynccontextmanager
async def running(deliverer: Deliverer) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(deliverer.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_crash_between_marking_and_settling_sends_nothing_twice_and_loses_nothing(
    world: World, arrived: bool
) -> None:
    await world.tell("Pump")
    world.platform.faults["C1"] = ["hang"]
    async with running(world.deliver(limits=FAST, real_time=True)):
        await world.platform.hanging.wait()
    assert await world.states() == [State.SENDING], "cut off: nobody knows"
    if arrived:
        await world.platform.post("C1", None, key="slack:C1/story:1/story/0", thread=None)  # type: ignore[arg-type]
    async with running(world.deliver(limits=FAST, real_time=True)):
        await until(lambda: len(world.platform.asked) == 1)
        await until(lambda: len(world.platform.posted) == 1)
        await asyncio.sleep(0.1)
    assert len(world.platform.posted) == 1
    assert await world.states() == [State.SENT]


async def test_a_fresh_row_of_another_process_is_left_alone_by_a_drain(world: World) -> None:
    await world.tell("Pump")
    async with world.store.begin() as conn:
        await deliveries.mark_sending(conn, [1], "slack:C1/story:1/story/0", NOW)
    await world.deliverer.drain()
    assert world.platform.asked == []
    world.clock.now += timedelta(minutes=2)
    await world.deliverer.drain()
    assert world.platform.headings() == ["Pump"]


async def test_stopping_finishes_what_is_in_flight(world: World) -> None:
    await world.tell("One", "Two")
    await world.tell("Three", to=("C2",))
    world.platform.faults["C1"] = ["hang"]
    deliverer = world.deliver(limits=replace(FAST, in_flight=1, stop=5), real_time=True)
    task = asyncio.create_task(deliverer.run())
    await world.platform.hanging.wait()
    task.cancel()
    await asyncio.sleep(0)
    world.platform.release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(world.platform.posted) == 1, "and begins nothing new, in this channel or another"
    assert await world.states() == [State.SENT, State.OWED, State.OWED]


async def test_stopping_does_not_wait_for_ever(world: World) -> None:
    await world.tell("One")
    world.platform.faults["C1"] = ["hang"]
    deliverer = world.deliver(limits=FAST, real_time=True)
    began = time.monotonic()
    async with running(deliverer):
        await world.platform.hanging.wait()
    assert time.monotonic() - began < 3


async def test_a_wake_up_is_heeded_at_once(world: World) -> None:
    deliverer = world.deliver(limits=Limits(pace=0, sweep=3600), real_time=True)
    async with running(deliverer):
        await until(lambda: deliverer._next_sweep > 0)
        await world.tell("One")
        deliverer.wake(["slack:C1"])
        await until(lambda: world.platform.headings() == ["One"])
        await world.tell("Two", to=("C2",))
        deliverer.wake()
        await until(lambda: world.platform.headings("C2") == ["Two"])


async def test_a_wake_up_while_a_worker_is_about_to_end_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliverer = world.deliver(limits=Limits(pace=0, sweep=3600), real_time=True)
    unfinished = deliveries.unfinished

    async def slow(conn: Connection, *, destination: str | None = None) -> list[Delivery]:
        found = await unfinished(conn, destination=destination)
        if destination and len(world.platform.posted) == 1:  # nothing was due: the worker ends
            await world.tell("Two")
            deliverer.wake(["slack:C1"])
        return found

    monkeypatch.setattr(deliveries, "unfinished", slow)
    await world.tell("One")
    async with running(deliverer):
        await until(lambda: world.platform.headings() == ["One", "Two"])


async def test_what_falls_due_later_is_sent_then(world: World) -> None:
    await world.tell("Later", due=timedelta(seconds=20))
    async with running(world.deliver(limits=Limits(pace=0, sweep=10))):
        await until(lambda: world.platform.headings() == ["Later"])
    assert world.clock.now >= NOW + timedelta(seconds=20)


async def test_pauses_end_by_themselves(world: World) -> None:
    await world.tell("One", to=("C1", "C2", "C3"))
    world.platform.faults["C1"] = [RateLimited("slow", retry_after=30, everywhere=True)]
    world.platform.faults["C2"] = [Unavailable("down"), Unavailable("down")]
    world.platform.faults["C3"] = ["lost"]
    async with running(world.deliver(limits=Limits(pace=0, sweep=10))):
        await until(lambda: len(world.platform.posted) == 3)
    assert await world.states() == [State.SENT] * 3


async def test_a_clock_that_was_a_day_ahead_puts_nothing_off(world: World) -> None:
    deliverer = world.deliver(limits=FAST, real_time=True)
    async with running(deliverer):
        world.clock.now = NOW + timedelta(days=1)
        await asyncio.sleep(0.1)
        async with world.store.begin() as conn:
            owed = [notice("slack:C1", "x", "hello", world.clock.now), notice("slack:C2", "x", "hello", NOW)]
            await deliveries.owe(conn, owed, world.clock.now)
            await destinations.block(conn, "slack:C2", world.clock.now + timedelta(seconds=30))
            await destinations.block(conn, "slack:C1", world.clock.now + timedelta(seconds=30))
        world.clock.now = NOW
        await until(lambda: len(world.platform.posted) == 2)


async def test_a_lost_answer_is_found_though_the_clock_was_set_back(world: World) -> None:
    await world.tell("Pump")
    world.clock.now = NOW + timedelta(days=1)
    world.platform.faults["C1"] = ["lost"]
    world.platform.find_faults = [Unavailable("down")]
    await world.deliverer.drain()
    world.clock.now = NOW + timedelta(minutes=1)
    await world.deliverer.drain()
    assert len(world.platform.posted) == 1
    assert world.platform.asked[-1][1] < NOW, "the history is asked from well before"


async def test_chaos_ends_with_everything_sent_once_and_in_order(world: World) -> None:
    """Crashes before and after messages arrive, among lost answers, pauses and failures."""
    chance = random.Random(7)
    channels = ["C1", "C2", "C3"]
    told = await world.tell(*(f"Story {n}" for n in range(8)), to=channels)
    for story in told[:4]:
        for channel in channels:
            await world.revise(story, f"text now says: {story}", to=channel)
    kinds = [None, "lost", "hang", "hang-after", OutcomeUnknown("reset"), Unavailable("down")]
    kinds.append(RateLimited("slow", retry_after=9))
    for channel in channels:
        world.platform.faults[channel] = chance.choices(kinds, k=24)
    limits = Limits(pace=0, sweep=10, stop=0, digest_from=99)
    crashes = 0
    async with asyncio.timeout(60):
        while len(await world.rows(State.SENT)) < 36:
            world.platform.hanging.clear()
            async with running(world.deliver(limits=limits)):
                while not world.platform.hanging.is_set() and len(await world.rows(State.SENT)) < 36:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            crashes += world.platform.hanging.is_set()
    assert crashes > 10
    for channel in channels:
        keys = [posted.key for posted in world.platform.posted if posted.channel == channel]
        assert keys == [row.key for row in await world.rows() if row.destination == f"slack:{channel}"]


async def test_one_hanging_channel_holds_up_no_other_and_loses_its_answer(world: World) -> None:
    await world.tell("One", to=[f"C{n}" for n in range(20)])
    world.platform.faults["C1"] = ["hang"]
    limits = Limits(pace=0, ask_after=0, call=0.3, in_flight=3)
    async with running(world.deliver(limits=limits, real_time=True)):
        await until(lambda: len(world.platform.posted) == 19)
        await until(lambda: len(world.platform.posted) == 20)
    assert world.platform.most_under_way <= 3
    assert [key for key, _ in world.platform.asked] == ["slack:C1/story:1/story/0"]


async def test_an_idle_deliverer_is_idle(world: World) -> None:
    """A destination that cannot be served, and a paused platform, must not make the loop spin."""
    await world.tell("One")
    world.platform.faults["C1"] = [RateLimited("slow", retry_after=3600, everywhere=True)]
    async with world.store.begin() as conn:
        await deliveries.owe(conn, [notice("teams:T1", "x", "hello", NOW)], NOW)
    deliverer = world.deliver(limits=Limits(pace=0), real_time=True)
    looks = 0
    start = deliverer._start

    async def counted() -> None:
        nonlocal looks
        looks += 1
        await start()

    deliverer._start = counted  # type: ignore[method-assign]
    async with running(deliverer):
        await until(lambda: world.platform.calls == 1)
        await asyncio.sleep(0.3)
    assert looks < 10


@pytest.mark.parametrize("count", [19, pytest.param(199, marks=pytest.mark.slow)])
async def test_thousands_of_rows_are_drained_in_order(world: World, count: int) -> None:
    channels = [f"C{n}" for n in range(count)]
    await world.tell(*(f"Story {n}" for n in range(100)), to=channels)
    lines = [notice("slack:OPS", f"n{n}", f"Line {n}", NOW) for n in range(100)]
    async with world.store.begin() as conn:
        await deliveries.owe(conn, lines, NOW)
    began = time.monotonic()
    assert await world.deliver(limits=Limits(pace=0, digest_most=100)).drain() == 100 * (count + 1)
    assert time.monotonic() - began < 60, "20,000 took 8 seconds on one core when written"
    assert world.platform.headings("OPS") == [f"Line {n}" for n in range(100)]
    for channel in channels:
        digests = [posted.message for posted in world.platform.posted if posted.channel == channel]
        shown = [row.headline for digest in digests if isinstance(digest, Digest) for row in digest.rows]
        assert shown == [f"Story {n}" for n in range(100)]
