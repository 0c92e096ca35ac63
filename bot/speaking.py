"""Where Wardwatch speaks and listens, by its settings: a terminal, or Slack over Socket Mode or HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
from rich.console import Console
from starlette.types import ASGIApp

from bot.app import TERMINAL, App, Speaking
from bot.chat.slack.app import Listener, Typed
from bot.chat.slack.client import SlackPlatform
from bot.chat.slack.socket import SocketMode
from bot.chat.terminal import TerminalPlatform
from bot.commands import Person, dispatch
from bot.deliver import Limits
from bot.errors import RateLimited, SendError
from bot.message import Reply
from bot.settings import Settings
from bot.store import meta

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0  # seconds between two tries to reach Slack at start
NO_DIGEST = 10_000  # one who reads along wants each card


@dataclass(frozen=True, slots=True)
class Connected:
    """Slack, reached."""

    platform: SlackPlatform
    session: aiohttp.ClientSession


def terminal(console: Console) -> Speaking:
    """Alerts are printed, without pauses between them."""
    limits = Limits(pace=0.0, digest_from=NO_DIGEST)
    return Speaking({"terminal": TerminalPlatform(console)}, TERMINAL, TERMINAL, limits)


@asynccontextmanager
async def connected(settings: Settings, *, patient: bool = True) -> AsyncIterator[tuple[Speaking, Connected]]:
    """Slack, once it can be reached; ConfigError when it refuses us.

    ``patient`` tries until Slack answers; else SendError is raised when it does not.
    """
    assert settings.slack_bot_token is not None
    async with aiohttp.ClientSession(trust_env=True) as session:
        token = settings.slack_bot_token.get_secret_value()
        platform = SlackPlatform(token, session, base_url=settings.slack_api_url)
        alerts, operators = await _reach(platform, settings, patient)
        yield Speaking({"slack": platform}, alerts, operators, prefix="/ward"), Connected(platform, session)


async def _reach(platform: SlackPlatform, settings: Settings, patient: bool) -> tuple[str, str]:
    """The destinations of alerts and of word to the operators, once Slack has told who we are."""
    wait = FIRST_WAIT
    while True:
        try:
            await platform.start()
            alerts = f"slack:{await platform.resolve(settings.channel)}"
            operators = f"slack:{await platform.resolve(settings.operators)}" if settings.operators else alerts
            return alerts, operators
        except SendError as error:
            if not patient:
                raise
            if isinstance(error, RateLimited):
                wait = max(wait, error.retry_after)
            log.error("slack=unreachable error=%s again_in=%.0fs", error, wait)
        await asyncio.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT)


@asynccontextmanager
async def listening(app: App, slack: Connected) -> AsyncIterator[ASGIApp | None]:
    """Answers what is typed in Slack while the block lasts; gives the endpoint to be served in HTTP mode."""
    settings = app.settings
    by_http = settings.mode == "http"
    secret = settings.slack_signing_secret

    async def answer(typed: Typed) -> Reply:
        return await dispatch(typed.text, Person(typed.user), f"slack:{typed.channel}", app.context)

    async def seen_before(key: str) -> bool:
        async with app.store.begin() as conn:
            return await meta.seen_request(conn, key, app.context.clock())

    listener = Listener(
        slack.platform,
        slack.session,
        signing_secret=secret.get_secret_value() if secret and by_http else "",
        answer=answer,
        seen_before=seen_before,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(listener.stop)
        if not by_http:
            assert settings.slack_app_token is not None
            socket = SocketMode(listener.app, settings.slack_app_token.get_secret_value(), slack.platform)
            await socket.start()
            stack.push_async_callback(socket.stop)
        yield listener.endpoint
