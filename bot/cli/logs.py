"""Logs: one event a line, key=value, times in UTC, on standard error."""

from __future__ import annotations

import logging
import sys
import time

from bot.settings import Settings

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"
LIBRARIES = (
    "aiohttp",
    "aiosqlite",
    "alembic",
    "apscheduler",
    "asyncio",
    "slack_bolt",
    "slack_sdk",
    "sqlalchemy",
    "uvicorn",
)


class _OneLine(logging.Formatter):
    """What a stranger wrote into an event begins no new one; only a traceback follows on lines of its own."""

    @staticmethod
    def converter(seconds: float | None) -> time.struct_time:
        return time.gmtime(seconds)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  as logging calls it
        record.message = "".join(c if c.isprintable() else repr(c)[1:-1] for c in record.message)
        return super().formatMessage(record)


def configure(settings: Settings, *, quiet: bool = False) -> None:
    """Send logs to standard error at the level set; who reads cards in a terminal is shown errors only."""
    reads_along = quiet or settings.mode == "terminal"
    level = settings.log_level or ("ERROR" if reads_along else "INFO")
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(_OneLine(FORMAT, "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[out], force=True)
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(max(logging.getLevelName(level), logging.WARNING))
    logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)  # schedule tells what a job raises
