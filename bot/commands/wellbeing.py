"""sources and status: whether Wardwatch hears, and whether it is heard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.commands.asking import Ask, Context
from bot.commands.listing import minute, next_page, number, says, slice_of
from bot.message import Line, Piece, Reply
from bot.model import Source, State
from bot.store import advisories, deliveries, destinations, polls, sources
from bot.store.sources import SourceState
from bot.text import words

LISTED = 12  # sources on a page
STOPPED = 10  # channels named
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Health:
    """How a source is, in a word and a line. ``rank`` puts the worst first."""

    rank: int
    word: str
    line: str


def health(source: Source, state: SourceState | None) -> Health:
    """How ``source`` is."""
    if not source.enabled:
        return Health(5, "disabled", source.note)
    if state is None or (state.checked_at is None and not state.failures):
        return Health(3, "not polled yet", "")
    if state.failures:
        since = minute(state.failing_since or state.checked_at)
        return Health(0, "failing", f"since {since}, {number(state.failures, 'time')} in a row: {state.last_error}")
    if state.reported:
        moved = f"; set its url to {state.moved_to}" if state.moved_to else ""
        last = f"last new entry {minute(state.last_entry_at)}, {_holds(state)}{moved}"
        return Health(1, ", ".join(state.reported), last)
    if state.active_url:
        return Health(2, "on its fallback", f"reads {state.active_url}; {_holds(state)}")
    return Health(4, "ok", f"looked at {minute(state.last_ok_at)}, {_holds(state)}")


def _holds(state: SourceState) -> str:
    return number(state.entries, "entry", "entries")


async def listed(ask: Ask, context: Context) -> Reply:
    """Every source and how it is, the worst first; words after the verb choose among them."""
    async with context.store.read() as conn:
        states = await sources.all_states(conn)
    wanted = words(ask.words)
    found = [(one, health(one, states.get(one.id))) for one in context.sources.values()]
    found = [pair for pair in found if all(_fits(word, *pair) for word in wanted)]
    found.sort(key=lambda pair: (pair[1].rank, pair[0].id))
    if not found:
        nothing = f"No source fits {ask.words!r}" if wanted else "No sources are configured"
        return Reply(nothing)
    shown, is_more = slice_of(found, ask.page, LISTED)
    return Reply(
        f"{number(len(found), 'source')}: {_summary([one for _, one in found])}",
        tuple(_line(source, how) for source, how in shown),
        more=next_page("sources", ask, is_more),
    )


def _fits(word: str, source: Source, how: Health) -> bool:
    """Whether something that is told of ``source`` has a word that begins so."""
    told = (source.id, source.name, source.organisation, source.country, source.language, how.word)
    return any(one.startswith(word) for one in words(" ".join(told)))


def _line(source: Source, how: Health) -> Line:
    """A source on a line of its own."""
    word = Piece(how.word, style="" if how.rank >= 3 else "strong")
    rest = f": {how.line[:300]}" if how.line else ""
    return says(Piece(source.id, style="code"), f" {source.name}, {source.country}: ", word, rest)


def _summary(found: list[Health]) -> str:
    """``3 failing, 1 quiet, 60 ok``."""
    counted: dict[str, int] = {}
    for one in sorted(found, key=lambda one: one.rank):
        counted[one.word] = counted.get(one.word, 0) + 1
    return ", ".join(f"{count} {word}" for word, count in counted.items())


async def status(ask: Ask, context: Context) -> Reply:
    """How Wardwatch is: sources, the last day, what is owed, warnings, version."""
    async with context.store.read() as conn:
        states = await sources.all_states(conn)
        read = await polls.totals(conn, ask.now - DAY)
        counts = await deliveries.counts(conn, since=ask.now - DAY)
        places = await destinations.every(conn)
        kept = await advisories.total(conn)
    hows = [health(one, states.get(one.id)) for one in context.sources.values()]
    stopped = [place for place in places if place.state == "stopped"]
    warnings = [*(f"Messages to {place.id} are stopped: {place.reason}" for place in stopped[:STOPPED])]
    warnings += [f"... and to {len(stopped) - STOPPED} more"] if len(stopped) > STOPPED else []
    warnings += context.cautions()
    reported = [one for one in context.sources.values() if one.enabled and one.id in states and states[one.id].reported]
    if reported:
        warnings.append(f"{number(len(reported), 'source')} in trouble; {context.typed('sources')} tells which")
    heading = "Wardwatch needs a look" if warnings else "Wardwatch is well"
    return Reply(
        heading,
        (
            *(says(Piece("Warning: ", style="strong"), warning) for warning in warnings),
            says(Piece("Sources: ", style="strong"), _summary(hows) or "none"),
            says(Piece("Read in the last day: ", style="strong"), _read(read)),
            says(Piece("Messages in the last day: ", style="strong"), _messages(counts)),
            says(Piece("Kept: ", style="strong"), f"{number(kept, 'advisory', 'advisories')} in {context.store.url}"),
            says(Piece("Version: ", style="strong"), f"{context.version}, up {_span(context.started, ask.now)}"),
        ),
    )


def _read(read: polls.Totals) -> str:
    return (
        f"{number(read.entries, 'entry', 'entries')} in {number(read.polls, 'poll')}, of which {read.failed:,} failed; "
        f"{read.new:,} new, {read.revised:,} revised, {number(read.alerts, 'alert')}"
    )


def _messages(counts: dict[State, int]) -> str:
    order = (State.SENT, State.OWED, State.SENDING, State.UNKNOWN, State.REFUSED, State.EXPIRED)
    return ", ".join(f"{counts[state]:,} {state}" for state in order)


def _span(begin: datetime, end: datetime) -> str:
    minutes = max(0, int((end - begin).total_seconds() // 60))
    days, hours = divmod(minutes // 60, 24)
    return f"{number(days, 'day')} {number(hours, 'hour')}" if days else f"{hours} h {minutes % 60} min"
