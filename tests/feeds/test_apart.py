"""Reading in a process of its own: results come back, and no document takes it down for the next one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from bot.errors import NotAFeed
from bot.feeds.apart import Parser
from bot.model import Format
from tests.feeds.sources import NOW, rss, source

GOOD = rss("<title>Pump</title><guid>1</guid><pubDate>Fri, 01 Jan 2100 00:00:00 GMT</pubDate>", head="<ttl>60</ttl>")
SLOW = b"<rss version='2.0'><channel>" + b"<" * 8_000_000  # takes a lenient parser many seconds
WIDE = rss(*["<title>a</title>"] * 400_000)  # small on the wire, large in memory


async def test_a_document_is_read_to_the_end() -> None:
    async with Parser() as parser:
        reading = await parser.read(GOOD, source(), NOW, url="https://b.example/feed")
        assert [advisory.key for advisory in reading.advisories] == ["1"]
        assert (reading.entries, reading.future_dated, reading.title) == (1, 1, "Example CERT")
        kev = json.dumps({"vulnerabilities": []}).encode()
        assert (await parser.read(kev, source(), NOW, format=Format.KEV)).entries == 0


async def test_foreign_documents_are_named_and_cost_nothing() -> None:
    async with Parser() as parser:
        with pytest.raises(NotAFeed, match="an empty body"):
            await parser.read(b"", source(), NOW)
        worker = parser._worker
        assert (await parser.read(GOOD, source(), NOW)).entries == 1
        assert parser._worker is worker


async def test_a_document_that_takes_too_long_is_given_up_while_the_loop_runs_on() -> None:
    async with Parser(seconds=1.0) as parser:
        longest = 0.0
        task = asyncio.create_task(parser.read(SLOW, source(), NOW))
        loop = asyncio.get_running_loop()
        while not task.done():
            before = loop.time()
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - before)
        with pytest.raises(NotAFeed, match="more than 1 s"):
            await task
        assert longest < 0.2
        assert (await parser.read(GOOD, source(), NOW)).entries == 1


async def test_a_document_that_takes_too_much_memory_is_given_up() -> None:
    async with Parser(memory=120 * 2**20) as parser:
        with pytest.raises(NotAFeed, match=r"memory|died"):
            await parser.read(WIDE, source(), NOW)
        assert (await parser.read(GOOD, source(), NOW)).entries == 1


async def test_a_killed_worker_is_replaced() -> None:
    async with Parser() as parser:
        await parser.read(GOOD, source(), NOW)
        assert parser._worker
        os.kill(parser._worker.pid, signal.SIGKILL)
        await parser._worker.wait()
        assert (await parser.read(GOOD, source(), NOW)).entries == 1


async def test_a_call_that_is_cancelled_leaves_no_answer_for_the_next() -> None:
    async with Parser() as parser:
        await parser.read(GOOD, source(), NOW)
        task = asyncio.create_task(parser.read(SLOW, source(), NOW))
        await asyncio.sleep(0)  # the call has begun
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await parser.read(GOOD, source(), NOW)).entries == 1


async def test_calls_wait_for_their_turn() -> None:
    async with Parser() as parser:
        bodies = [rss(f"<title>{n}</title>") for n in range(5)]
        readings = await asyncio.gather(*(parser.read(body, source(), NOW) for body in bodies))
    assert [reading.advisories[0].title for reading in readings] == ["0", "1", "2", "3", "4"]


async def test_the_worker_sees_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-canary")
    async with Parser() as parser:
        await parser.read(GOOD, source(), NOW)
        assert parser._worker
        environment = await asyncio.to_thread(Path(f"/proc/{parser._worker.pid}/environ").read_bytes)
        assert environment
        assert b"canary" not in environment
