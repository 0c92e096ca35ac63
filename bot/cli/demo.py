"""``demo``: the spring of 2020 through the same pipeline, from feeds on this machine."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from bot.app import TERMINAL, App, built
from bot.chat.terminal import show, terminal_console
from bot.cli.logs import configure
from bot.commands import Person, dispatch
from bot.demo.stage import DemoStage
from bot.settings import Settings, read_settings
from bot.speaking import terminal

KEPT = Path("var/demo.db")
PAUSE = 1.5  # seconds between two events that somebody watches
QUESTIONS = (
    "search ransomware (hospital* OR nemocnic* OR vård*)",
    "latest threat:espionage",
    "why 1",
    "subscribe vaccin* severity:>=medium",
    "status",
)


class Theatre:
    """The demo's clock: it stands at the event that is being told."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    def clock(self) -> datetime:
        return self.now


def demo(chosen: argparse.Namespace) -> int:
    """Tell the demo; without a terminal, or with --fast, at once."""
    settings, _ = read_settings({}, None)
    settings = settings.model_copy(
        update={"config": Path(os.environ.get("WARDWATCH_CONFIG", "config")), "epss_url": "off"}
    )
    configure(settings, quiet=True)
    console = terminal_console()
    with tempfile.TemporaryDirectory() as folder:
        file = KEPT if chosen.keep else Path(folder, "demo.db")
        if chosen.keep:
            file.unlink(missing_ok=True)
        database = SecretStr(f"sqlite:///{file}")
        pause = 0.0 if chosen.fast or not console.is_terminal else PAUSE
        asyncio.run(_tell(settings.model_copy(update={"database": database}), console, pause))
    if chosen.keep:
        _say(
            console, f"\nKept in {KEPT}. Ask on: WARDWATCH_DATABASE=sqlite:///{KEPT} .venv/bin/python -m bot ask latest"
        )
    return 0


async def _tell(settings: Settings, console: Console, pause: float) -> None:
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(DemoStage(settings.config))
        assert stage.upcoming is not None
        theatre = Theatre(stage.upcoming.at)
        app = await stack.enter_async_context(
            built(settings, terminal(console), sources=stage.sources, clock=theatre.clock)
        )
        _say(
            console,
            f"Spring 2020, as {len(stage.sources)} publishers told it: {stage.events} advisories, not all of them a "
            "hospital's concern. About the others Wardwatch is silent.",
        )
        await _look(app, [source.id for source in stage.sources])
        quiet = 0
        while (event := stage.publish_next()) is not None:
            theatre.now = event.at
            alerts = await _look(app, [stage.source_of(event).id])
            quiet = 0 if alerts else quiet + 1
            _say(
                console,
                "" if alerts else f"[{event.at:%d %b}] {stage.source_of(event).name}: not for a hospital",
                "dim",
            )
            await asyncio.sleep(pause if alerts else pause / 3)
        await _questions(app, console, pause)


async def _look(app: App, names: Sequence[str]) -> int:
    by_id = app.enabled
    polls = [await app.pipeline.poll(by_id[name]) for name in names]
    await app.deliverer.drain()
    return sum(one.alerts for one in polls)


async def _questions(app: App, console: Console, pause: float) -> None:
    """A few questions asked for the reader; then the reader's own, where there is a terminal to type in."""
    _say(console, "\nNow some questions. In Slack they are typed after /ward.", "bold")
    for text in QUESTIONS:
        await asyncio.sleep(pause)
        await _answer(app, console, text)
    if not (console.is_terminal and sys.stdin.isatty()):
        return
    _say(console, "\nYour turn: help, latest, search …, show 3, why 3. An empty line ends the demo.", "bold")
    while text := (await asyncio.to_thread(_typed)).strip():
        await _answer(app, console, text, echo=False)


def _typed() -> str:
    try:
        return input("/ward ")
    except EOFError:
        return ""


async def _answer(app: App, console: Console, text: str, *, echo: bool = True) -> None:
    if echo:
        _say(console, f"\n/ward {text}", "bold cyan")
    show(console, await dispatch(text, Person("you"), TERMINAL, app.context))


def _say(console: Console, text: str, style: str = "") -> None:
    if text:
        console.print(text, style=style, markup=False, highlight=False)
