"""The terminal as a chat platform: alerts and answers as cards that are read in five seconds."""

from bot.chat.terminal.platform import TerminalPlatform, terminal_console
from bot.chat.terminal.show import show

__all__ = ["TerminalPlatform", "show", "terminal_console"]
