"""subscribe, unsubscribe and subscriptions: the standing queries of the channel asked from."""

from __future__ import annotations

import logging
import re

from bot.commands.asking import Ask, Context
from bot.commands.listing import day, mistake, number, rows, says, slice_of, story_ids
from bot.conditions import All, Condition
from bot.errors import QueryError
from bot.message import Piece, Reply
from bot.query import MAX_CHARACTERS, hint, parse, unparse
from bot.store import destinations, search, subscriptions

log = logging.getLogger(__name__)

LISTED = 10  # subscriptions on a page
EXAMPLES = 3
TRIED = "since:90d"


async def subscribe(ask: Ask, context: Context) -> Reply:
    """Tell this channel of every new advisory that a query matches, from now on."""
    if refusal := _refusal(ask, context):
        return refusal
    if not ask.words:
        return mistake("Subscribe to what?", f"For example: {context.typed('subscribe ransomware hospital')}")
    condition = parse(ask.words, lexicons=context.lexicons)
    written = unparse(condition)
    query = written if len(written) <= MAX_CHARACTERS else ask.words
    async with context.store.begin() as conn:
        held = await subscriptions.of_destination(conn, ask.where)
        if len(held) >= context.policy.limit and query not in {one.query for one in held}:
            return mistake(
                f"There are {number(len(held), 'subscription')} here already, the most there may be",
                f"End one first: {context.typed('subscriptions')} lists them.",
            )
        one, is_new = await subscriptions.add(conn, ask.where, query, ask.who.id, ask.now)
        revived = await destinations.start(conn, ask.where, ask.now)
    if not is_new:
        return Reply(f"Subscribed already, as {one.id}: {one.query}")
    context.subscribed(one, condition)
    log.info("subscribed id=%d where=%s by=%s", one.id, ask.where, ask.who.id)
    tried = await _tried(condition, ask, context)
    restarted = (says("Messages to this channel had been stopped; they start again."),) if revived else ()
    end = says("To end it: ", Piece(context.typed(f"unsubscribe {one.id}"), style="code"))
    return Reply(
        f"Subscribed as {one.id}: {one.query}", (*tried.lines, *restarted, end), tried.rows, footer=hint(ask.words)
    )


async def _tried(condition: Condition, ask: Ask, context: Context) -> Reply:
    """What the condition would have matched lately, with the newest of it."""
    lately = All(all=(condition, parse(TRIED)))
    try:
        async with context.store.read() as conn:
            count = await search.count(conn, lately, now=ask.now, lexicons=context.lexicons)
            ids, _ = await story_ids(conn, lately, ask, context, EXAMPLES)
            found = await rows(conn, ids, context)
    except QueryError:  # too much to count in time; the subscription stands
        return Reply("", (says("It matches very much; narrow it if it becomes too loud."),))
    shown = f"{count:,} or more advisories" if count >= search.CAP else number(count, "advisory", "advisories")
    a_day = f", about {round(count / 90):,} a day" if count >= 90 else ""
    newest = ". The newest:" if found else "."
    return Reply("", (says(f"It would have matched {shown} in the last 90 days{a_day}{newest}"),), found)


async def unsubscribe(ask: Ask, context: Context) -> Reply:
    """End a subscription of this channel, by its number."""
    if refusal := _refusal(ask, context):
        return refusal
    listing = f"{context.typed('subscriptions')} lists their numbers."
    typed = re.fullmatch(r"#?(\d{1,15})", ask.words)
    if not typed:
        return mistake("Unsubscribe from which number?", listing)
    async with context.store.begin() as conn:
        one = await subscriptions.remove(conn, ask.where, int(typed[1]))
    if one is None:
        return mistake(f"There is no subscription {int(typed[1])} here", listing)
    context.unsubscribed(one)
    log.info("unsubscribed id=%d where=%s by=%s", one.id, ask.where, ask.who.id)
    again = says("To have it again: ", Piece(context.typed(f"subscribe {one.query}"), style="code"))
    return Reply(f"No longer subscribed to {one.query}", (again,))


async def listed(ask: Ask, context: Context) -> Reply:
    """What this channel is subscribed to."""
    async with context.store.read() as conn:
        held = await subscriptions.of_destination(conn, ask.where)
        place = await destinations.get(conn, ask.where)
    shown, is_more = slice_of(held, ask.page, LISTED)
    lines = [
        says(f"{one.id}  ", Piece(one.query, style="code"), f"  by {one.created_by}, {day(one.created_at)}")
        for one in shown
    ]
    if standing := context.standing.get(ask.where):
        lines.insert(0, says("set by the operators  ", Piece(standing, style="code")))
    if place is not None and place.state == "stopped":
        lines.insert(0, says(Piece(f"Messages to this channel are stopped: {place.reason}", style="strong")))
    heading = number(len(held), "subscription") if held else "No subscriptions here"
    footer = f"{context.typed('subscribe QUERY')} adds one, {context.typed('unsubscribe N')} ends one"
    return Reply(heading, tuple(lines), footer=footer, more=f"subscriptions page {ask.page + 1}" if is_more else "")


def _refusal(ask: Ask, context: Context) -> Reply | None:
    if context.policy.may_change(ask.who):
        return None
    log.warning("subscription-refused where=%s by=%s", ask.where, ask.who.id)
    return mistake("Only Wardwatch's admins may change subscriptions here", "Ask one of them to do it for you.")
