"""Whether Wardwatch hears and is heard, worst first, and no secret in it."""

from __future__ import annotations

from datetime import timedelta

from bot.model import Kind, Owed
from bot.store import deliveries, destinations, polls, sources
from bot.store.engine import Store
from bot.store.polls import Poll
from bot.store.sources import SourceState
from tests.commands.conftest import HERE, NOW, SOURCES, Channel, Keep, said

HOUR = timedelta(hours=1)
FAILING = SourceState(
    "uk-ncsc", checked_at=NOW, failures=4, failing_since=NOW - 5 * HOUR, last_error="HTTP 403", reported=("failing",)
)
OK = SourceState("us-cisa", checked_at=NOW, last_ok_at=NOW - HOUR, entries=30)
QUIET = SourceState("cz-nukib", checked_at=NOW, last_ok_at=NOW, last_entry_at=NOW - 900 * HOUR, reported=("quiet",))


async def _save(store: Store, *states: SourceState) -> None:
    async with store.begin() as conn:
        for state in states:
            await sources.save(conn, state)


async def test_sources_are_listed_the_worst_first(channel: Channel, sqlite_store: Store) -> None:
    await _save(sqlite_store, OK, FAILING, QUIET)
    reply = await channel("sources")
    assert reply.heading == "4 sources: 1 failing, 1 quiet, 1 not polled yet, 1 ok"
    assert [line[0].text for line in reply.lines] == ["uk-ncsc", "cz-nukib", "de-bsi", "us-cisa"]
    text = said(reply)
    assert "failing: since 26 May 2020 07:00 UTC, 4 times in a row: HTTP 403" in text
    assert "quiet: last new entry 19 Apr 2020" in text
    assert "ok: looked at 26 May 2020 11:00 UTC, 30 entries" in text


async def test_sources_can_be_chosen_and_disabled_ones_say_why(channel: Channel, sqlite_store: Store) -> None:
    await _save(sqlite_store, OK, FAILING)
    assert [line[0].text for line in (await channel("sources failing")).lines] == ["uk-ncsc"]
    assert [line[0].text for line in (await channel("sources cz")).lines] == ["cz-nukib"]
    assert (await channel("sources nowhere")).heading == "No source fits 'nowhere'"
    off = SOURCES["de-bsi"].model_copy(update={"enabled": False, "note": "needs an account"})
    disabled = channel.with_(sources={"de-bsi": off})
    assert "disabled: needs an account" in said(await disabled("sources"))


async def test_many_sources_are_paged(channel: Channel) -> None:
    many = {f"s{n:02}": SOURCES["us-cisa"].model_copy(update={"id": f"s{n:02}"}) for n in range(15)}
    first = await channel.with_(sources=many)("sources")
    assert len(first.lines) == 12
    assert first.more == "sources page 2"
    assert len((await channel.with_(sources=many)(first.more)).lines) == 3


async def test_status_counts_the_last_day_and_warns(channel: Channel, keep: Keep, sqlite_store: Store) -> None:
    await _save(sqlite_store, OK)
    _, advisory = await keep("Pump")
    assert (await channel("status")).heading == "Wardwatch is well"
    await _save(sqlite_store, FAILING)
    async with sqlite_store.begin() as conn:
        await polls.record(conn, Poll("us-cisa", NOW - HOUR, "ok", entries=30, new=2, alerts=1))
        await polls.record(conn, Poll("uk-ncsc", NOW - HOUR, "failed"))
        await polls.record(conn, Poll("us-cisa", NOW - 30 * HOUR, "ok", entries=500))
        rows = [Owed(HERE, f"story:{n}", Kind.STORY, 0, NOW, advisory) for n in range(3)]
        await deliveries.owe(conn, rows, NOW)
        await deliveries.mark_sent(conn, [1], "ref", NOW)
        await deliveries.refuse(conn, [2], "too long", NOW)
        await destinations.stop(conn, "slack:C9", "the channel is archived", NOW)
    cautious = channel.with_(cautions=lambda: ["slack cannot be asked: delivery is at-least-once"])
    reply = await cautious("status")
    text = said(reply)
    assert reply.heading == "Wardwatch needs a look"
    assert "Messages to slack:C9 are stopped: the channel is archived" in text
    assert "delivery is at-least-once" in text
    assert "1 source in trouble" in text
    assert "30 entries in 2 polls, of which 1 failed; 2 new, 0 revised, 1 alert" in text
    assert "1 sent, 1 owed, 0 sending, 0 unknown, 1 refused, 0 expired" in text
    assert "1 advisory in sqlite:///" in text
    assert "1.2.3, up 1 day 6 hours" in text
