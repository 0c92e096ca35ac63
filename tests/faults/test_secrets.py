"""Secrets are planted everywhere they can be set; nothing the process writes may hold one."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from bot.chat.slack.client import SlackPlatform
from bot.settings import read_settings
from bot.store.engine import open_store
from tests import fake_slack
from tests.fake_slack import FakeSlack, Fault, form, signed
from tests.flow.publisher import Publisher, write_config
from tests.flow.running import Running, in_slack, told

BOT, APP, SIGNING, DATABASE = "xoxb-canary-bot", "xapp-canary-app", "canary-signing", "canary-database"
CANARY = re.compile("canary")


async def test_no_secret_in_anything_that_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that log all they can, over HTTP and over Socket Mode, through faults of every kind."""
    monkeypatch.setattr(fake_slack, "TOKEN", BOT)
    monkeypatch.setattr(fake_slack, "APP_TOKEN", APP)
    both = await asyncio.gather(_written(tmp_path / "http", "http"), _written(tmp_path / "socket", "socket"))
    _clean([text for written in both for text in written])


async def _written(folder: Path, mode: str) -> list[str]:
    """All that one installation writes in a short and troubled life."""
    written: list[str] = []
    async with Publisher("north") as publisher, FakeSlack() as slack:
        write_config(folder / "config", publisher)
        secrets = {"SLACK_BOT_TOKEN": BOT, "SLACK_APP_TOKEN": APP, "SLACK_SIGNING_SECRET": SIGNING}
        given = in_slack(folder, slack.url, SLACK_MODE=mode, WARDWATCH_LOG_LEVEL="DEBUG", **secrets)
        slack.fail("auth.test", Fault("html", status=502))
        slack.fail("chat.postMessage", Fault("refused", code="invalid_auth"))
        async with Running(folder, given) as wardwatch:
            port = await wardwatch.port()
            await publisher.asked_for("north")
            publisher.add("north", mode, "Ransomware stops a hospital")
            await wardwatch.says("invalid_auth")
            await (_ask(port, slack) if mode == "http" else _ask_by_socket(slack))
            async with aiohttp.ClientSession() as session:
                for page in ("health", "metrics"):
                    async with session.get(f"http://127.0.0.1:{port}/{page}") as response:
                        written.append(await response.text())
            await wardwatch.stop()
        assert len(wardwatch.lines) > 5, "the log says nothing, so it proves nothing"
        commands = (("settings",), ("ask", "status"), ("poll",))
        for done in await asyncio.gather(*(asyncio.to_thread(told, folder, *one, given=given) for one in commands)):
            written += [done.stdout, done.stderr]
        written += [wardwatch.text, str(slack.answers), str(slack.messages())]
    with closing(sqlite3.connect(folder / "ward.db")) as database:
        return [*written, *database.iterdump()]


async def _ask_by_socket(slack: FakeSlack) -> None:
    await slack.connected()
    await slack.send("slash_commands", slack.command("status"))
    await slack.answered()
    await slack.drop()


async def _ask(port: int, slack: FakeSlack) -> None:
    async with aiohttp.ClientSession() as session:
        for secret in (SIGNING, "stranger"):
            body = form(slack.command("status"))
            url = f"http://127.0.0.1:{port}/slack/events"
            async with session.post(url, data=body, headers=signed(body, secret=secret)) as response:
                assert response.status == (200 if secret == SIGNING else 401)
    await slack.answered()


async def test_no_password_of_the_database(tmp_path: Path) -> None:
    """PostgreSQL that is not there, and one whose url cannot be read."""
    async with Publisher("north") as publisher:
        write_config(tmp_path / "config", publisher)
    written = []
    for url in (f"postgresql://ward:{DATABASE}@127.0.0.1:9/ward", f"postgresql://ward:{DATABASE}@[bad/ward"):
        for command in (("run",), ("backup", "f")):
            done = await asyncio.to_thread(
                told, tmp_path, *command, WARDWATCH_DATABASE=url, WARDWATCH_LOG_LEVEL="DEBUG"
            )
            assert "Traceback" not in done.stderr
            written += [done.stdout, done.stderr]
    _clean(written)


async def test_no_secret_in_how_parts_show_themselves(tmp_path: Path) -> None:
    given = {
        "SLACK_BOT_TOKEN": BOT,
        "SLACK_APP_TOKEN": APP,
        "SLACK_SIGNING_SECRET": SIGNING,
        "WARDWATCH_CHANNEL": "C0ALERTS",
        "WARDWATCH_DATABASE": f"postgresql://ward:{DATABASE}@db/ward",
    }
    settings, listed = read_settings(given, None)
    store = await open_store(str(tmp_path / "ward.db"))
    async with aiohttp.ClientSession() as session:
        platform = SlackPlatform(BOT, session, base_url="http://127.0.0.1:9/")
        shown = [repr(one) for one in (settings, listed, store, platform, platform.writer, platform.reader)]
    await store.close()
    _clean([*shown, str(settings), settings.model_dump_json()])


def _clean(written: list[str]) -> None:
    found = [text[max(0, match.start() - 80) : match.end() + 20] for text in written for match in CANARY.finditer(text)]
    assert not found
