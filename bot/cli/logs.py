"""Logs: one event a line, key=value, on standard error."""

from __future__ import annotations

import logging
import sys

from bot.settings import Settings

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def configure(settings: Settings, *, quiet: bool = False) -> None:
    """Send logs to standard error at the level set; who reads cards in a terminal is shown errors only."""
    reads_along = quiet or settings.mode == "terminal"
    level = settings.log_level or ("ERROR" if reads_along else "INFO")
    logging.basicConfig(level=level, format=FORMAT, stream=sys.stderr, force=True)
    for library in ("apscheduler", "aiosqlite", "slack_bolt", "slack_sdk", "alembic", "uvicorn", "asyncio"):
        logging.getLogger(library).setLevel(max(logging.getLevelName(level), logging.WARNING))
