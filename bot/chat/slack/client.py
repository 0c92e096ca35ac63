"""Sends to Slack, and asks Slack what became of a message whose answer was lost.

The client that posts carries no retry handler at all: the SDK's default one posts twice when an answer is lost, and
pauses are the deliverer's to keep. The client that only reads may wait out a rate limit by itself.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.chat.slack.blocks import plain, render
from bot.errors import ConfigError, OutcomeUnknown, RateLimited, Refusal, Refused, SendError, Unavailable
from bot.message import Message, Note

log = logging.getLogger(__name__)

EVENT = "wardwatch_delivery"
SCOPES = frozenset({"chat:write", "commands"})  # without these nothing works
HISTORY = frozenset({"channels:history", "groups:history"})  # without these a lost answer cannot be looked up
ANSWERS = {  # what to do about it -> Slack's words for it
    Refusal.AUTH: "invalid_auth not_authed account_inactive token_revoked token_expired missing_scope no_permission "
    "org_login_required team_access_not_granted access_denied",
    Refusal.GONE: "channel_not_found is_archived channel_is_archived",
    Refusal.NOT_A_MEMBER: "not_in_channel restricted_action cannot_post_to_channel",
    Refusal.FORM: "msg_too_long invalid_blocks invalid_blocks_format msg_blocks_too_long no_text "
    "invalid_metadata_format invalid_metadata_schema metadata_too_large markdown_text_conflict",
}
UNCLEAR = ("fatal_error", "internal_error", "service_unavailable", "request_timeout")  # it may have been posted
DEFAULT_PAUSE = 30.0  # seconds, where a 429 names none
CALL_LIMIT = 15  # seconds for one call


class SlackPlatform:
    """Slack as ``deliver`` sees it. Channels are ids (``C…``); a reference is a message's ``ts``."""

    name = "slack"

    def __init__(self, token: str, session: aiohttp.ClientSession, *, base_url: str) -> None:
        base_url = base_url if base_url.endswith("/") else base_url + "/"
        self.writer = AsyncWebClient(token, base_url, CALL_LIMIT, session=session, retry_handlers=[])
        patient = AsyncRateLimitErrorRetryHandler(max_retry_count=3)
        self.reader = AsyncWebClient(token, base_url, CALL_LIMIT, session=session, retry_handlers=[patient])
        self.team = ""
        self.enterprise = ""
        self.bot_id = ""
        self.bot_user = ""
        self.can_ask = True

    async def start(self) -> None:
        """Learn who we are and what we may do. Raises ConfigError when the token is wrong or lacks a scope.

        Raises Unavailable when Slack cannot be reached.
        """
        try:
            answer = await self._call(self.reader.auth_test)
        except Refused as error:
            raise ConfigError(
                f"Slack refuses SLACK_BOT_TOKEN ({error.code}): copy it anew from OAuth & Permissions"
            ) from error
        self.team, self.bot_id = answer.get("team_id", ""), answer.get("bot_id", "")
        self.enterprise, self.bot_user = answer.get("enterprise_id") or "", answer.get("user_id", "")
        granted = _scopes(answer.headers)
        if granted is not None:
            missing = SCOPES - granted
            if missing:
                raise ConfigError(
                    f"the Slack app lacks the scope {' and '.join(sorted(missing))}: add it "
                    "(config/slack-manifest.json lists all) and install the app again"
                )
            self.can_ask = bool(HISTORY & granted)
        if not self.can_ask:
            log.warning("slack=no-history-scope delivery=at-least-once: a lost answer may bring a message twice")

    async def resolve(self, channel: str) -> str:
        """The id of ``#name`` or of an id. Raises ConfigError when no such channel is visible to the app."""
        if not channel.startswith("#"):
            return channel
        async for page in self._pages(
            self.reader.conversations_list, exclude_archived=True, types="public_channel,private_channel", limit=1000
        ):
            for found in page["channels"]:
                if found["name"] == channel[1:]:
                    return str(found["id"])
        raise ConfigError(f"no Slack channel {channel}: create it, or invite the app to it if it is private")

    async def post(self, channel: str, message: Message, *, key: str, thread: str | None) -> str:
        """Post ``message``; the key goes along as metadata, so that ``find`` can see it. Returns its ``ts``."""
        payload = render(message)
        body: dict[str, Any] = {
            "channel": channel,
            "text": payload.text,
            "blocks": payload.blocks,
            "metadata": {"event_type": EVENT, "event_payload": {"key": key}},
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if thread:
            body |= {"thread_ts": thread, "reply_broadcast": isinstance(message, Note) and message.broadcast}
        try:
            answer = await self._call(self.writer.chat_postMessage, **body)
        except Refused as error:
            if error.reason is Refusal.FORM:
                log.warning("slack=form-refused code=%s channel=%s key=%s", error.code, channel, key)
                answer = await self._call(self.writer.chat_postMessage, **_plainly(body, message))
            elif error.reason is Refusal.NOT_A_MEMBER:
                await self._join(channel, error)
                answer = await self._call(self.writer.chat_postMessage, **body)
            else:
                raise
        return str(answer["ts"])

    async def update(self, channel: str, ref: str, message: Message) -> None:
        """Replace the message ``ref``; repeating it does no harm."""
        payload = render(message)
        await self._call(self.writer.chat_update, channel=channel, ts=ref, text=payload.text, blocks=payload.blocks)

    async def find(self, channel: str, key: str, *, since: datetime, thread: str | None) -> str | None:
        """The ``ts`` of our message that carries ``key``, if the channel (or the thread) holds it."""
        oldest = str((since - timedelta(seconds=60)).timestamp())
        call = self.reader.conversations_replies if thread else self.reader.conversations_history
        where: dict[str, Any] = {"ts": thread} if thread else {}
        async for page in self._pages(
            call, channel=channel, oldest=oldest, include_all_metadata=True, limit=100, inclusive=True, **where
        ):
            for message in page.get("messages", []):
                if message.get("metadata", {}).get("event_payload", {}).get("key") == key and self._ours(message):
                    return str(message["ts"])
        return None

    def _ours(self, message: Mapping[str, Any]) -> bool:
        return not self.bot_id or message.get("bot_id", self.bot_id) == self.bot_id

    async def _join(self, channel: str, refused: Refused) -> None:
        try:
            await self._call(self.writer.conversations_join, channel=channel)
        except Refused as error:
            raise Refused(
                f"Wardwatch is not in the channel {channel} and may not join it ({error.code}): invite it with /invite",
                reason=Refusal.NOT_A_MEMBER,
                code=refused.code,
            ) from error

    async def _pages(self, call: Callable[..., Awaitable[Any]], **arguments: Any) -> AsyncIterator[Any]:
        cursor = None
        while True:
            page = await self._call(call, **arguments, **({"cursor": cursor} if cursor else {}))
            yield page
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return

    async def _call(self, call: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
        try:
            return await call(**arguments)
        except SlackApiError as error:
            raise _refusal(error) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unavailable(f"Slack cannot be reached: {type(error).__name__}") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise OutcomeUnknown(f"Slack's answer was lost: {type(error).__name__}") from error


def _scopes(headers: Mapping[str, str]) -> frozenset[str] | None:
    """The scopes Slack says the token has; None where it does not say."""
    listed = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), None)
    return None if listed is None else frozenset(scope.strip() for scope in listed.split(","))


def _plainly(body: dict[str, Any], message: Message) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "blocks"} | {"text": plain(message)}


def _refusal(error: SlackApiError) -> SendError:
    """What Slack's answer means. After a 5xx its body may be HTML, so that nothing but the status can be read."""
    response = error.response
    status = int(getattr(response, "status_code", 0) or 0)
    content = getattr(response, "data", None)
    code = str(content.get("error", "")) if isinstance(content, dict) else ""
    if status == 429 or code in ("ratelimited", "rate_limited"):
        return RateLimited("Slack asks for a pause", retry_after=_retry_after(response.headers))
    if status >= 500 or not code or code in UNCLEAR:
        return OutcomeUnknown(f"Slack gave no clear answer (HTTP {status}{', ' + code if code else ''})")
    reason = next((reason for reason, codes in ANSWERS.items() if code in codes.split()), Refusal.OTHER)
    return Refused(f"Slack refuses: {code}", reason=reason, code=code)


def _retry_after(headers: Mapping[str, str]) -> float:
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(value) if value.isdigit() else DEFAULT_PAUSE
