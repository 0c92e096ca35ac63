"""``run``, ``poll`` and ``ask``: Wardwatch at work."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from starlette.types import ASGIApp

from bot import VERSION
from bot.app import TERMINAL, App, Speaking, built
from bot.chat.terminal import show, terminal_console
from bot.cli.logs import configure
from bot.commands import Person, dispatch
from bot.errors import ConfigError
from bot.model import Source
from bot.runner import Runner
from bot.settings import Settings, read_settings
from bot.speaking import Connected, connected, listening, terminal
from bot.store.polls import Poll
from bot.web import serve, web_app
from bot.yamlfile import nearest

DEFAULT_PORT = 3000  # of HTTP mode, where PORT is not set

Say = Callable[[str], None]


def run(_chosen: argparse.Namespace) -> int:
    """Start, and keep running until told to stop."""
    settings, _ = read_settings(os.environ)
    configure(settings)
    asyncio.run(_run(settings, terminal_console()))
    return 0


async def _run(settings: Settings, console: Console) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    working = asyncio.create_task(_work(settings, console, stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not working.done() and not stop.is_set():
        stop.set()
    stopping.cancel()
    await working


async def _work(settings: Settings, console: Console, stop: asyncio.Event) -> None:
    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    async with AsyncExitStack() as stack:
        speaking, slack = await stack.enter_async_context(speaks(settings, console))
        app = await stack.enter_async_context(built(settings, speaking))
        say(f"Wardwatch {VERSION} watches {len(app.enabled)} sources; {_where(settings)}. Ctrl-C stops it.")
        runner = Runner(app, first_round=lambda tried, answered: say(_first_round(tried, answered)))
        await stack.enter_async_context(runner.running())
        endpoint = await stack.enter_async_context(listening(app, slack)) if slack else None
        await stack.enter_async_context(_served(settings, runner, endpoint))
        await stop.wait()


@asynccontextmanager
async def speaks(settings: Settings, console: Console) -> AsyncIterator[tuple[Speaking, Connected | None]]:
    """The terminal, or Slack once it is reached."""
    if settings.mode == "terminal":
        yield terminal(console), None
        return
    async with connected(settings) as (speaking, slack):
        yield speaking, slack


@asynccontextmanager
async def _served(settings: Settings, runner: Runner, endpoint: ASGIApp | None) -> AsyncIterator[None]:
    """The web endpoints, where Slack needs them or PORT asks for them."""
    if endpoint is None and settings.port is None:
        yield
        return
    web = web_app(health=runner.health, registry=runner.metrics.registry, slack=endpoint)
    server = await serve(web, settings.host, DEFAULT_PORT if settings.port is None else settings.port)
    try:
        yield
    finally:
        await server.stop()


def _where(settings: Settings) -> str:
    if settings.mode == "terminal":
        return "alerts appear here (set SLACK_BOT_TOKEN to post to Slack)"
    return f"alerts go to Slack's channel {settings.channel}"


def _first_round(tried: int, answered: int) -> str:
    if not answered:
        return (
            f"No source can be reached ({tried} tried): check the network and its proxy settings. `make demo` shows "
            "Wardwatch without internet. It keeps trying."
        )
    return (
        f"First look done: {answered} of {tried} sources answered. What they hold now is the baseline; what comes new "
        "is judged, and alerts follow."
    )


def poll(chosen: argparse.Namespace) -> int:
    """Poll the named sources once; 1 when one of them failed."""
    settings, _ = read_settings(os.environ)
    configure(settings, quiet=True)
    polls = asyncio.run(_poll_once(settings, chosen.SOURCE, terminal_console(sys.stderr if chosen.json else None)))
    if chosen.json:
        for one in polls:
            print(json.dumps(asdict(one), default=str))
    else:
        _print_polls(terminal_console(), polls)
    return 1 if any(one.status == "failed" for one in polls) else 0


async def _poll_once(settings: Settings, names: Sequence[str], console: Console) -> list[Poll]:
    async with AsyncExitStack() as stack:
        speaking, _ = await stack.enter_async_context(speaks(settings, console))
        app = await stack.enter_async_context(built(settings, speaking))
        chosen = _chosen(app, names)
        polls = await asyncio.gather(*(app.pipeline.poll(source) for source in chosen))
        await app.deliverer.recover()
        await app.deliverer.drain()
        return sorted(polls, key=lambda one: [source.id for source in chosen].index(one.source))


def _chosen(app: App, names: Sequence[str]) -> list[Source]:
    by_id = {source.id: source for source in app.sources}
    for name in names:
        if name not in by_id:
            raise ConfigError(f"no source {name!r}{nearest(name, by_id)}; `python -m bot ask sources` lists them")
    return [by_id[name] for name in names] or list(app.enabled.values())


def _print_polls(console: Console, polls: Sequence[Poll]) -> None:
    table = Table(
        "source", "status", "entries", "new", "revised", "alerts", "seconds", "note", box=None, pad_edge=False
    )
    for one in polls:
        numbers = (str(number) for number in (one.entries, one.new, one.revised, one.alerts))
        table.add_row(one.source, one.status, *numbers, f"{one.seconds:.2f}", one.note)
    console.print(table)
    answered = sum(one.status != "failed" for one in polls)
    if polls and not answered:
        console.print(_first_round(len(polls), 0).removesuffix(" It keeps trying."), markup=False, soft_wrap=True)


def ask(chosen: argparse.Namespace) -> int:
    """Answer one command as ``/ward`` would; 1 when it was mistyped."""
    settings, _ = read_settings(os.environ)
    configure(settings, quiet=True)
    console = terminal_console()
    return asyncio.run(_ask(settings, " ".join(chosen.WORDS), console))


async def _ask(settings: Settings, text: str, console: Console) -> int:
    async with built(settings, terminal(console)) as app:
        reply = await dispatch(text, Person("terminal"), TERMINAL, app.context)
    show(console, reply)
    return 1 if reply.trouble else 0
