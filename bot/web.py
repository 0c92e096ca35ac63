"""One web application: Slack's requests where they come over HTTP, health for a supervisor, metrics for monitoring.

It is served by uvicorn inside the running loop; signals stay with whoever started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.errors import ConfigError

log = logging.getLogger(__name__)

HEADERS = {  # unless a page says otherwise
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True, slots=True)
class Health:
    """How Wardwatch is; times are seconds since the last of each, None where there was none yet.

    ``alive`` is whether the scheduler ticks: where it does not, only a restart helps. ``troubles`` are lines for a
    person on what is not well otherwise.
    """

    version: str
    alive: bool
    since_tick: float | None = None
    since_poll: float | None = None
    since_delivery: float | None = None
    troubles: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """``ok``, ``degraded`` or ``dead``."""
        return "dead" if not self.alive else "degraded" if self.troubles else "ok"


class Headers:
    """Sets the headers every answer carries, where it does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sending)


def web_app(
    *,
    health: Callable[[], Awaitable[Health]],
    registry: CollectorRegistry,
    slack: ASGIApp | None = None,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """``GET /health``, ``GET /metrics``, ``POST /slack/events`` where ``slack`` is given, and further ``routes``."""

    async def show_health(_: Request) -> Response:
        try:
            now = await health()
        except Exception as error:  # an unhealthy database must not make the question unanswerable
            log.error("web=health outcome=failed error=%s", type(error).__name__)
            return JSONResponse({"status": "dead", "troubles": [type(error).__name__]}, status_code=503)
        return JSONResponse({"status": now.status, **asdict(now)}, status_code=200 if now.alive else 503)

    async def show_metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    own: list[BaseRoute] = [Route("/health", show_health), Route("/metrics", show_metrics)]
    if slack is not None:
        own.append(Route("/slack/events", slack, methods=["POST"]))
    return Starlette(routes=[*own, *routes], middleware=[Middleware(Headers)])


class Server:
    """A running server; ``port`` is the one it got."""

    def __init__(self, server: uvicorn.Server, running: asyncio.Task[None], port: int) -> None:
        self._server = server
        self._running = running
        self.port = port

    async def stop(self) -> None:
        """Stop listening, and let requests under way finish for two seconds at most."""
        self._server.should_exit = True
        await self._running


class _Uvicorn(uvicorn.Server):
    """uvicorn that leaves signals alone: stopping is the application's own affair."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: ASGIApp, host: str, port: int) -> Server:
    """Serve ``app``; port 0 takes a free one. Raises ConfigError, one clear line, when it cannot listen there."""
    listening = _listen(host, port)
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=500,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=2,
    )
    server = _Uvicorn(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    got = int(listening.getsockname()[1])
    log.info("web=listening host=%s port=%d", host, got)
    return Server(server, running, got)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"port {port} is in use: set PORT to another") from error
        if error.errno == errno.EACCES:
            raise ConfigError(f"port {port} may not be opened by this user: set PORT to one above 1023") from error
        raise ConfigError(f"cannot listen on {host}: {error.strerror}; set WARDWATCH_HOST") from error
