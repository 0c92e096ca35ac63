"""The whole application in the test's own process, with its clock in the test's hand, and a watch on the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.app import built
from bot.deliver import Limits
from bot.runner import Runner
from bot.settings import read_settings
from bot.speaking import connected
from tests.flow.running import in_slack

STALL = 0.2  # seconds for which nothing else may have to wait


class Clock:
    """The real time, and as much ahead of it or behind it as a test wants."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class LoopWatch:
    """Measures how long the event loop is kept from everything else.

    ``worst`` counts what the loop's own thread computed between two of our turns: a busy machine is no fault of ours.
    """

    def __init__(self) -> None:
        self.worst = 0.0

    async def watch(self) -> None:
        while True:
            begin, computed = time.monotonic(), time.thread_time()
            await asyncio.sleep(0.005)
            self.worst = max(self.worst, min(time.monotonic() - begin, time.thread_time() - computed))

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def living(
    folder: Path, url: str, clock: Clock, *, limits: Limits | None = None, **settings: str
) -> AsyncIterator[Runner]:
    """Wardwatch at work on the configuration in ``folder``, speaking to the stand-in for Slack at ``url``."""
    given = {
        name: value for name, value in in_slack(folder, url, **settings).items() if name not in ("PATH", "PYTHONPATH")
    }
    chosen, _ = read_settings(given, None)
    async with AsyncExitStack() as stack:
        speaking, _ = await stack.enter_async_context(connected(chosen))
        speaking = replace(speaking, limits=limits or speaking.limits)
        app = await stack.enter_async_context(built(chosen, speaking, clock=clock))
        runner = Runner(app, first_round=lambda tried, answered: None)
        await stack.enter_async_context(runner.running())
        yield runner


async def until(condition: Callable[[], object], within: float = 20) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  it looks at what others do
            await asyncio.sleep(0.02)
