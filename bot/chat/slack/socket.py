"""Socket Mode: Slack's requests over a WebSocket that Wardwatch opens, so that no public address is needed."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient

from bot.chat.slack.client import SlackPlatform
from bot.errors import ConfigError, Refusal, Refused, SendError

log = logging.getLogger(__name__)

WATCH = 15.0  # seconds between looks at the connection


class SocketMode:
    """Keeps one connection to Slack open, for ever. Start it inside the running loop."""

    def __init__(
        self, app: AsyncApp, app_token: str, platform: SlackPlatform, *, watch: float = WATCH, ping: float = 5.0
    ) -> None:
        self._app = app
        self._token = app_token
        self._platform = platform
        self._watch_every = watch
        self._ping = ping
        self._adapter: AsyncSocketModeHandler | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._connecting: asyncio.Future[Any] | None = None
        self.connected = False

    async def start(self) -> None:
        """Begin to connect, and go on trying. Raises ConfigError when Slack refuses the app-level token."""
        address = None
        try:
            address = await self._platform.open_socket(self._token)
        except Refused as error:
            raise _trouble(error) from error
        except SendError as error:
            log.warning("slack=socket outcome=unreachable error=%s", error)
        self._adapter = AsyncSocketModeHandler(
            self._app, self._token, logger=quiet(), web_client=self._platform.reader, ping_interval=self._ping
        )
        self._adapter.client.wss_uri = address
        self._connecting = asyncio.ensure_future(self._adapter.client.connect())  # type: ignore[no-untyped-call]
        self._watcher = asyncio.create_task(self._watch(self._adapter.client))

    async def stop(self) -> None:
        """Close the connection."""
        tasks: list[asyncio.Future[Any] | None] = [self._watcher, self._connecting]
        if self._adapter is not None:
            client = self._adapter.client
            tasks += [client.message_processor, client.current_session_monitor, client.message_receiver]
            await client.close()  # type: ignore[no-untyped-call]
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self.connected = False

    async def _watch(self, client: SocketModeClient) -> None:
        """Tell when the connection comes and goes; give a failing one a fresh address.

        The SDK tries the same address again and again, though each is good for one connection within seconds.
        """
        while True:
            connected = await client.is_connected()
            if connected != self.connected:
                log.log(logging.INFO if connected else logging.WARNING, "slack=socket connected=%s", connected)
            self.connected = connected
            if not connected:
                client.wss_uri = None
            await asyncio.sleep(self._watch_every if connected else min(1.0, self._watch_every))


def quiet() -> logging.Logger:
    """A logger for the SDK that says nothing: its lines hold connection addresses, bodies and tracebacks."""
    silent = logging.getLogger(f"{__name__}.sdk")
    silent.setLevel(logging.CRITICAL + 1)
    return silent


def _trouble(error: Refused) -> ConfigError:
    if error.code == "missing_scope":
        return ConfigError("SLACK_APP_TOKEN lacks the scope connections:write: create a new app-level token with it")
    if error.reason is Refusal.AUTH or error.code == "not_allowed_token_type":
        return ConfigError(
            f"Slack refuses SLACK_APP_TOKEN ({error.code}): copy it anew from Basic Information > App-Level Tokens"
        )
    return ConfigError(f"Slack refuses Socket Mode ({error.code}): switch it on in the app's settings")
