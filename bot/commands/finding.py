"""latest and search: the stories that a query matches, newest first."""

from __future__ import annotations

from bot.commands.asking import Ask, Context
from bot.commands.listing import ROWS, day, mistake, next_page, number, rows, says, story_ids
from bot.conditions import Condition
from bot.message import Reply
from bot.query import hint, parse
from bot.store import advisories, search
from bot.store.engine import Connection

EVERYTHING = "published:>=0001"


async def latest(ask: Ask, context: Context) -> Reply:
    """The newest stories, of all or of those that a query matches."""
    condition = parse(ask.words or EVERYTHING, lexicons=context.lexicons)
    async with context.store.read() as conn:
        heading = f"Latest: {ask.words}" if ask.words else "Latest"
        return await _page("latest", heading, condition, ask, context, conn)


async def find(ask: Ask, context: Context) -> Reply:
    """The stories that a query matches, and how many advisories that are."""
    if not ask.words:
        return mistake("What shall I search for?", f"For example: {context.typed('search ransomware hospital')}")
    condition = parse(ask.words, lexicons=context.lexicons)
    async with context.store.read() as conn:
        count = await search.count(conn, condition, now=ask.now, lexicons=context.lexicons)
        shown = f"{search.CAP:,} or more advisories" if count >= search.CAP else number(count, "advisory", "advisories")
        heading = f"{shown} {'matches' if count == 1 else 'match'} {ask.words}"
        return await _page("search", heading, condition, ask, context, conn)


async def _page(verb: str, heading: str, condition: Condition, ask: Ask, context: Context, conn: Connection) -> Reply:
    ids, is_more = await story_ids(conn, condition, ask, context, ask.page * ROWS)
    shown = ids[(ask.page - 1) * ROWS :]
    footer = hint(ask.words)
    if not shown:
        return await _nothing(ask, context, conn, footer)
    if ask.page > 1:
        heading = f"{heading} (page {ask.page})"
    return Reply(heading, rows=await rows(conn, shown, context), footer=footer, more=next_page(verb, ask, is_more))


async def _nothing(ask: Ask, context: Context, conn: Connection, footer: str) -> Reply:
    if ask.page > 1:
        return Reply(f"There is no page {ask.page}", footer=footer)
    total = await advisories.total(conn)
    if not total:
        return Reply("Nothing is known yet", (says("No source has been read so far; try again in a minute."),))
    (newest,) = await advisories.newest(conn, 1)
    at = newest.advisory.published or newest.first_seen
    kept = f"{number(total, 'advisory is', 'advisories are')} kept, the newest of {day(at)}."
    return Reply(f"Nothing matches {ask.words}", (says(kept),), footer=footer)
