"""Listens to Slack: `/ward` and the buttons, over Socket Mode or signed HTTP; acknowledged at once, answered by tasks.

One listener for every verb (listeners cost linearly). The same request acts once, whoever repeats it; another
workspace's requests do not act at all.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.chat.slack.blocks import plain, render
from bot.chat.slack.client import SlackPlatform
from bot.chat.slack.endpoint import Endpoint
from bot.errors import WardwatchError
from bot.message import Message, Reply

log = logging.getLogger(__name__)

_ACTION = re.compile(r"^ward_")
_LINK = re.compile(r"<(?P<address>(?:https?://|mailto:)[^|>]*)(?:\|(?P<label>[^>]*))?>")
_MENTION = re.compile(r"<(?P<kind>[@#!])(?P<id>[^|>]*)(?:\|(?P<label>[^>]*))?>")
ANSWER_LIMIT = 20.0  # seconds for an answer, once acknowledged; Slack takes it for 30 minutes
POST_LIMIT = 10.0  # seconds to hand it over


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person typed or pressed, as Slack tells it."""

    text: str
    channel: str
    user: str


Answer = Callable[[Typed], Awaitable[Reply]]
SeenBefore = Callable[[str], Awaitable[bool]]


class Listener:
    """Bolt's app around one function that answers.

    ``seen_before`` remembers the key of each request for at least ten minutes and says whether it knew it already.
    """

    def __init__(
        self,
        platform: SlackPlatform,
        session: aiohttp.ClientSession,
        *,
        signing_secret: str,
        answer: Answer,
        seen_before: SeenBefore,
        answer_limit: float = ANSWER_LIMIT,
    ) -> None:
        self._platform = platform
        self._session = session
        self._answer = answer
        self._seen_before = seen_before
        self._limit = answer_limit
        self._tasks: set[asyncio.Task[None]] = set()
        self.app = AsyncApp(
            logger=_bolt_log(),
            client=platform.reader,
            authorize=_authorizing(platform),
            request_verification_enabled=False,  # Endpoint has done it, before anything was parsed
            process_before_response=True,  # acknowledges in 0.3 ms instead of 11; the work is in tasks of our own
        )
        self.endpoint = Endpoint(self.app, signing_secret) if signing_secret else None  # an ASGI app; HTTP mode only
        self.app.middleware(self._once)
        self.app.command("/ward")(self._command)
        self.app.action({"type": "block_actions", "action_id": _ACTION})(self._button)

    async def stop(self) -> None:
        """Let answers under way finish, for three seconds at most."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=3)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _once(
        self, req: AsyncBoltRequest, body: dict[str, Any], next: Callable[[], Awaitable[BoltResponse]]
    ) -> BoltResponse:
        """Turn away a request from another workspace, and one that was seen before."""
        if not self._platform.team:
            return BoltResponse(status=200, body="Wardwatch is still starting: try again in a minute.")
        if not self._from_us(req, body):
            log.warning("slack=foreign-workspace team=%.20r ignored=yes", req.context.team_id)
            return BoltResponse(status=200, body="")
        # A signature covers time and body; over Socket Mode there is none, but each trigger_id is given once.
        key = (req.headers.get("x-slack-signature") or [""])[0] or str(body.get("trigger_id", ""))
        try:
            if key and await self._seen_before(key):
                log.warning("slack=repeated-request ignored=yes")
                return BoltResponse(status=200, body="")
        except Exception as error:
            log.error("slack=request outcome=unchecked error=%s", type(error).__name__, exc_info=error)
            return BoltResponse(status=200, body="Wardwatch cannot use its database just now: try again in a minute.")
        return await next()

    def _from_us(self, req: AsyncBoltRequest, body: Mapping[str, Any]) -> bool:
        """Whether the request, and who made it, belong to our workspace, or to our organisation where that is known."""
        if self._platform.enterprise and req.context.enterprise_id == self._platform.enterprise:
            return True
        user = body.get("user")
        person = user.get("team_id") if isinstance(user, dict) else None
        return req.context.team_id == self._platform.team and person in (None, self._platform.team)

    async def _command(self, ack: Callable[[], Awaitable[Any]], command: dict[str, Any]) -> None:
        await ack()
        typed = Typed(as_typed(command.get("text") or ""), command.get("channel_id", ""), command.get("user_id", ""))
        self._start(self._respond(typed, command.get("response_url", ""), replace=False))

    async def _button(self, ack: Callable[[], Awaitable[Any]], body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        verb, value = action["action_id"].split(":")[0].removeprefix("ward_"), action.get("value") or ""
        if verb == "open":
            return
        typed = Typed(
            value if verb == "more" else f"{verb} {value}",
            (body.get("channel") or {}).get("id", ""),
            (body.get("user") or {}).get("id", ""),
        )
        ephemeral = bool((body.get("container") or {}).get("is_ephemeral"))
        self._start(self._respond(typed, body.get("response_url", ""), replace=verb == "more" and ephemeral))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, typed: Typed, response_url: str, *, replace: bool) -> None:
        reply = await self._reply(typed)
        try:
            if not await self._hand_over(response_url, reply, replace=replace, shaped=True):
                await self._hand_over(response_url, reply, replace=replace, shaped=False)
        except Exception as error:  # whatever it is, the next command must still be answered
            log.error("slack=answer outcome=lost error=%s", type(error).__name__)

    async def _reply(self, typed: Typed) -> Reply:
        """The answer, or a word on why there is none: a person never waits for nothing."""
        try:
            async with asyncio.timeout(self._limit):
                return await self._answer(typed)
        except TimeoutError:
            log.error("slack=answer outcome=late limit=%gs", self._limit)
            return Reply("That took too long: narrow the question, for instance with since:30d.", trouble=True)
        except WardwatchError as error:
            log.error("slack=answer outcome=failed error=%s", error)
            return Reply(str(error), trouble=True)
        except Exception as error:
            log.error("slack=answer outcome=failed error=%s", type(error).__name__, exc_info=error)
            return Reply("Wardwatch could not answer that: its log tells the operators why.", trouble=True)

    async def _hand_over(self, response_url: str, reply: Message, *, replace: bool, shaped: bool) -> bool:
        body: dict[str, Any] = {"response_type": "ephemeral", "replace_original": replace}
        if shaped:
            payload = render(reply)
            body |= {"text": payload.text, "blocks": payload.blocks}
        else:
            body |= {"text": plain(reply), "mrkdwn": False}
        async with (
            asyncio.timeout(POST_LIMIT),
            self._session.post(response_url, json=body, allow_redirects=False) as response,
        ):
            if response.status >= 300:
                log.error("slack=answer outcome=refused status=%d shaped=%s", response.status, shaped)
            return response.status < 300


def _authorizing(platform: SlackPlatform) -> Callable[..., Awaitable[AuthorizeResult]]:
    """Bolt asks who we are in the request's workspace; it passes arguments by name and takes no bound method."""

    async def authorize(team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=platform.enterprise or None,
            team_id=platform.team or team_id,
            bot_token=platform.reader.token,
            bot_id=platform.bot_id,
            bot_user_id=platform.bot_user,
        )

    return authorize


def as_typed(text: str) -> str:
    """A command's text as the person typed it.

    Slack escapes ``& < >``, and where the app asks for it wraps what it takes for a link, a person or a channel.
    """
    text = _LINK.sub(lambda found: found["label"] or found["address"].removeprefix("mailto:"), text)
    text = _MENTION.sub(lambda found: "@#"[found["kind"] == "#"] + (found["label"] or found["id"]).lstrip("@#"), text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _bolt_log() -> logging.Logger:
    """Bolt's logger, for errors only: below that it tells whole bodies of requests."""
    bolt = logging.getLogger(f"{__name__}.bolt")
    bolt.setLevel(logging.ERROR)
    return bolt
