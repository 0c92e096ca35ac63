"""What is remembered of a source after a look at it, and when to look again. Pure, given ``chance`` (0 to 1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.feeds.fetch import Fetched, Unchanged
from bot.model import Source
from bot.pipeline.looking import Seen, documents
from bot.store.sources import SourceState, Validators

LONGEST_TTL = timedelta(hours=12)  # what a publisher may ask of us by ttl, max-age or Retry-After while he answers
LONGEST_BACKOFF = timedelta(hours=6)
LONGEST_PAUSE = timedelta(days=1)  # Retry-After of a publisher who does not answer
JITTER, BACKOFF_JITTER = 0.1, 0.25
USUAL_WEIGHT = 0.2  # of the newest document in the usual number of entries
SHRUNK_WEIGHT = 0.05  # of one that has shrunk: the operators are to hear of it before it is usual
OUTAGE_MARGIN = timedelta(days=1)  # entries dated so long before the last good look are no news of a fallback


def remembered(source: Source, state: SourceState, seen: Seen, now: datetime, chance: float) -> SourceState:
    """The state of ``source`` after ``seen``."""
    looked = replace(state, checked_at=now, claimed_until=None, last_error="; ".join(seen.failures))
    if seen.fetched is None:
        return _failed(source, looked, seen, now, chance)
    url, reading = seen.document.url, seen.reading
    entries = reading.entries if reading else state.entries
    validators = _validators(source, state, seen, seen.fetched)
    return replace(
        looked,
        validators=validators,
        next_check_at=now + _pause(source, seen, seen.fetched, validators[url].ttl) * (1 + JITTER * chance),
        failures=0,
        failing_since=None,
        last_status=200 if isinstance(seen.fetched, Fetched) else 304,
        last_ok_at=now,
        entries=entries,
        usual=_usual(state.usual, entries) if reading else state.usual,
        moved_to=(seen.fetched.moved_to or "") if url == source.url else state.moved_to,
        first_polled_at=state.first_polled_at or now,
        active_url="" if url == source.url else url,
        future_dated=reading.future_dated if reading else state.future_dated,
    )


def news_window(
    source: Source, state: SourceState, seen: Seen, now: datetime, first_run: timedelta
) -> timedelta | None:
    """How young an entry must be to be news; None when its document is the one read all along, and all new is news.

    A fallback that takes over, and a document never met, hold old entries under ids of their own. The configured one
    taking back over does not: what it brings that is unknown came while it was away.
    """
    url = seen.document.url
    if state.first_polled_at is None:
        return first_run
    if url in state.validators and url in (source.url, state.active_url):
        return None
    return now - (state.last_ok_at or state.first_polled_at) + OUTAGE_MARGIN


def is_other_document(source: Source, state: SourceState, seen: Seen) -> bool:
    """Whether the last good look was at another document of the source."""
    return state.first_polled_at is not None and seen.document.url != (state.active_url or source.url)


def _validators(source: Source, state: SourceState, seen: Seen, fetched: Fetched | Unchanged) -> dict[str, Validators]:
    """By url, for the documents the source still has."""
    url, memory = seen.document.url, fetched.memory
    old = state.validators.get(url, Validators())
    ttl = (seen.reading.ttl or timedelta(0)).total_seconds() if seen.reading else old.ttl
    known = {**state.validators, url: Validators(memory.etag, memory.last_modified, memory.body_hash, ttl)}
    return {one.url: known[one.url] for one in documents(source) if one.url in known}


def _pause(source: Source, seen: Seen, fetched: Fetched | Unchanged, ttl: float) -> timedelta:
    """Until the next look: the longest of the interval and what the publisher asks."""
    asked = [fetched.max_age, timedelta(seconds=ttl), seen.retry_after]
    asked += [fetched.retry_after] if isinstance(fetched, Fetched) else []
    return max([source.interval, *(min(pause, LONGEST_TTL) for pause in asked if pause)])


def _usual(usual: int, entries: int) -> int:
    if not usual:
        return entries
    return round(usual + (entries - usual) * (SHRUNK_WEIGHT if entries * 2 < usual else USUAL_WEIGHT))


def _failed(source: Source, looked: SourceState, seen: Seen, now: datetime, chance: float) -> SourceState:
    failures = looked.failures + 1
    backoff = min(source.interval * 2 ** min(failures - 1, 10), max(LONGEST_BACKOFF, source.interval))
    asked = min(seen.retry_after or timedelta(0), LONGEST_PAUSE)
    return replace(
        looked,
        next_check_at=now + max(backoff, asked) * (1 + BACKOFF_JITTER * chance),
        failures=failures,
        failing_since=looked.failing_since or now,
        last_status=seen.status,
    )
