"""``run``, ``poll`` and ``ask``: Wardwatch at work."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from starlette.types import ASGIApp

from bot import VERSION
from bot.app import TERMINAL, Speaking, built
from bot.chat.terminal import show, terminal_console
from bot.cli.logs import configure
from bot.commands import Person, dispatch
from bot.errors import ConfigError
from bot.model import Source
from bot.runner import Runner
from bot.settings import Settings, load_sources, read_settings
from bot.speaking import Connected, connected, listening, terminal
from bot.store.polls import Poll
from bot.text import visible
from bot.web import serve, web_app
from bot.yamlfile import nearest

log = logging.getLogger(__name__)

DEFAULT_PORT = 3000  # of HTTP mode, where PORT is not set
LAST_RESORT = 4.8  # seconds from the signal to the end, whatever hangs


def run(_chosen: argparse.Namespace) -> int:
    """Start, and keep running until told to stop."""
    settings, _ = read_settings(os.environ)
    configure(settings)
    asyncio.run(_run(settings, terminal_console()))
    return 0


async def _run(settings: Settings, console: Console) -> None:
    """Work until a signal comes, wherever the work stands, even while Slack is still being looked for."""
    loop = asyncio.get_running_loop()
    working = asyncio.create_task(_work(settings, console))
    told_to_stop = False

    def stop() -> None:
        nonlocal told_to_stop
        told_to_stop = True
        working.cancel()
        # Something may hang that cannot be cancelled, such as the look-up of a name. All that is done is committed.
        last_resort = threading.Timer(LAST_RESORT, os._exit, (0,))
        last_resort.daemon = True
        last_resort.start()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    await asyncio.wait((working,))
    if not (told_to_stop and working.cancelled()):
        working.result()


async def _work(settings: Settings, console: Console) -> None:
    """Everything at work until cancelled. What is wrong with the settings shows before anything is sent."""

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    async with AsyncExitStack() as stack:
        speaking, slack = await stack.enter_async_context(speaks(settings, console))
        app = await stack.enter_async_context(built(settings, speaking))
        stack.enter_context(app.store.alone())
        runner = Runner(app, first_round=lambda tried, answered: say(_first_round(tried, answered)))
        parts = await stack.enter_async_context(_ended_together())
        endpoint = await parts(listening(app, slack)) if slack else None
        await parts(_served(settings, runner, endpoint))
        await parts(runner.running())
        say(f"Wardwatch {VERSION} watches {len(app.enabled)} sources; {_where(settings)}. Ctrl-C stops it.")
        await asyncio.Event().wait()


@asynccontextmanager
async def _ended_together() -> AsyncIterator[Callable[[AbstractAsyncContextManager[Any]], Awaitable[Any]]]:
    """Parts that are begun one after the other, and ended all at once: each may need seconds to finish its work."""
    stacks: list[AsyncExitStack] = []

    async def begin(part: AbstractAsyncContextManager[Any]) -> Any:
        stack = AsyncExitStack()
        begun = await stack.enter_async_context(part)
        stacks.append(stack)
        return begun

    try:
        yield begin
    finally:
        ends = await asyncio.gather(*(stack.aclose() for stack in stacks), return_exceptions=True)
        for error in ends:
            if isinstance(error, Exception):
                log.error("stop outcome=unclean error=%s", error)


@asynccontextmanager
async def speaks(
    settings: Settings, console: Console, *, patient: bool = True
) -> AsyncIterator[tuple[Speaking, Connected | None]]:
    """The terminal, or Slack once it is reached; ``patient`` waits until it can be."""
    if settings.mode == "terminal":
        yield terminal(console), None
        return
    async with connected(settings, patient=patient) as (speaking, slack):
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
        f"First look done: {answered} of {tried} sources answered. What a source held when it was first met is its "
        "baseline; what comes new is judged, and alerts follow."
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
    listed = load_sources(settings.config)
    chosen = _chosen(listed, names)
    async with AsyncExitStack() as stack:
        speaking, _ = await stack.enter_async_context(speaks(settings, console, patient=False))
        app = await stack.enter_async_context(built(settings, speaking, sources=listed))
        polls = await asyncio.gather(*map(app.pipeline.poll, chosen))
        await app.deliverer.drain()  # Wardwatch may be running: what it is sending just now stays its own
        return polls


def _chosen(listed: Sequence[Source], names: Sequence[str]) -> list[Source]:
    by_id = {source.id: source for source in listed}
    for name in names:
        if name not in by_id:
            raise ConfigError(f"no source {name!r}{nearest(name, by_id)}; `python -m bot ask sources` lists them")
    return [by_id[name] for name in dict.fromkeys(names)] or [source for source in listed if source.enabled]


def _print_polls(console: Console, polls: Sequence[Poll]) -> None:
    table = Table(
        "source", "status", "entries", "new", "revised", "alerts", "seconds", "note", box=None, pad_edge=False
    )
    for one in polls:
        numbers = (str(number) for number in (one.entries, one.new, one.revised, one.alerts))
        table.add_row(one.source, one.status, *numbers, f"{one.seconds:.2f}", Text(visible(one.note)))
    console.print(table)
    answered = sum(one.status != "failed" for one in polls)
    if polls and not answered:
        console.print(_first_round(len(polls), 0).removesuffix(" It keeps trying."), markup=False, soft_wrap=True)


def ask(chosen: argparse.Namespace) -> int:
    """Answer one command as ``/ward`` would; 1 when it was mistyped."""
    settings, _ = read_settings(os.environ)
    configure(settings, quiet=True)
    text = " ".join(chosen.WORDS)
    verb = text.partition(" ")[0].lower()
    if settings.mode != "terminal" and verb in ("subscribe", "unsubscribe"):
        raise ConfigError(f"alerts go to Slack, not to this terminal: type /ward {verb} in the channel itself")
    return asyncio.run(_ask(settings, text, terminal_console()))


async def _ask(settings: Settings, text: str, console: Console) -> int:
    async with built(settings, terminal(console)) as app:
        reply = await dispatch(text, Person("terminal"), TERMINAL, app.context)
    show(console, reply)
    return 1 if reply.trouble else 0
