"""Worlds for whoever polls: one parser process serves all of them, so all their tests share one event loop."""

from __future__ import annotations

import logging
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.feeds.apart import Parser
from tests.polling import World, opened_world


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def parser() -> AsyncIterator[Parser]:
    """One parser process for all tests."""
    async with Parser(seconds=20) as parser:
        yield parser


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is printed of errors that a test makes on purpose."""
    with caplog.at_level(logging.CRITICAL):
        yield


@pytest_asyncio.fixture(loop_scope="session")
async def world(templates: dict[str, str], tmp_path: Path, parser: Parser) -> AsyncIterator[World]:
    """On SQLite."""
    file = tmp_path / "ward.db"
    shutil.copy(templates["sqlite"], file)
    async with opened_world(str(file), parser) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="session")
async def either_world(new_database: Callable[..., str], parser: Parser) -> AsyncIterator[World]:
    """On SQLite and on PostgreSQL."""
    async with opened_world(new_database(), parser) as world:
        yield world
