"""`/ward` and the buttons as Slack sends them: signed over HTTP to the real server, and through Socket Mode."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from bot.chat.slack.app import Listener, Typed, as_typed
from bot.chat.slack.client import SlackPlatform
from bot.chat.slack.socket import SocketMode
from bot.errors import ConfigError, StoreError
from bot.message import Reply
from bot.web import Health, serve, web_app
from tests.chat.slack.examples import MESSAGES
from tests.fake_slack import APP_TOKEN, SECRET, TOKEN, FakeSlack, Fault, form, signed


@dataclass
class Desk:
    """What stands behind the listener: it notes what was asked, and answers as told."""

    asked: list[Typed] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    reply: Reply = field(default_factory=lambda: Reply("Here you are"))
    trouble: Exception | None = None
    forgetful: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def answer(self, typed: Typed) -> Reply:
        self.asked.append(typed)
        await self.gate.wait()
        if self.trouble:
            raise self.trouble
        return self.reply

    async def seen_before(self, key: str) -> bool:
        if self.forgetful:
            raise self.forgetful
        known = key in self.seen
        self.seen.add(key)
        return known


@pytest.fixture
async def desk() -> Desk:
    return Desk()


@pytest.fixture
async def listener(platform: SlackPlatform, session: aiohttp.ClientSession, desk: Desk) -> AsyncIterator[Listener]:
    await platform.start()
    listener = Listener(
        platform,
        session,
        signing_secret=SECRET,
        answer=desk.answer,
        seen_before=desk.seen_before,
        answer_limit=2,
    )
    yield listener
    await listener.stop()


Knock = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
async def knock(listener: Listener, session: aiohttp.ClientSession) -> AsyncIterator[Knock]:
    """Send a body to the real web server; gives status and text."""

    async def health() -> Health:
        return Health("1", alive=True)

    app = web_app(health=health, registry=CollectorRegistry(), slack=listener.endpoint)
    server = await serve(app, "127.0.0.1", 0)

    async def send(body: bytes, headers: dict[str, str] | None = None) -> tuple[int, str]:
        url = f"http://127.0.0.1:{server.port}/slack/events"
        async with session.post(
            url, data=io.BytesIO(body), headers=signed(body) if headers is None else headers
        ) as response:
            return response.status, await response.text()

    yield send
    await server.stop()


# -- over HTTP


async def test_a_command_is_answered_where_it_was_asked(knock: Knock, slack: FakeSlack, desk: Desk) -> None:
    assert await knock(form(slack.command("search ransomware hospital"))) == (200, "")
    (answer,) = await slack.answered()
    assert answer["text"] == "Here you are"
    assert answer["response_type"] == "ephemeral"
    assert desk.asked == [Typed("search ransomware hospital", "C0ALERTS", "U0NURSE")]


async def test_it_is_acknowledged_at_once_however_long_the_answer_takes(
    knock: Knock, slack: FakeSlack, desk: Desk
) -> None:
    desk.gate.clear()
    start = time.perf_counter()
    assert await knock(form(slack.command("latest"))) == (200, "")
    assert time.perf_counter() - start < 0.3
    assert slack.answers == []
    desk.gate.set()
    await slack.answered()


@pytest.mark.parametrize("name", [name for name, message in MESSAGES.items() if isinstance(message, Reply)])
async def test_every_reply_is_taken(knock: Knock, slack: FakeSlack, desk: Desk, name: str) -> None:
    desk.reply = MESSAGES[name]  # type: ignore[assignment]
    await knock(form(slack.command("x")))
    await slack.answered()


async def test_what_slack_did_not_sign_just_now_is_refused(knock: Knock, slack: FakeSlack, desk: Desk) -> None:
    body, future = form(slack.command("latest")), str(int(time.time()) + 900)
    stamps = (str(int(time.time()) - 301), future, "abc", "-1", "1e9", "\u00b2", "9" * 5000)
    for headers in (signed(body, secret="another"), *(signed(body, timestamp=stamp) for stamp in stamps)):
        assert await knock(body, headers) == (401, "not signed by Slack"), headers
    assert desk.asked == []


async def test_a_request_without_its_signature_is_refused(knock: Knock, slack: FakeSlack) -> None:
    body = form(slack.command("latest"))
    for missing in ("x-slack-signature", "x-slack-request-timestamp"):
        headers = {name: value for name, value in signed(body).items() if name != missing}
        assert (await knock(body, headers))[0] == 401


GARBAGE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\x00\x80",
    b"payload={",
    b"payload=[]",
    b"payload=null",
    b"payload=%7B%22type%22%3A%22block_actions%22%7D",
    b'{"team": 5, "user": 7, "type": "block_actions"}',
    b'{"type": "block_actions", "actions": [], "team": {"id": "T0WARD"}}',
    b'{"type": "block_actions", "actions": [{"action_id": null}], "team": {"id": "T0WARD"}}',
    b'{"type": "block_actions", "actions": ["x"], "team": {"id": "T0WARD"}}',
    b'{"type": "event_callback", "event": {"type": "message"}, "team_id": "T0WARD"}',
    b"command=%2Fother&team_id=T0WARD",
    b"a" * 2000,
    b'{"a":' * 100_000,
    b"%00%ff=%80&=&&;",
]


async def test_garbage_is_never_a_server_error(knock: Knock, desk: Desk) -> None:
    for body in GARBAGE:
        for headers in ({}, {"content-type": "application/json"}):
            assert (await knock(body, headers))[0] == 401, body[:80]
        for headers in (signed(body, kind="application/json"), signed(body)):
            assert 200 <= (await knock(body, headers))[0] < 500, body[:80]
    assert desk.asked == []


async def test_a_huge_body_is_refused_unread(knock: Knock) -> None:
    body = b"a" * (2**20 + 1)
    assert (await knock(body))[0] == 413


async def test_the_same_request_acts_once(knock: Knock, slack: FakeSlack, desk: Desk) -> None:
    body = form(slack.command("subscribe ransomware"))
    headers = signed(body)
    assert await knock(body, headers) == await knock(body, headers) == (200, "")
    assert await knock(body, {name.upper(): value for name, value in headers.items()}) == (200, "")
    await slack.answered()
    assert len(desk.asked) == 1


async def test_another_workspace_does_not_act(knock: Knock, slack: FakeSlack, desk: Desk, listener: Listener) -> None:
    strangers = [
        slack.command("subscribe x", team_id="T0OTHER"),
        slack.command("subscribe x", team_id="T0OTHER", enterprise_id="E0OTHER"),
        slack.command("subscribe x", team_id=""),
        slack.press("ward_why:1:0", "1", team={"id": "T0OTHER"}),
        slack.press("ward_why:1:0", "1", user={"id": "U9", "team_id": "T0PARTNER"}),
    ]
    for payload in strangers:
        assert await knock(form(payload)) == (200, "")
    await listener.stop()
    assert desk.asked == []


async def test_an_organisation_counts_as_ours(
    slack: FakeSlack, platform: SlackPlatform, knock: Knock, desk: Desk
) -> None:
    slack.enterprise = "E0WARD"
    await platform.start()
    await knock(form(slack.command("latest", team_id="T0SISTER", enterprise_id="E0WARD")))
    pressed = slack.press(
        "ward_why:1:0", "1", team=None, enterprise={"id": "E0WARD"}, user={"id": "U8", "team_id": "T8"}
    )
    await knock(form(pressed))
    await slack.answered(2)
    assert [typed.text for typed in desk.asked] == ["latest", "why 1"]


async def test_before_it_knows_its_workspace_it_says_so(
    knock: Knock, slack: FakeSlack, platform: SlackPlatform, desk: Desk
) -> None:
    platform.team = ""
    status, text = await knock(form(slack.command("latest")))
    assert (status, desk.asked) == (200, [])
    assert "still starting" in text


async def test_slacks_own_checks_are_answered(knock: Knock) -> None:
    assert (await knock(b"ssl_check=1&token=x"))[0] == 200
    body = b'{"type": "url_verification", "challenge": "c0ffee", "token": "x"}'
    status, text = await knock(body, signed(body, kind="application/json"))
    assert status == 200
    assert "c0ffee" in text


# -- buttons


async def test_buttons_ask_what_they_say(knock: Knock, slack: FakeSlack, desk: Desk) -> None:
    await knock(form(slack.press("ward_why:4711:1", "4711")))
    await knock(form(slack.press("ward_more:0:0", "search x page:2", ephemeral=True)))
    await knock(form(slack.press("ward_more:0:2", "search y")))
    await slack.answered(3)
    assert sorted(typed.text for typed in desk.asked) == ["search x page:2", "search y", "why 4711"]
    replaced = {typed.text: answer["replace_original"] for typed, answer in zip(desk.asked, slack.answers, strict=True)}
    assert replaced == {"why 4711": False, "search x page:2": True, "search y": False}


async def test_a_link_button_only_opens(knock: Knock, slack: FakeSlack, desk: Desk, listener: Listener) -> None:
    assert (await knock(form(slack.press("ward_open:1:0"))))[0] == 200
    await listener.stop()
    assert desk.asked == []


# -- when something goes wrong behind it


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (StoreError("the database is locked: stop the other Wardwatch"), "the database is locked"),
        (ZeroDivisionError("secret inside"), "Wardwatch could not answer that"),
    ],
    ids=["known", "unknown"],
)
async def test_a_person_never_waits_for_nothing(
    knock: Knock, slack: FakeSlack, desk: Desk, trouble: Exception, told: str
) -> None:
    desk.trouble = trouble
    assert (await knock(form(slack.command("latest"))))[0] == 200
    (answer,) = await slack.answered()
    assert told in answer["text"]
    assert "secret inside" not in str(answer)


async def test_an_answer_that_takes_too_long_is_given_up(
    platform: SlackPlatform, session: aiohttp.ClientSession, slack: FakeSlack, desk: Desk
) -> None:
    await platform.start()
    listener = Listener(
        platform, session, signing_secret="", answer=desk.answer, seen_before=desk.seen_before, answer_limit=0.05
    )
    desk.gate.clear()
    async with over_socket(listener, platform, slack):
        await slack.send("slash_commands", slack.command("latest"))
        assert "took too long" in (await slack.answered())[0]["text"]


async def test_a_locked_database_is_told_at_once(knock: Knock, slack: FakeSlack, desk: Desk) -> None:
    desk.forgetful = StoreError("locked")
    status, text = await knock(form(slack.command("latest")))
    assert (status, desk.asked) == (200, [])
    assert "database" in text


async def test_a_refused_answer_is_given_plain(knock: Knock, slack: FakeSlack) -> None:
    slack.refuse_answers = 1
    await knock(form(slack.command("latest")))
    (answer,) = await slack.answered()
    assert "blocks" not in answer
    assert answer["text"] == "Here you are"


async def test_logs_hold_no_body_and_no_secret(
    knock: Knock, slack: FakeSlack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = form(slack.command("canary-in-a-command", token="canary-token"))
    await knock(body, {"x-slack-signature": "v0=canary", "x-slack-request-timestamp": str(int(time.time()))})
    await knock(body)
    await knock(form({**slack.command("canary-in-a-command"), "command": "/other"}))
    await slack.answered()
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("asyncio", "aiohttp"))]
    assert not any(secret in line for line in ours for secret in ("canary", TOKEN, SECRET, "/response/"))


# -- through Socket Mode


@contextlib.asynccontextmanager
async def over_socket(
    listener: Listener, platform: SlackPlatform, slack: FakeSlack, **how: Any
) -> AsyncIterator[SocketMode]:
    mode = SocketMode(listener.app, APP_TOKEN, platform, watch=0.05, **how)
    await mode.start()
    try:
        await slack.connected()
        yield mode
    finally:
        await mode.stop()
        await listener.stop()


async def test_socket_mode_answers_commands_and_buttons(
    listener: Listener, platform: SlackPlatform, slack: FakeSlack, desk: Desk
) -> None:
    async with over_socket(listener, platform, slack):
        start = time.perf_counter()
        await slack.send("slash_commands", slack.command("latest"))
        await slack.send("interactive", slack.press("ward_why:1:0", "1"))
        assert time.perf_counter() - start < 0.6
        await slack.answered(2)
    assert sorted(typed.text for typed in desk.asked) == ["latest", "why 1"]


async def test_an_envelope_delivered_twice_acts_once(
    listener: Listener, platform: SlackPlatform, slack: FakeSlack, desk: Desk
) -> None:
    command = slack.command("subscribe ransomware")
    async with over_socket(listener, platform, slack):
        await slack.send("slash_commands", command)
        await slack.send("slash_commands", command)
        await slack.send("slash_commands", {**command, "team_id": "T0OTHER", "trigger_id": "7"})
        await slack.answered()
    assert len(desk.asked) == 1


async def test_it_reconnects_when_slack_asks_and_when_the_line_breaks(
    listener: Listener, platform: SlackPlatform, slack: FakeSlack, desk: Desk
) -> None:
    async with over_socket(listener, platform, slack):
        for way in (slack.refresh, slack.drop):
            await way()
            await slack.reconnected()
            await slack.send("slash_commands", slack.command(way.__name__))
            await slack.answered()
    assert [typed.text for typed in desk.asked] == ["refresh", "drop"]


async def test_a_used_address_is_replaced_by_a_fresh_one(
    listener: Listener, platform: SlackPlatform, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK alone would try the first address for ever."""

    async def stale(_: str) -> str:
        return f"ws://127.0.0.1:{slack.port}/socket?ticket=used"

    monkeypatch.setattr(platform, "open_socket", stale)
    mode = SocketMode(listener.app, APP_TOKEN, platform, watch=0.05, ping=0.2)
    await mode.start()
    await slack.connected()
    await mode.stop()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("invalid_auth", "SLACK_APP_TOKEN"),
        ("missing_scope", "connections:write"),
        ("socket_mode_not_enabled", "switch it on"),
    ],
)
async def test_a_wrong_app_token_is_one_clear_line(
    listener: Listener, platform: SlackPlatform, slack: FakeSlack, code: str, told: str
) -> None:
    slack.fail("apps.connections.open", Fault("refused", code=code))
    with pytest.raises(ConfigError, match=told):
        await SocketMode(listener.app, APP_TOKEN, platform).start()


