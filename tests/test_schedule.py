"""Jobs run when late, never beside themselves, and go on after a failure. Real scheduler, tiny intervals."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from bot.schedule import Job, scheduler

OFTEN = timedelta(milliseconds=5)
PATIENCE = 5.0


class Work:
    """A job that counts its runs; ``until`` waits for them."""

    def __init__(self, step: Callable[[int], Awaitable[None]] | None = None) -> None:
        self.runs = self.under_way = self.most_under_way = 0
        self._step = step
        self._ran = asyncio.Condition()

    async def __call__(self) -> None:
        self.runs += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        async with self._ran:
            self._ran.notify_all()
        try:
            if self._step:
                await self._step(self.runs)
        finally:
            self.under_way -= 1

    async def run(self) -> None:
        await self()

    async def until(self, runs: int) -> None:
        async with asyncio.timeout(PATIENCE), self._ran:
            await self._ran.wait_for(lambda: self.runs >= runs)


@asynccontextmanager
async def running(*jobs: Job) -> AsyncIterator[None]:
    timetable = scheduler(list(jobs))
    timetable.start()
    try:
        yield
    finally:
        timetable.shutdown(wait=False)


async def test_the_first_run_may_come_before_the_rhythm() -> None:
    work = Work()
    async with running(Job("rare", work.run, every=timedelta(hours=6), first=OFTEN)):
        await work.until(1)


async def test_a_job_runs_again_and_again() -> None:
    work = Work()
    async with running(Job("often", work.run, every=OFTEN)):
        await work.until(3)


async def test_a_job_never_runs_beside_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    gate, beat = asyncio.Event(), Work()

    async def hold(run: int) -> None:
        await gate.wait()

    slow = Work(hold)
    async with running(Job("slow", slow.run, every=OFTEN), Job("beat", beat.run, every=OFTEN)):
        await slow.until(1)
        await beat.until(beat.runs + 5)
        assert (slow.runs, slow.most_under_way) == (1, 1)
        gate.set()
        await slow.until(3)
    assert slow.most_under_way == 1


async def test_a_job_that_fails_is_logged_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(run: int) -> None:
        if run < 3:
            raise ZeroDivisionError(f"run {run}")

    work = Work(fail)
    async with running(Job("brittle", work.run, every=OFTEN)):
        await work.until(4)
    assert "job=brittle outcome=failed error=ZeroDivisionError" in caplog.text


async def test_a_late_job_still_runs_and_once() -> None:
    """The process was suspended for hours: the job of this morning runs now, and not once for every hour."""
    work = Work()
    timetable = scheduler([Job("hourly", work.run, every=timedelta(hours=1))])
    timetable.start(paused=True)
    timetable.get_job("hourly").modify(next_run_time=datetime.now(UTC) - timedelta(hours=9, minutes=30))
    timetable.resume()
    try:
        await work.until(1)
        following = timetable.get_job("hourly").next_run_time
        assert following > datetime.now(UTC)
        assert work.runs == 1
    finally:
        timetable.shutdown(wait=False)


def test_a_daily_job_has_its_hour_in_utc() -> None:
    trigger = Job("night", Work.run, at=dt.time(2, 10)).trigger()  # type: ignore[arg-type]
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert trigger.get_next_fire_time(None, noon) == datetime(2026, 3, 11, 2, 10, tzinfo=UTC)
