"""What ``deliver`` asks of a chat platform."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from bot.message import Message


class Platform(Protocol):
    """One chat platform. Every method raises the children of SendError, and nothing else on purpose."""

    @property
    def can_ask(self) -> bool:
        """Whether ``find`` can tell what became of a message; else a lost answer may bring it twice."""

    async def post(self, channel: str, message: Message, *, key: str, thread: str | None) -> str:
        """Post ``message``, as an answer to the message ``thread`` if given; its receipt. ``key`` goes along unseen."""

    async def update(self, channel: str, ref: str, message: Message) -> None:
        """Replace the message of this receipt; repeating it does no harm."""

    async def find(self, channel: str, key: str, *, since: datetime, thread: str | None) -> str | None:
        """The receipt of the message that carries ``key`` and was posted at ``since`` or later, if there is one."""


def split(destination: str) -> tuple[str, str]:
    """``"slack:C0123"`` as platform and channel."""
    platform, _, channel = destination.partition(":")
    return platform, channel