async def test_it_goes_on_trying_while_slack_cannot_be_reached(
    listener: Listener, platform: SlackPlatform, slack: FakeSlack, caplog: pytest.LogCaptureFixture
) -> None:
    slack.fail("apps.connections.open", Fault("html"), Fault("html"), Fault("reset"))
    mode = SocketMode(listener.app, APP_TOKEN, platform, watch=0.05, ping=0.05)
    await mode.start()
    await slack.connected()
    await mode.stop()
    assert "Traceback" not in caplog.text


# -- what was typed


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("search severity:&gt;=high R&amp;D &lt;b&gt;", "search severity:>=high R&D <b>"),
        ("search severity:>=high R&D <b>", "search severity:>=high R&D <b>"),
        ("&amp;lt;", "&lt;"),
        ("AT&T &copy; q&lt", "AT&T &copy; q&lt"),
        ("show <https://example.org/a?b=1&amp;c=2>", "show https://example.org/a?b=1&c=2"),
        ("search <http://example.org|example.org>", "search example.org"),
        ("search <mailto:a@example.org|a@example.org>", "search a@example.org"),
        ("search <mailto:a@example.org>", "search a@example.org"),
        ("search <@U1|name> <@U2> in <#C1|general> <#C2>", "search @name @U2 in #general #C2"),
        ("search <#C1|> <!here> <!subteam^S1|@team>", "search #C1 @here @team"),
        ("search <x|y>", "search <x|y>"),
        ("<" * 50_000, "<" * 50_000),
        ("", ""),
    ],
    ids=lambda text: repr(text)[:40],
)
def test_slacks_escapes_are_undone(sent: str, typed: str) -> None:
    assert as_typed(sent) == typed
