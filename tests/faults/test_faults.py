"""What fails around Wardwatch: its database, its disk, its clock."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.route import notice
from bot.schedule import Job, realign, scheduler
from bot.store import deliveries, schema
from bot.store.engine import Store
from tests.block_kit import texts
from tests.deliver.world import NOW, World
from tests.fake_slack import FakeSlack
from tests.faults.living import STALL, Clock, LoopWatch, living, until
from tests.flow.publisher import Publisher, write_config
from tests.flow.running import Running, in_slack


async def test_a_database_that_fails_for_a_while_loses_nothing(tmp_path: Path) -> None:
    """Locked by another program, then a full disk: each is one line in the log, and what came meanwhile is told."""
    async with Publisher("north") as publisher, FakeSlack() as slack:
        write_config(tmp_path / "config", publisher)
        async with Running(tmp_path, in_slack(tmp_path, slack.url)) as wardwatch:
            await publisher.asked_for("north", times=2)  # the first look has been kept
            with closing(sqlite3.connect(tmp_path / "ward.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                publisher.add("north", "n1", "Ransomware stops a hospital")
                await wardwatch.says("locked by another program")
                other.execute("ROLLBACK")
            await until(lambda: len(slack.messages()) == 1)
            soft, hard = resource.prlimit(wardwatch.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(wardwatch.process.pid, resource.RLIMIT_FSIZE, (1024, hard))
            publisher.add("north", "n2", "Ransomware stops a second hospital")
            await wardwatch.says("the disk is full|the disk does not read or write")
            resource.prlimit(wardwatch.process.pid, resource.RLIMIT_FSIZE, (soft, hard))
            await until(lambda: len(slack.messages()) == 2)
            assert await wardwatch.stop() < 5
    assert "Traceback" not in wardwatch.text
    assert ["second" in shown for shown in map(texts, slack.messages())] == [False, True]


async def test_a_clock_that_steps_stops_nothing(tmp_path: Path) -> None:
    """Back and forth by a day, and hours of sleep: what is published is told, in order, once."""
    clock = Clock()
    async with Publisher("north") as publisher, FakeSlack() as slack:
        write_config(tmp_path / "config", publisher)
        async with living(tmp_path, slack.url, clock) as runner:
            await publisher.asked_for("north")
            for number, step in enumerate((24, -24, -24, 24, 8)):
                clock.ahead += timedelta(hours=step)
                publisher.add("north", f"n{number}", f"Ransomware stops hospital {'ABCDE'[number]}x")
                await until(lambda number=number: len(slack.messages()) > number)  # type: ignore[misc]
            assert (await runner.health()).status == "ok"
    assert [shown.split("hospital ")[1][:2] for shown in map(texts, slack.messages())] == ["Ax", "Bx", "Cx", "Dx", "Ex"]


async def test_a_timetable_survives_a_clock_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """APScheduler alone would wait until the clock has come again to where it was."""
    shift = timedelta(0)

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + shift

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Shifted)
    monkeypatch.setattr("apscheduler.triggers.interval.datetime", Shifted)
    ran = asyncio.Event()

    async def work() -> None:
        ran.set()

    jobs = [Job("tick", work, every=timedelta(seconds=0.1)), Job("daily", work, at=NOW.time())]
    timetable = scheduler(jobs)
    timetable.start()
    await asyncio.wait_for(ran.wait(), 2)
    shift = timedelta(days=-2)
    await asyncio.sleep(0.2)  # until the timer of before has run out
    ran.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ran.wait(), 0.3)
    realign(timetable, jobs, Shifted.now())
    await asyncio.wait_for(ran.wait(), 2)
    assert timetable.get_job("daily").next_run_time <= Shifted.now() + timedelta(days=1)
    timetable.shutdown(wait=False)


async def test_a_hundred_thousand_owed_at_start(sqlite_store: Store) -> None:
    """The first messages go out at once, and in order, however much is owed."""
    world = World(sqlite_store)
    async with sqlite_store.begin() as conn:
        await deliveries.owe(conn, [notice("slack:C0", f"n{n}", f"note {n:02}", NOW) for n in range(100)], NOW)
        rest = ", ".join(column.name for column in schema.deliveries.c if column.name not in ("id", "destination"))
        numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 999)"
        more = f"{numbers} SELECT 'slack:C' || n, {rest} FROM n, deliveries ORDER BY n, id"
        known = ", ".join(column.name for column in schema.destinations.c if column.name != "id")
        await conn.execute(
            text(
                f"INSERT INTO destinations (id, {known}) {numbers} SELECT 'slack:C' || n, {known} FROM n, destinations"
            )
        )
        await conn.execute(text(f"INSERT INTO deliveries (destination, {rest}) {more}"))
        assert sum((await deliveries.owed_by_destination(conn)).values()) == 100_000
    watch = LoopWatch()
    async with watch.watching():
        begin = time.monotonic()
        running = asyncio.create_task(world.deliver(real_time=True).run())
        await until(lambda: len(world.platform.posted) >= 300, within=10)
        print(f"300 messages after {time.monotonic() - begin:.2f} s")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert watch.worst < STALL, f"the event loop stood still for {watch.worst:.3f} s"
    for channel in ("C0", "C1"):
        told = world.platform.headings(channel)
        assert told == sorted(told)
