"""Slack's stand-in and our side of it, connected over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.chat.slack.client import SlackPlatform
from tests.fake_slack import TOKEN, FakeSlack


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake
    assert fake.problems == [], "Slack would have refused a message"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def platform(slack: FakeSlack, session: aiohttp.ClientSession) -> SlackPlatform:
    """Ours, not started."""
    return SlackPlatform(TOKEN, session, base_url=slack.url)
