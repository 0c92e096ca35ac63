"""When things run: one APScheduler in each process, its jobs in memory; the database says what is due.

A job that comes late still runs (``misfire_grace_time=None``), several late runs are one, and none runs beside itself.
A job that raises is logged and runs again at its next time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

log = logging.getLogger(__name__)

_TRIMMED = timedelta(seconds=2)  # less is the clock being trimmed


@dataclass(frozen=True, slots=True)
class Job:
    """Work that recurs: every ``every``, or daily at ``at`` (UTC). ``work`` is a coroutine function.

    The first run comes after ``first``, where given, and not only when ``every`` is over for the first time.
    """

    name: str
    work: Callable[[], Coroutine[object, object, object]]
    every: timedelta | None = None
    at: time | None = None
    first: timedelta | None = None

    def trigger(self) -> BaseTrigger:
        if self.at is not None:
            return CronTrigger(hour=self.at.hour, minute=self.at.minute, second=self.at.second, timezone=UTC)
        assert self.every is not None, f"{self.name} says not when it runs"
        return IntervalTrigger(seconds=self.every.total_seconds(), timezone=UTC)


def scheduler(jobs: list[Job]) -> AsyncIOScheduler:
    """A scheduler with these jobs, not yet started."""
    defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    made = AsyncIOScheduler(timezone=UTC, job_defaults=defaults)
    made.add_listener(_report, EVENT_JOB_ERROR)
    for job in jobs:
        begun = {} if job.first is None else {"next_run_time": datetime.now(UTC) + job.first}
        made.add_job(job.work, job.trigger(), id=job.name, name=job.name, **begun)
    return made


def realign(timetable: AsyncIOScheduler, jobs: Iterable[Job], now: datetime) -> None:
    """Give jobs that lie further ahead than they recur their right time again: the clock was set back.

    APScheduler would wait until the clock has come again to where it was.
    """
    for job in jobs:
        known = timetable.get_job(job.name)
        recurs = job.every or timedelta(days=1)
        if known is not None and known.next_run_time - now > recurs + _TRIMMED:
            log.warning("job=%s outcome=brought-back was_due=%s", job.name, known.next_run_time.isoformat())
            timetable.reschedule_job(job.name, trigger=job.trigger())


def _report(event: JobExecutionEvent) -> None:
    log.error("job=%s outcome=failed error=%s", event.job_id, type(event.exception).__name__, exc_info=event.exception)
