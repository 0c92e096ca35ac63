"""Sends to a terminal: what is printed is delivered."""

from __future__ import annotations

import io
import itertools
import sys
from datetime import datetime
from typing import TextIO

from rich.console import Console

from bot.chat.terminal.show import show
from bot.errors import Unavailable
from bot.message import Message


def terminal_console(file: TextIO | None = None) -> Console:
    """A console that never fails for a character its encoding lacks; without a terminal: no colours, 80 columns."""
    file = file or sys.stdout
    if isinstance(file, io.TextIOWrapper):
        file.reconfigure(errors="replace")
    return Console(file=file, highlight=False, soft_wrap=False, width=None if file.isatty() else 80)


class TerminalPlatform:
    """A terminal as ``deliver`` sees it. There is one channel, and nothing can be asked or changed afterwards."""

    name = "terminal"
    can_ask = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed = itertools.count(1)

    async def post(self, channel: str, message: Message, *, key: str, thread: str | None) -> str:
        """Print ``message``; its number. Raises Unavailable when the terminal is gone."""
        try:
            show(self._console, message, reply=thread is not None)
        except (OSError, ValueError) as error:
            raise Unavailable(f"the terminal is gone: {error}") from error
        return str(next(self._printed))

    async def update(self, channel: str, ref: str, message: Message) -> None:
        """What was printed stays."""

    async def find(self, channel: str, key: str, *, since: datetime, thread: str | None) -> str | None:
        """Nothing can be looked up."""
        return None
