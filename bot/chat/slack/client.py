"""Sends to Slack, and asks Slack what became of a message whose answer was lost.

The client that posts carries no retry handler at all: the SDK's default one posts twice when an answer is lost, and
pauses are the deliverer's to keep. The client that only reads may wait out a rate limit by itself.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.chat.slack.answers import meaning
from bot.chat.slack.blocks import plain, render
from bot.errors import ConfigError, OutcomeUnknown, Refusal, Refused, Unavailable
from bot.message import Message, Note

log = logging.getLogger(__name__)

EVENT = "wardwatch_delivery"
SCOPES = frozenset({"chat:write", "commands"})  # without these nothing works
HISTORY = frozenset({"channels:history", "groups:history"})  # without these a lost answer cannot be looked up
CALL_LIMIT = 15.0  # seconds for one call that posts
ASK_LIMIT = 120.0  # seconds for one that asks, pauses for a rate limit included
CLOCK_DOUBT = timedelta(hours=26)  # our clock may have stepped by a day between sending and asking
_ID = re.compile(r"[CGDU][A-Z0-9]{5,}")


class SlackPlatform:
    """Slack as ``deliver`` sees it. Channels are ids (``C…``); a reference is a message's ``ts``."""

    name = "slack"

    def __init__(self, token: str, session: aiohttp.ClientSession, *, base_url: str) -> None:
        base_url = base_url if base_url.endswith("/") else base_url + "/"
        patient = AsyncRateLimitErrorRetryHandler(max_retry_count=3)
        self.writer = AsyncWebClient(token, base_url, session=session, logger=_sdk_log(), retry_handlers=[])
        self.reader = AsyncWebClient(token, base_url, session=session, logger=_sdk_log(), retry_handlers=[patient])
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
            answer = await self._read(self.reader.auth_test)
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

    async def open_socket(self, app_token: str) -> str:
        """A fresh address for Socket Mode, good for one connection within seconds."""
        return str((await self._read(self.reader.apps_connections_open, app_token=app_token))["url"])

    async def resolve(self, channel: str) -> str:
        """The id of ``#name``, or of an id. Raises ConfigError when Slack shows the app no such channel."""
        if _ID.fullmatch(channel):
            await self._check(channel)
            return channel
        name = channel.removeprefix("#")
        for kinds in ("public_channel,private_channel", "public_channel"):
            try:
                async for page in self._pages(
                    self.reader.conversations_list, exclude_archived=True, types=kinds, limit=1000
                ):
                    for found in page["channels"]:
                        if found["name"] == name:
                            return str(found["id"])
                break
            except Refused as error:
                if error.code != "missing_scope" or kinds == "public_channel":
                    raise ConfigError(
                        f"Slack does not tell the id of #{name} ({error.code}): set the channel's id (C…) instead"
                    ) from error
        raise ConfigError(f"no Slack channel #{name}: create it, or invite the app to it if it is private")

    async def _check(self, channel: str) -> None:
        if channel[0] not in "CG":
            return
        try:
            info = (await self._read(self.reader.conversations_info, channel=channel))["channel"]
        except Refused as error:
            if error.code == "channel_not_found":
                raise ConfigError(
                    f"Slack knows no channel {channel}: copy its id anew, or invite the app to it if it is private"
                ) from error
            return  # no scope to look: the first message will tell
        if info.get("is_archived"):
            raise ConfigError(f"the Slack channel {channel} (#{info.get('name')}) is archived: choose another")

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
            answer = await self._write(self.writer.chat_postMessage, **body)
        except Refused as error:
            if error.reason is Refusal.FORM:
                log.warning("slack=form-refused code=%s channel=%s key=%s", error.code, channel, key)
                answer = await self._write(self.writer.chat_postMessage, **_plainly(body, message))
            elif error.reason is Refusal.NOT_A_MEMBER:
                await self._join(channel, error)
                answer = await self._write(self.writer.chat_postMessage, **body)
            else:
                raise
        return str(answer["ts"])

    async def update(self, channel: str, ref: str, message: Message) -> None:
        """Replace the message ``ref``; repeating it does no harm."""
        payload = render(message)
        where = {"channel": channel, "ts": ref}
        try:
            await self._write(self.writer.chat_update, **where, text=payload.text, blocks=payload.blocks)
        except Refused as error:
            if error.reason is not Refusal.FORM:
                raise
            log.warning("slack=form-refused code=%s channel=%s ref=%s", error.code, channel, ref)
            await self._write(self.writer.chat_update, **where, text=plain(message), blocks=[])

    async def find(self, channel: str, key: str, *, since: datetime, thread: str | None) -> str | None:
        """The ``ts`` of our message that carries ``key``, if the channel (or the thread) holds it.

        Raises Refused where Slack does not let us look; a scope that is missing for this kind of channel is told as
        ``Refusal.OTHER``, for posting may go on.
        """
        try:
            return await self._find(channel, key, since, thread)
        except Refused as error:
            if error.reason is Refusal.NOT_A_MEMBER:
                await self._join(channel, error)
                return await self._find(channel, key, since, thread)
            if error.code == "missing_scope":
                kind = "the scope channels:history, or groups:history for a private channel, is missing"
                raise Refused(kind, reason=Refusal.OTHER, code=error.code) from error
            raise

    async def _find(self, channel: str, key: str, since: datetime, thread: str | None) -> str | None:
        oldest = f"{(since - CLOCK_DOUBT).timestamp():.6f}"
        call = self.reader.conversations_replies if thread else self.reader.conversations_history
        where: dict[str, Any] = {"ts": thread} if thread else {}
        async for page in self._pages(
            call, channel=channel, oldest=oldest, include_all_metadata=True, limit=200, inclusive=True, **where
        ):
            for message in page.get("messages", []):
                metadata = message.get("metadata") or {}
                if (metadata.get("event_payload") or {}).get("key") == key and self._ours(message):
                    return str(message["ts"])
        return None

    def _ours(self, message: Mapping[str, Any]) -> bool:
        return not self.bot_id or message.get("bot_id", self.bot_id) == self.bot_id

    async def _join(self, channel: str, refused: Refused) -> None:
        try:
            await self._write(self.writer.conversations_join, channel=channel)
        except Refused as error:
            raise Refused(
                f"Wardwatch is not in the channel {channel} and may not join it ({error.code}): invite it with /invite",
                reason=Refusal.NOT_A_MEMBER,
                code=refused.code,
            ) from error

    async def _pages(self, call: Callable[..., Awaitable[Any]], **arguments: Any) -> AsyncIterator[Any]:
        cursor = None
        while True:
            page = await self._read(call, **arguments, **({"cursor": cursor} if cursor else {}))
            yield page
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return

    async def _read(self, call: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
        return await self._call(ASK_LIMIT, call, arguments)

    async def _write(self, call: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
        return await self._call(CALL_LIMIT, call, arguments)

    async def _call(self, seconds: float, call: Callable[..., Awaitable[Any]], arguments: Mapping[str, Any]) -> Any:
        try:
            async with asyncio.timeout(seconds):  # the SDK sets none on a shared session
                return await call(**arguments)
        except SlackApiError as error:
            raise meaning(error) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unavailable(f"Slack cannot be reached: {type(error).__name__}") from error
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise OutcomeUnknown(f"Slack's answer was lost: {type(error).__name__}") from error


def _scopes(headers: Mapping[str, str]) -> frozenset[str] | None:
    """The scopes Slack says the token has; None where it does not say."""
    listed = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), None)
    return None if listed is None else frozenset(scope.strip() for scope in listed.split(","))


def _plainly(body: dict[str, Any], message: Message) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "blocks"} | {"text": plain(message), "mrkdwn": False}


def _sdk_log() -> logging.Logger:
    """The SDK's logger, for errors only: below that it tells whole messages and answers."""
    sdk = logging.getLogger(f"{__name__}.sdk")
    sdk.setLevel(logging.ERROR)
    return sdk
