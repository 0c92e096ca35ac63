"""SlackPlatform against Slack's stand-in: what it sends, what it makes of each fault, what it finds again."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from bot.chat.slack import client
from bot.chat.slack.client import SlackPlatform
from bot.errors import ConfigError, OutcomeUnknown, RateLimited, Refusal, Refused, SendError, Unavailable
from bot.message import Message
from tests.chat.slack.examples import CARD, MESSAGES, NOTE
from tests.fake_slack import SCOPES, TOKEN, FakeSlack, Fault

CHANNEL = "C0ALERTS"


async def post(platform: SlackPlatform, key: str = "k1", thread: str | None = None, message: Message = CARD) -> str:
    return await platform.post(CHANNEL, message, key=key, thread=thread)


def now() -> datetime:
    return datetime.now(UTC)


# -- sending


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
async def test_every_kind_of_message_is_taken(platform: SlackPlatform, slack: FakeSlack, message: Message) -> None:
    ref = await post(platform, message=message)
    assert [one["ts"] for one in slack.messages()] == [ref]


async def test_a_message_neither_unfurls_nor_pings(platform: SlackPlatform, slack: FakeSlack) -> None:
    await post(platform)
    sent = slack.calls[-1][1]
    assert (sent["unfurl_links"], sent["unfurl_media"]) == (False, False)
    assert "link_names" not in sent


async def test_a_broadcast_note_stands_in_thread_and_channel(platform: SlackPlatform, slack: FakeSlack) -> None:
    parent = await post(platform)
    await post(platform, "k2", parent, NOTE)
    assert slack.messages()[1]["thread_ts"] == parent
    assert slack.messages()[1]["subtype"] == "thread_broadcast"


async def test_an_update_replaces_the_card(platform: SlackPlatform, slack: FakeSlack) -> None:
    ref = await post(platform)
    await platform.update(CHANNEL, ref, MESSAGES["revised card"])
    await platform.update(CHANNEL, ref, MESSAGES["revised card"])
    (message,) = slack.messages()
    assert "severity medium" in str(message["blocks"])


@pytest.mark.parametrize(
    ("fault", "kind", "stored"),
    [
        (Fault("limited", seconds=7), RateLimited, 0),
        (Fault("html", status=500), OutcomeUnknown, 0),
        (Fault("html", status=503), OutcomeUnknown, 0),
        (Fault("html", status=407), Unavailable, 0),
        (Fault("reset"), OutcomeUnknown, 0),
        (Fault("lost"), OutcomeUnknown, 1),
        (Fault("refused", code="internal_error"), OutcomeUnknown, 0),
        (Fault("refused", code="request_timeout"), Unavailable, 0),
        (Fault("refused", code="message_limit_exceeded"), RateLimited, 0),
    ],
    ids=str,
)
async def test_each_fault_says_whether_to_try_again(
    platform: SlackPlatform, slack: FakeSlack, fault: Fault, kind: type[SendError], stored: int
) -> None:
    slack.fail("chat.postMessage", fault)
    with pytest.raises(kind):
        await post(platform)
    assert len(slack.messages()) == stored
    assert len(slack.calls) == 1, "it tried again by itself"


async def test_a_pause_names_its_seconds(platform: SlackPlatform, slack: FakeSlack) -> None:
    slack.fail("chat.postMessage", Fault("limited", seconds=7))
    with pytest.raises(RateLimited) as caught:
        await post(platform)
    assert (caught.value.retry_after, caught.value.everywhere) == (7, False)
    slack.fail("chat.postMessage", Fault("refused", code="message_limit_exceeded"))
    with pytest.raises(RateLimited) as caught:
        await post(platform)
    assert caught.value.everywhere


async def test_silence_becomes_an_unknown_outcome(
    platform: SlackPlatform, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CALL_LIMIT", 0.1)
    slack.fail("chat.postMessage", Fault("hang", seconds=1))
    with pytest.raises(OutcomeUnknown):
        await asyncio.wait_for(post(platform), 0.9)


async def test_nobody_listening_is_certainly_not_delivered(session: aiohttp.ClientSession) -> None:
    async with FakeSlack() as gone:
        address = gone.url
    with pytest.raises(Unavailable):
        await post(SlackPlatform(TOKEN, session, base_url=address))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("invalid_auth", Refusal.AUTH),
        ("token_revoked", Refusal.AUTH),
        ("missing_scope", Refusal.AUTH),
        ("channel_not_found", Refusal.GONE),
        ("is_archived", Refusal.GONE),
        ("restricted_action_read_only_channel", Refusal.GONE),
        ("something_new", Refusal.OTHER),
    ],
)
async def test_each_refusal_has_its_reason(
    platform: SlackPlatform, slack: FakeSlack, code: str, reason: Refusal
) -> None:
    slack.fail("chat.postMessage", Fault("refused", code=code))
    with pytest.raises(Refused) as caught:
        await post(platform)
    assert (caught.value.reason, caught.value.code) == (reason, code)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_too_long", "msg_blocks_too_long", "invalid_blocks_format"])
async def test_a_refused_form_is_sent_plain_and_still_found(
    platform: SlackPlatform, slack: FakeSlack, code: str
) -> None:
    slack.fail("chat.postMessage", Fault("refused", code=code))
    ref = await post(platform)
    (message,) = slack.messages()
    assert "blocks" not in message
    assert CARD.headline in message["text"]
    assert message["mrkdwn"] is False
    assert await platform.find(CHANNEL, "k1", since=now(), thread=None) == ref


async def test_a_refused_update_is_made_plain(platform: SlackPlatform, slack: FakeSlack) -> None:
    ref = await post(platform)
    slack.fail("chat.update", Fault("refused", code="invalid_blocks"))
    await platform.update(CHANNEL, ref, CARD)
    assert slack.messages()[0]["blocks"] == []
    assert CARD.url in slack.messages()[0]["text"]


async def test_it_joins_an_open_channel_by_itself(platform: SlackPlatform, slack: FakeSlack) -> None:
    slack.channels[CHANNEL].member = False
    await post(platform)
    assert len(slack.messages()) == 1


async def test_where_it_may_not_join_it_asks_to_be_invited(platform: SlackPlatform, slack: FakeSlack) -> None:
    slack.channels[CHANNEL].member = False
    slack.scopes = SCOPES.replace(",channels:join", "")
    with pytest.raises(Refused, match="invite it with /invite") as caught:
        await post(platform)
    assert caught.value.reason is Refusal.NOT_A_MEMBER


# -- asking


async def test_a_lost_answer_is_found_again(platform: SlackPlatform, slack: FakeSlack) -> None:
    slack.fail("chat.postMessage", Fault("lost"))
    with pytest.raises(OutcomeUnknown):
        await post(platform, "lost one")
    for n in range(450):  # three pages
        slack._post(slack.channels[CHANNEL], {"channel": CHANNEL, "text": f"chatter {n}"})
    assert await platform.find(CHANNEL, "lost one", since=now(), thread=None) == slack.messages()[0]["ts"]
    assert await platform.find(CHANNEL, "never sent", since=now(), thread=None) is None


async def test_a_lost_answer_is_found_in_its_thread(platform: SlackPlatform, slack: FakeSlack) -> None:
    parent = await post(platform, "parent")
    slack.fail("chat.postMessage", Fault("lost"))
    with pytest.raises(OutcomeUnknown):
        await post(platform, "child", parent, MESSAGES["mistyped"])
    assert await platform.find(CHANNEL, "child", since=now(), thread=parent) == slack.messages()[1]["ts"]
    assert await platform.find(CHANNEL, "child", since=now(), thread=None) is None


async def test_a_clock_a_day_ahead_hides_nothing(platform: SlackPlatform, slack: FakeSlack) -> None:
    ref = await post(platform)
    assert await platform.find(CHANNEL, "k1", since=now() + timedelta(days=1), thread=None) == ref


async def test_another_apps_message_with_our_key_is_not_ours(platform: SlackPlatform, slack: FakeSlack) -> None:
    await platform.start()
    await post(platform)
    slack.messages()[0]["bot_id"] = "B0OTHER"
    assert await platform.find(CHANNEL, "k1", since=now(), thread=None) is None


async def test_a_channel_that_may_not_be_read_is_no_matter_of_the_token(
    platform: SlackPlatform, slack: FakeSlack
) -> None:
    slack.scopes = SCOPES.replace(",groups:history", "")
    private = slack.add_channel("C0PRIVATE", "board", private=True)
    await platform.post(private.id, CARD, key="k9", thread=None)
    with pytest.raises(Refused, match="groups:history") as caught:
        await platform.find(private.id, "k9", since=now(), thread=None)
    assert caught.value.reason is Refusal.OTHER


async def test_it_joins_again_to_ask(platform: SlackPlatform, slack: FakeSlack) -> None:
    ref = await post(platform)
    slack.channels[CHANNEL].member = False
    assert await platform.find(CHANNEL, "k1", since=now(), thread=None) == ref


async def test_asking_waits_out_a_rate_limit(platform: SlackPlatform, slack: FakeSlack) -> None:
    ref = await post(platform)
    slack.fail("conversations.history", Fault("limited", seconds=0))
    assert await platform.find(CHANNEL, "k1", since=now(), thread=None) == ref


# -- starting


async def test_it_learns_who_it_is(platform: SlackPlatform) -> None:
    await platform.start()
    assert (platform.team, platform.bot_id, platform.can_ask) == ("T0WARD", "B0WARD", True)


async def test_without_history_it_says_that_it_cannot_ask(
    platform: SlackPlatform, slack: FakeSlack, caplog: pytest.LogCaptureFixture
) -> None:
    slack.scopes = "commands,chat:write,channels:read"
    await platform.start()
    assert not platform.can_ask
    assert "at-least-once" in caplog.text


async def test_a_missing_scope_is_one_clear_line(platform: SlackPlatform, slack: FakeSlack) -> None:
    slack.scopes = "channels:read"
    with pytest.raises(ConfigError) as caught:
        await platform.start()
    assert "chat:write and commands" in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_wrong_token_is_one_clear_line(slack: FakeSlack, session: aiohttp.ClientSession) -> None:
    with pytest.raises(ConfigError, match="SLACK_BOT_TOKEN") as caught:
        await SlackPlatform("xoxb-canary", session, base_url=slack.url).start()
    assert "canary" not in str(caught.value)


async def test_a_channel_is_found_by_name_and_by_id(platform: SlackPlatform, slack: FakeSlack) -> None:
    for n in range(2500):
        slack.add_channel(f"C9{n:05}", f"other-{n}")
    slack.add_channel("C0LAST", "on-call")
    slack.add_channel("C0BOARD", "board", private=True)
    assert await platform.resolve("#on-call") == "C0LAST"
    assert await platform.resolve("on-call") == "C0LAST"
    assert await platform.resolve("#board") == "C0BOARD"
    assert await platform.resolve(CHANNEL) == CHANNEL


async def test_a_channel_that_is_not_there_is_one_clear_line(platform: SlackPlatform, slack: FakeSlack) -> None:
    slack.add_channel("C0OLDER", "older", archived=True)
    with pytest.raises(ConfigError, match="#nowhere: create it"):
        await platform.resolve("#nowhere")
    with pytest.raises(ConfigError, match="C0NOWHERE: copy its id anew"):
        await platform.resolve("C0NOWHERE")
    with pytest.raises(ConfigError, match="archived: choose another"):
        await platform.resolve("C0OLDER")


async def test_names_are_found_with_the_public_scope_alone(platform: SlackPlatform, slack: FakeSlack) -> None:
    slack.scopes = "commands,chat:write,channels:read"
    assert await platform.resolve("#security-alerts") == CHANNEL
    slack.scopes = "commands,chat:write"
    with pytest.raises(ConfigError, match="set the channel's id"):
        await platform.resolve("#security-alerts")


async def test_the_sdk_tells_no_secret_even_when_debugging(
    platform: SlackPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await platform.start()
    await post(platform)
    assert TOKEN not in caplog.text
    assert CARD.headline not in caplog.text
