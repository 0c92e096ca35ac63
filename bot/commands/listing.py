"""Lists of stories, a page at a time, and the small forms that replies share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from bot.commands.asking import Ask, Context
from bot.compose import card_row, compose_card
from bot.conditions import Condition
from bot.message import Line, Piece, Reply, Row
from bot.model import Story
from bot.store import facts, search, stories
from bot.store.engine import Connection

T = TypeVar("T")

ROWS = 5  # stories on a page
LAST_PAGE = 100
LONGEST_COMMAND = 1900  # characters that a button can carry
_BATCH = 50


def says(*parts: str | Piece) -> Line:
    """A line of plain text and pieces."""
    return tuple(part if isinstance(part, Piece) else Piece(part) for part in parts if part)


def mistake(heading: str, *lines: str) -> Reply:
    """A reply to what was typed wrong."""
    return Reply(heading, tuple(says(line) for line in lines), trouble=True)


def day(moment: datetime | None) -> str:
    """A date as people read it."""
    return f"{moment:%d %b %Y}" if moment else "no date"


def minute(moment: datetime | None) -> str:
    """A time as people read it."""
    return f"{moment:%d %b %Y %H:%M} UTC" if moment else "never"


def number(count: int, one: str, many: str = "") -> str:
    """``1 story``, ``2 stories``, ``1,000 stories``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def next_page(verb: str, ask: Ask, is_more: bool) -> str:
    """The command of the page after this one; empty when this is the last."""
    command = " ".join(f"{verb} {ask.words} page {ask.page + 1}".split())
    return command if is_more and ask.page < LAST_PAGE and len(command) <= LONGEST_COMMAND else ""


def slice_of(found: Sequence[T], page: int, size: int) -> tuple[Sequence[T], bool]:
    """The rows of a page, and whether others follow."""
    first = (page - 1) * size
    return found[first : first + size], len(found) > first + size


async def story_ids(
    conn: Connection, condition: Condition, ask: Ask, context: Context, wanted: int
) -> tuple[list[int], bool]:
    """The first ``wanted`` stories of which ``condition`` matches an advisory, newest first; if there are more."""
    found: dict[int, None] = {}
    after: int | None = None
    while True:
        page = await search.search(
            conn, condition, now=ask.now, lexicons=context.lexicons, limit=max(_BATCH, wanted + 1), after=after
        )
        found |= dict.fromkeys(one.story_id for one in page.found)
        if len(found) > wanted or not page.more:
            return list(found)[:wanted], len(found) > wanted
        after = page.after


async def rows(conn: Connection, ids: Iterable[int], context: Context) -> tuple[Row, ...]:
    """Stories as rows, in the order of ``ids``."""
    chosen = list(ids)
    found = await stories.of(conn, chosen)
    told = [found[one] for one in chosen if one in found and found[one].members]
    known = await facts.get(conn, cves_of(told))
    return tuple(card_row(compose_card(story, known, context.sources, context.rules)) for story in told)


def cves_of(told: Iterable[Story]) -> set[str]:
    """The CVEs that stories name."""
    return {cve for story in told for member in story.members for cve in member.advisory.cves}
