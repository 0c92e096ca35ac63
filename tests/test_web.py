"""Health, metrics and the endpoint for Slack, over a real socket."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.errors import ConfigError
from bot.web import Health, Server, serve, web_app


class Doctor:
    """Answers how things are, or fails to."""

    def __init__(self) -> None:
        self.health = Health("1.2.3", alive=True, since_tick=0.5, since_poll=60.0)
        self.trouble: Exception | None = None

    async def __call__(self) -> Health:
        if self.trouble:
            raise self.trouble
        return self.health


@pytest.fixture
async def doctor() -> Doctor:
    return Doctor()


@pytest.fixture
async def registry() -> CollectorRegistry:
    return CollectorRegistry()


async def _page(_: Request) -> Response:
    return PlainTextResponse("a page", headers={"content-security-policy": "default-src 'self'"})


async def _slow(_: Request) -> Response:
    await asyncio.sleep(0.3)
    return PlainTextResponse("done")


@pytest.fixture
async def server(doctor: Doctor, registry: CollectorRegistry) -> AsyncIterator[Server]:
    app = web_app(health=doctor, registry=registry, routes=[Route("/page", _page), Route("/slow", _slow)])
    server = await serve(app, "127.0.0.1", 0)
    yield server
    await server.stop()


@pytest.fixture
async def session(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield session


async def test_health_tells_version_and_ages(session: aiohttp.ClientSession) -> None:
    async with session.get("/health") as response:
        assert response.status == 200
        assert await response.json() == {
            "status": "ok",
            "version": "1.2.3",
            "alive": True,
            "since_tick": 0.5,
            "since_poll": 60.0,
            "since_delivery": None,
            "troubles": [],
        }


async def test_troubles_are_told_but_need_no_restart(session: aiohttp.ClientSession, doctor: Doctor) -> None:
    doctor.health = Health("1", alive=True, troubles=("3 sources fail",))
    async with session.get("/health") as response:
        assert (response.status, (await response.json())["status"]) == (200, "degraded")


@pytest.mark.parametrize("trouble", [None, ZeroDivisionError("secret")], ids=["scheduler", "question"])
async def test_what_needs_a_restart_is_503(
    session: aiohttp.ClientSession, doctor: Doctor, trouble: Exception | None
) -> None:
    doctor.health, doctor.trouble = Health("1", alive=False), trouble
    async with session.get("/health") as response:
        body = await response.text()
        assert (response.status, json.loads(body)["status"]) == (503, "dead")
        assert "secret" not in body


async def test_metrics_are_those_given(session: aiohttp.ClientSession, registry: CollectorRegistry) -> None:
    Counter("wardwatch_alerts", "Alerts sent", registry=registry).inc(3)
    async with session.get("/metrics") as response:
        assert response.content_type == "text/plain"
        assert "wardwatch_alerts_total 3.0" in await response.text()


async def test_every_answer_carries_the_headers_and_no_banner(session: aiohttp.ClientSession) -> None:
    for path in ("/health", "/metrics", "/nowhere"):
        async with session.get(path) as response:
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["content-security-policy"].startswith("default-src 'none'")
            assert "server" not in response.headers
    async with session.get("/page") as response:
        assert response.headers["content-security-policy"] == "default-src 'self'"


async def test_without_slack_there_is_no_endpoint_for_it(session: aiohttp.ClientSession) -> None:
    async with session.post("/slack/events", data=b"x") as response:
        assert response.status == 404


async def test_a_port_in_use_is_one_clear_line(server: Server, doctor: Doctor, registry: CollectorRegistry) -> None:
    with pytest.raises(ConfigError) as caught:
        await serve(web_app(health=doctor, registry=registry), "127.0.0.1", server.port)
    assert str(caught.value) == f"port {server.port} is in use: set PORT to another"


async def test_a_foreign_address_is_one_clear_line(doctor: Doctor, registry: CollectorRegistry) -> None:
    with pytest.raises(ConfigError, match="WARDWATCH_HOST"):
        await serve(web_app(health=doctor, registry=registry), "203.0.113.7", 0)


async def test_it_leaves_signals_alone(doctor: Doctor, registry: CollectorRegistry) -> None:
    before = signal.getsignal(signal.SIGTERM)
    server = await serve(web_app(health=doctor, registry=registry), "127.0.0.1", 0)
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{server.port}/health"):
        assert signal.getsignal(signal.SIGTERM) is before
    await server.stop()


async def test_stopping_finishes_what_is_under_way(doctor: Doctor, registry: CollectorRegistry) -> None:
    server = await serve(web_app(health=doctor, registry=registry, routes=[Route("/slow", _slow)]), "127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        answer = asyncio.ensure_future(session.get(f"http://127.0.0.1:{server.port}/slow"))
        async with session.get(f"http://127.0.0.1:{server.port}/health"):
            pass
        await server.stop()
        assert await (await answer).text() == "done"
    socket.create_server(("127.0.0.1", server.port)).close()


async def test_stopping_at_once_is_fine(doctor: Doctor, registry: CollectorRegistry) -> None:
    server = await serve(web_app(health=doctor, registry=registry), "127.0.0.1", 0)
    await asyncio.wait_for(server.stop(), 2)
