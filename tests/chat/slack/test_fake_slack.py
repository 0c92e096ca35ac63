"""The stand-in as a process of its own: what it has stored outlives it."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import aiohttp

from bot.chat.slack.client import SlackPlatform
from tests.chat.slack.examples import CARD, MESSAGES
from tests.fake_slack import TOKEN

ROOT = Path(__file__).parents[3]


async def started(state: Path) -> tuple[asyncio.subprocess.Process, str]:
    command = (sys.executable, "-m", "tests.fake_slack", "--state", str(state))
    running = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert running.stdout is not None
    line = await asyncio.wait_for(running.stdout.readline(), 15)
    return running, line.decode().split()[1]


async def test_a_killed_stand_in_remembers_every_message(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    first, address = await started(tmp_path / "journal.jsonl")
    slack = SlackPlatform(TOKEN, session, base_url=address)
    ref = await slack.post("C0ALERTS", CARD, key="k1", thread=None)
    await slack.update("C0ALERTS", ref, MESSAGES["revised card"])
    first.send_signal(signal.SIGKILL)
    await first.wait()
    second, address = await started(tmp_path / "journal.jsonl")
    try:
        async with session.get(address.replace("/api/", "/state")) as response:
            (message,) = (await response.json())["C0ALERTS"]
        assert (message["ts"], message["metadata"]["event_payload"]["key"]) == (ref, "k1")
        assert "severity medium" in str(message["blocks"])
    finally:
        second.kill()
        await second.wait()
