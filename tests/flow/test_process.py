"""The whole way through the real process: from a feed to a channel, from a question to its answer, and to its end."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.block_kit import texts
from tests.fake_slack import SECRET, FakeSlack, Fault, form, signed
from tests.flow.publisher import Publisher, write_config
from tests.flow.running import Running, environment, in_slack, told


@pytest.fixture
async def publisher(tmp_path: Path) -> AsyncIterator[Publisher]:
    async with Publisher("north", "south") as publisher:
        write_config(tmp_path / "config", publisher)
        yield publisher


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


async def until(condition: Callable[[], object], within: float = 15) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  what it looks at is another process's work
            await asyncio.sleep(0.03)


async def press(port: int, payload: dict[str, Any], secret: str = SECRET) -> int:
    body = form(payload)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/slack/events", data=body, headers=signed(body, secret=secret)) as answer,
    ):
        return answer.status


async def test_from_a_feed_to_slack_and_back_over_http(tmp_path: Path, publisher: Publisher, slack: FakeSlack) -> None:
    async with Running(tmp_path, in_slack(tmp_path, slack.url)) as wardwatch:
        await publisher.asked_for("north", "south")
        publisher.add("north", "n1", "Ransomware stops a hospital", "Its wards are closed.")
        await until(lambda: slack.messages())
        card = texts(slack.messages()[0])
        assert "Ransomware stops a hospital" in card
        assert "Care is hit" in card, "it does not say why it is here"
        port = await wardwatch.port()
        begin = time.monotonic()
        assert await press(port, slack.command("search ransomware")) == 200
        assert time.monotonic() - begin < 1, "acknowledged late"
        answer = (await slack.answered())[0]
        assert "Ransomware stops a hospital" in texts(answer)
        assert await press(port, slack.command("search ransomware"), secret="stranger") == 401
        assert await press(port, slack.command("subscribe router")) == 200
        await slack.answered(2)
        publisher.add("south", "s1", "A flaw in a router")  # no concern of healthcare, but asked for a moment ago
        await until(lambda: len(slack.messages()) == 2)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/health") as response:
                health = await response.json()
                assert (response.status, health["status"]) == (200, "ok")
                assert 0 <= health["since_delivery"] < 15
            async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
                assert re.search(r"^wardwatch_alerts_owed_total 2\.0$", await response.text(), re.MULTILINE)
    assert slack.problems == []


async def test_commands_over_socket_mode(tmp_path: Path, publisher: Publisher, slack: FakeSlack) -> None:
    async with Running(tmp_path, in_slack(tmp_path, slack.url, mode="socket")) as wardwatch:
        async with asyncio.timeout(10):
            await slack.reconnected()
        await publisher.asked_for("north", "south")
        await slack.send("slash_commands", slack.command("status"))
        assert "Version" in texts((await slack.answered())[0])
        assert await wardwatch.stop(signal.SIGINT) < 5
    assert wardwatch.process.returncode == 0
    assert "Traceback" not in wardwatch.text


async def test_a_mistake_in_a_feed_is_followed_into_its_thread(
    tmp_path: Path, publisher: Publisher, slack: FakeSlack
) -> None:
    async with Running(tmp_path, in_slack(tmp_path, slack.url)):
        await publisher.asked_for("north")
        shown = publisher.add("north", "n1", "Flaw in infusion pump", "No attack is known.")
        await until(lambda: slack.messages())
        shown.summary = "No attack is known. Ransomware uses it."
        await until(lambda: len(slack.messages()) == 2)
    story, note = slack.messages()
    assert note["thread_ts"] == story["ts"]
    assert "Ransomware uses it" in texts(note)
    assert "Ransomware uses it" in texts(story), "the card was not brought up to date"


async def test_stopping_settles_what_is_in_flight(tmp_path: Path, publisher: Publisher, slack: FakeSlack) -> None:
    given = in_slack(tmp_path, slack.url)
    answer, posting = slack._api, asyncio.Event()

    async def late(request: Any) -> Any:
        if request.match_info["method"] == "chat.postMessage":
            posting.set()
            await asyncio.sleep(1.5)
        return await answer(request)

    slack._api = late  # type: ignore[method-assign]
    await slack.stop()
    await slack.start(slack.port)
    async with Running(tmp_path, given) as wardwatch:
        await publisher.asked_for("north")
        publisher.add("north", "n1", "Ransomware stops a hospital")
        await asyncio.wait_for(posting.wait(), 15)
        assert await wardwatch.stop() < 5
        assert wardwatch.process.returncode == 0
    assert len(slack.messages()) == 1
    assert _states(tmp_path) == ["sent"]
    async with Running(tmp_path, given):
        publisher.add("north", "n2", "Ransomware stops another hospital")
        await until(lambda: len(slack.messages()) == 2)
    assert ["another" in text for text in map(texts, slack.messages())] == [False, True]


async def test_stopping_does_not_wait_for_what_hangs(tmp_path: Path, publisher: Publisher, slack: FakeSlack) -> None:
    """A Slack that hangs, a publisher that hangs: the end comes within five seconds, and the next start asks."""
    given = in_slack(tmp_path, slack.url)
    slack.fail("chat.postMessage", Fault("hang", seconds=60))
    async with Running(tmp_path, given) as wardwatch:
        await publisher.asked_for("north")
        publisher.add("north", "n1", "Ransomware stops a hospital")
        await until(lambda: any(method == "chat.postMessage" for method, _ in slack.calls))
        assert await wardwatch.stop() < 5
        assert wardwatch.process.returncode == 0
    assert _states(tmp_path) in (["sending"], ["unknown"])
    async with Running(tmp_path, given):
        await until(lambda: slack.messages())
    assert len(slack.messages()) == 1
    assert any(method == "conversations.history" for method, _ in slack.calls), "it was sent again without asking"


async def test_a_second_wardwatch_on_the_same_file_stays_out(
    tmp_path: Path, publisher: Publisher, slack: FakeSlack
) -> None:
    given = in_slack(tmp_path, slack.url)
    async with Running(tmp_path, given) as first:
        await publisher.asked_for("north")
        second = await asyncio.to_thread(told, tmp_path, "run", given=given)
        assert second.returncode == 2
        assert "another Wardwatch is running on this database" in second.stderr.splitlines()[-1]
        publisher.add("north", "n1", "Ransomware stops a hospital")
        await until(lambda: slack.messages())
        first.process.kill()
    async with Running(tmp_path, given) as third:
        await third.says("Wardwatch .* watches")  # what a killed one held does not stand in the way


async def test_nothing_is_told_again_after_a_restart(tmp_path: Path, publisher: Publisher, slack: FakeSlack) -> None:
    given = in_slack(tmp_path, slack.url)
    async with Running(tmp_path, given) as wardwatch:
        await publisher.asked_for("north")
        publisher.add("north", "n1", "Ransomware stops a hospital")
        await until(lambda: slack.messages())
        await wardwatch.stop()
    publisher.add("north", "n2", "Hospital pump recalled for a flaw")  # while nobody looks
    async with Running(tmp_path, given) as wardwatch:
        await until(lambda: len(slack.messages()) >= 2)
        await publisher.asked_for("north", times=2)
        await wardwatch.stop()
    assert ["recalled" in text for text in map(texts, slack.messages())] == [False, True]
    account = await asyncio.to_thread(told, tmp_path, "reconcile", "--json", given=given)
    assert json.loads(account.stdout)["adds_up"] is True


async def test_without_network_it_says_so_and_goes_on(tmp_path: Path) -> None:
    async with Publisher("north") as publisher:
        write_config(tmp_path / "config", publisher)
        port = publisher.port
    async with Running(tmp_path, environment(tmp_path)) as wardwatch:
        line = await wardwatch.says("No source can be reached")
        assert "make demo" in line.string
        again = Publisher("north")
        await again.start(port)
        await again.asked_for("north")
        await again.__aexit__()
        assert await wardwatch.stop() < 5
    assert "Traceback" not in wardwatch.text


def _states(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "ward.db")) as database:
        return [state for (state,) in database.execute("SELECT state FROM deliveries ORDER BY id")]
