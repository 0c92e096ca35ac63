"""why: everything that decided about a story: reasons of its verdicts, its grouping, who got it and who did not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bot.commands.asking import Ask, Context
from bot.commands.listing import minute, next_page, number, says, slice_of
from bot.commands.showing import story_of
from bot.compose import source_name, telling
from bot.message import Line, Piece, Reply
from bot.model import Delivery, Reason, State, Stored, Story
from bot.store import deliveries, suppressions
from bot.store.deliveries import Attempt
from bot.store.engine import Connection
from bot.store.suppressions import Suppression
from bot.stories import find_story

LINES = 30  # on a page
PLACES = {"title": "in the title", "text": "in the text", "field": "as a fact"}
WORDS = 12  # shown of one rule


@dataclass(frozen=True, slots=True)
class _Told:
    """What the ledger holds of a story."""

    rows: tuple[tuple[Delivery, tuple[Attempt, ...]], ...]
    silent: tuple[tuple[Stored, Suppression], ...]


async def why(ask: Ask, context: Context) -> Reply:
    """Why a story is what it is, and what became of it."""
    async with context.store.read() as conn:
        story = await story_of(ask, context, conn)
        if isinstance(story, Reply):
            return story
        told = await _told(conn, story)
    lines = [*_verdicts(story, context), *_deliveries(told, ask.where), *_silence(story, told)]
    shown, is_more = slice_of(lines, ask.page, LINES)
    headline = telling(story.members).advisory.title
    return Reply(
        f"Why #{story.id}: {headline}",
        tuple(shown),
        more=next_page("why", replace(ask, words=str(story.id)), is_more),
    )


async def _told(conn: Connection, story: Story) -> _Told:
    ledger = await deliveries.of_story(conn, story.id)
    tried = [(row, tuple(await deliveries.attempts_of(conn, row.id))) for row in ledger]
    silent = [(one, reason) for one in story.members for reason in await suppressions.of_advisory(conn, one.id)]
    return _Told(tuple(tried), tuple(silent))


def _verdicts(story: Story, context: Context) -> Iterator[Line]:
    """Each advisory with its verdict, what made it part of the story, and every reason."""
    for place, one in enumerate(story.members):
        advisory, verdict = one.advisory, one.verdict
        threats = ", ".join(verdict.threats) or "no threat named"
        source = source_name(advisory, context.sources)
        yield says(Piece(advisory.title, advisory.url, "strong"), f" ({source})")
        yield says(f"relevance {verdict.relevance}; severity {verdict.severity}; {threats}")
        if place:
            link = find_story(advisory, verdict, story.members[:place], one.first_seen)
            yield says(f"part of this story: {link.reason if link else 'by what its texts said when it came'}")
        yield from _reasons(verdict.reasons, context)


def _reasons(reasons: Iterable[Reason], context: Context) -> Iterator[Line]:
    """A line for each rule: what it says, its id, and each word with its clause and place."""
    titles = {rule.id: rule.title for rule in context.rules.all}
    by_rule: dict[str, list[Reason]] = {}
    for reason in reasons:
        by_rule.setdefault(reason.rule, []).append(reason)
    if not by_rule:
        yield says("no rule holds")
    for rule, found in by_rule.items():
        yield says(f"• {titles.get(rule, rule)} ", Piece(rule, style="quiet"), *_found(found))


def _found(found: list[Reason]) -> Iterator[Piece]:
    separator = ": "
    for reason in found[:WORDS]:
        yield Piece(separator)
        yield Piece(reason.words, style="code")
        named = f" ({reason.clause})" if reason.clause.casefold() != reason.words.casefold() else ""
        yield Piece(f" {PLACES[reason.place]}{named}")
        separator = ", "
    if len(found) > WORDS:
        yield Piece(f" and {len(found) - WORDS} more")


def _deliveries(told: _Told, here: str) -> Iterator[Line]:
    yield says(Piece("Told", style="strong"))
    if not told.rows:
        yield says("nobody")
    for row, attempts in told.rows:
        place = f"{row.destination} (here)" if row.destination == here else row.destination
        asked = f", asked for by {'; '.join(row.because)}" if row.because else ""
        yield says(f"• {place}: {row.kind}, {_standing(row)}{asked}")
        for attempt in attempts:
            reason = f": {attempt.reason}" if attempt.reason else ""
            yield says(f"   {minute(attempt.at)} {attempt.outcome}{reason}")


def _standing(row: Delivery) -> str:
    reason = f" ({row.reason})" if row.reason else ""
    match row.state:
        case State.OWED:
            tried = f" after {number(row.attempts, 'attempt')}" if row.attempts else ""
            return f"owed{tried}, due {minute(row.due_at)}"
        case State.SENDING:
            return f"being sent since {minute(row.sending_since)}"
        case State.UNKNOWN:
            return "sent, but the answer was lost: it is looked for before it is sent again"
        case _:
            return f"{row.state} {minute(row.settled_at)}{reason}"


def _silence(story: Story, told: _Told) -> Iterator[Line]:
    """What was not sent, and why."""
    if told.silent:
        yield says(Piece("Not told", style="strong"))
    for one, silent in told.silent:
        whom = silent.destination or "anybody"
        what = f" of revision {silent.revision}" if silent.revision else ""
        which = f" ({one.advisory.title[:60]})" if len(story.members) > 1 else ""
        yield says(f"• {whom}{what}{which}: {silent.reason}, {minute(silent.at)}")
