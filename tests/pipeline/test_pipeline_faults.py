"""Whatever a publisher's server does: recorded, retried for ever, nothing lost, and fallbacks take over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.errors import StoreError
from bot.model import Advisory, Fallback, Format, Kind
from bot.pipeline.remembering import LONGEST_BACKOFF, LONGEST_PAUSE, LONGEST_TTL
from bot.store import deliveries, sources
from tests.feed_server import HTML_PAGE, Feed
from tests.polling import DAY, HOUR, NOW, World, post

pytestmark = pytest.mark.asyncio(loop_scope="session")
HALF_HOUR = timedelta(minutes=30)


async def pause(world: World, name: str = "one", **fields: Any) -> timedelta:
    """How long after the last poll the next one is due."""
    state = await world.state(world.source(name, **fields))
    assert state.next_check_at
    return state.next_check_at - world.now


@pytest.mark.parametrize("validator", [{"etag": True}, {"last_modified": "Tue, 10 Mar 2026 10:00:00 GMT"}, {}])
async def test_an_unchanged_document_costs_a_look(world: World, validator: dict[str, Any]) -> None:
    world.server.feeds["/one"] = Feed(**validator)
    await world.poll(world.source(), post(0))
    found = await world.poll(world.source())
    assert (found.status, found.new, found.entries) == ("unchanged", 0, 0)
    assert world.server.feed("/one").answers == [200, 304 if validator else 200]
    state = await world.state(world.source())
    assert (state.entries, state.last_ok_at) == (1, world.now), "what is known of the document stays"


async def test_validators_are_kept_only_with_the_advisories(
    world: World, monkeypatch: pytest.MonkeyPatch, quiet: None
) -> None:
    world.server.feeds["/one"] = Feed(etag=True)
    await world.poll(world.source(), post(0))

    async def full(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("bot.store.polls.record", full)  # the last write of the transaction
        with pytest.raises(StoreError):
            await world.poll(world.source(), post(0), post(1))
    assert await world.told() == []
    assert len(await world.stored()) == 1
    found = await world.poll(world.source())
    assert (found.status, await world.titles()) == ("ok", ["Hospital 1 attacked"])
    assert world.server.feed("/one").answers == [200, 200, 200]


async def test_a_304_after_a_failure_clears_nothing(world: World) -> None:
    world.server.feeds["/one"] = feed = Feed(etag=True)
    await world.poll(world.source(), post(0))
    feed.body = HTML_PAGE
    feed.etag = False
    assert (await world.poll(world.source())).status == "failed"
    feed.status = 304
    found = await world.poll(world.source())
    assert found.status == "failed"
    assert "304" in found.note
    assert (await world.state(world.source())).failures == 2
    feed.status, feed.body, feed.etag = 200, None, True
    found = await world.poll(world.source())
    assert (found.status, (await world.state(world.source())).failures) == ("ok", 0)
    assert "If-None-Match" not in feed.requests[-1].headers, "the whole document proves it"


FAULTS: dict[str, tuple[dict[str, Any], str, int | None]] = {
    "html": ({"body": HTML_PAGE}, "HTML", None),
    "empty": ({"body": b""}, "empty", None),
    "403": ({"status": 403}, "HTTP 403", 403),
    "404": ({"status": 404}, "HTTP 404", 404),
    "410": ({"status": 410}, "HTTP 410", 410),
    "503": ({"status": 503}, "HTTP 503", 503),
    "reset": ({"reset": True}, "closed the connection", None),
    "silent": ({"silent": True}, "timeout", None),
    "cut": ({"cut_transfer": True}, "cut", None),
    "too long": ({"body": b"<rss>" + b" " * 2000}, "larger", None),
    "loop": ({"redirect": (302, "/one")}, "redirects", None),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_recorded_and_the_feed_comes_back(world: World, name: str) -> None:
    broken, said, status = FAULTS[name]
    source = world.source(max_bytes=1024)
    await world.poll(source, post(0))
    world.server.feeds["/one"] = Feed([post(0), post(1)], **broken)
    found = await world.poll(source)
    state = await world.state(source)
    assert (found.status, found.new, state.failures, state.failing_since) == ("failed", 0, 1, world.now)
    assert said.lower() in state.last_error.lower()
    assert (found.note, state.last_status) == (state.last_error, status)
    world.server.feeds["/one"] = Feed([post(0), post(1)])
    found = await world.poll(source)
    state = await world.state(source)
    assert (found.status, state.failures, state.failing_since, state.last_error) == ("ok", 0, None, "")
    assert await world.titles() == ["Hospital 1 attacked"]


async def test_a_server_that_speaks_no_tls_and_a_name_that_is_none(world: World) -> None:
    found = await world.poll(world.source(url=world.server.url("/one", "https")))
    assert (found.status, found.note[:4]) == ("failed", "TLS:")
    found = await world.poll(world.source("two", url="http://feeds.example/"))
    assert (found.status, found.note) == ("failed", "DNS: the name feeds.example cannot be resolved")


async def test_a_fault_of_our_own_is_told_and_stops_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, quiet: None
) -> None:
    await world.poll(world.source(), post(0))

    def judge(advisory: Advisory, **_: object) -> None:
        raise ZeroDivisionError(advisory.title)

    with monkeypatch.context() as patch:
        patch.setattr(world.intake._judge, "judge", judge)
        found = await world.poll(world.source(), post(0), post(1))
    assert found.status == "failed"
    assert "a fault of Wardwatch" in (await world.state(world.source())).last_error
    await world.poll(world.source())
    assert await world.titles() == ["Hospital 1 attacked"]


async def test_the_half_entry_of_a_cut_document_comes_complete_next_time(world: World) -> None:
    await world.poll(world.source(), post(0))
    world.server.feed("/one").cut = 60  # into the last entry
    found = await world.poll(world.source(), post(0), post(1), post(2))
    assert "truncated" in found.note
    assert await world.titles() == ["Hospital 1 attacked"]
    world.server.feed("/one").cut = 0
    await world.poll(world.source())
    assert [(one.kind, one.title) for one in await world.told()] == [
        (Kind.STORY, "Hospital 1 attacked"),
        (Kind.STORY, "Hospital 2 attacked"),
    ]


async def test_backoff_grows_with_jitter_is_capped_and_never_ends(world: World) -> None:
    world.server.feeds["/one"] = Feed(status=500)
    pauses = []
    for _ in range(60):
        await world.poll(world.source())
        pauses.append(await pause(world))
    assert pauses[:5] == [HALF_HOUR, HOUR, 2 * HOUR, 4 * HOUR, LONGEST_BACKOFF]
    assert set(pauses[5:]) == {LONGEST_BACKOFF}
    world.chance = 1.0
    await world.poll(world.source())
    assert await pause(world) == LONGEST_BACKOFF * 1.25
    assert (await world.state(world.source())).failures == 61


async def test_retry_after_is_honoured_and_capped(world: World) -> None:
    world.server.feeds["/one"] = feed = Feed(status=429, headers={"Retry-After": "7200"})
    await world.poll(world.source())
    assert await pause(world) == 2 * HOUR
    feed.headers = {"Retry-After": "99999999"}
    await world.poll(world.source())
    assert await pause(world) == LONGEST_PAUSE
    feed.headers = {"Retry-After": "soon"}
    await world.poll(world.source())
    assert await pause(world) == 2 * HOUR, "the third failure in a row"


async def test_what_a_publisher_asks_is_honoured_and_capped_also_while_nothing_changes(world: World) -> None:
    world.server.feeds["/one"] = feed = Feed([post(0)], etag=True, headers={"Cache-Control": "max-age=300"})
    await world.poll(world.source())
    assert await pause(world) == HALF_HOUR, "the interval is longer"
    feed.ttl = 120
    await world.poll(world.source())
    assert await pause(world) == 2 * HOUR
    assert (await world.poll(world.source())).status == "unchanged"
    assert await pause(world) == 2 * HOUR
    feed.headers = {"Cache-Control": "public, max-age=10800"}
    await world.poll(world.source())
    assert await pause(world) == 3 * HOUR
    feed.headers = {"Cache-Control": "max-age=31536000"}
    await world.poll(world.source())
    assert await pause(world) == LONGEST_TTL
    feed.headers, feed.ttl = {}, 0
    world.chance = 1.0
    await world.poll(world.source())
    assert await pause(world) == HALF_HOUR * 1.1, "spread, and never sooner"


async def test_a_permanent_redirect_is_noted_and_a_passing_one_is_not(world: World) -> None:
    world.server.feeds["/new"] = Feed([post(0)])
    world.server.feeds["/one"] = feed = Feed(redirect=(302, "/new"))
    await world.poll(world.source())
    assert (await world.state(world.source())).moved_to == ""
    feed.redirect = (301, "/new")
    await world.poll(world.source())
    assert (await world.state(world.source())).moved_to == world.server.url("/new")
    assert await world.rounds(world.source()).watch() == [
        f"One (one) has moved for good: set its url to {world.server.url('/new')}"
    ]
    await world.poll(world.source(path="/new"))
    assert (await world.state(world.source())).moved_to == ""
    assert await world.rounds(world.source()).watch() == ["One (one) is no longer moved"]


def with_fallback(world: World) -> Any:
    return world.source(fallbacks=(Fallback(url=world.server.url("/other")),))


def elsewhere(posts: Sequence[int], **fields: Any) -> Feed:
    """The same entries as another document tells them: under ids of its own."""
    return Feed([replace(post(n, **fields), guid=f"other:{n}") for n in posts], etag=True)


async def test_a_fallback_takes_over_and_hands_back(world: World) -> None:
    source = with_fallback(world)
    world.server.feeds["/one"] = feed = Feed(etag=True)
    await world.poll(source, post(0))
    world.server.feeds["/other"] = elsewhere(range(2), published=NOW + HOUR)
    feed.status = 403
    found = await world.poll(source)
    assert (found.status, found.note) == (
        "ok",
        f"HTTP 403 Forbidden; reading the fallback {world.server.url('/other')}",
    )
    state = await world.state(source)
    assert (state.failures, state.active_url) == (0, world.server.url("/other"))
    assert "HTTP 403" in state.last_error
    assert await world.titles() == ["Hospital 1 attacked"]
    assert (await world.poll(source)).status == "unchanged"
    feed.status = 200
    found = await world.poll(source, post(0), post(1), post(2))
    assert (found.status, (await world.state(source)).active_url) == ("ok", "")
    assert await world.titles() == ["Hospital 1 attacked", "Hospital 2 attacked"]
    assert len(await world.told()) == 2, "what the fallback told is not told again"


async def test_a_fallback_full_of_old_entries_tells_only_what_came_during_the_outage(world: World) -> None:
    source = with_fallback(world)
    world.server.feeds["/one"] = feed = Feed()
    await world.poll(source, post(0))
    await world.poll(source, post(0), post(1, "Clinic and hospital robbed"))
    feed.status = 503
    old = [
        replace(post(n, published=NOW - DAY * n), guid=f"o{n}", link=f"https://x.example/{n}") for n in range(2, 500)
    ]
    again = post(1, "Robbery at a hospital: what is known", guid="o1")  # another title, the same link
    was_there = post(0, "Hospital zero", guid="o0")  # never told: it stood there at the first poll
    during = post(600, "Hospital on diversion", guid="o600", published=NOW + 30 * HOUR)
    world.server.feeds["/other"] = Feed([*old, was_there, again, during])
    found = await world.poll(source, after=2 * DAY)
    assert (found.entries, found.new, found.alerts) == (501, 501, 1)
    assert await world.titles() == ["Clinic and hospital robbed", "Hospital on diversion"]
    feed.status = 200
    await world.poll(
        source, post(0), post(1, "Clinic and hospital robbed"), post(600, "Ambulances sent elsewhere: hospital")
    )
    assert len(await world.told()) == 2, "nor is it told again by the first document, under its id and title there"


async def test_a_fallback_met_long_ago_floods_nothing_when_it_takes_over_again(world: World) -> None:
    source = with_fallback(world)
    world.server.feeds["/one"] = feed = Feed(status=503)
    world.server.feeds["/other"] = elsewhere(range(2))
    await world.poll(source)
    feed.status = 200
    lately = {n: NOW + DAY * n for n in range(2, 40)}
    feed.posts = [post(n, published=when) for n, when in lately.items()]
    await world.poll(source, after=40 * DAY)
    told = len(await world.told())
    feed.status = 503
    world.server.feeds["/other"].posts = [
        post(n, guid=f"o{n}", link=f"https://x.example/{n}", summary="In other words.", published=when)
        for n, when in lately.items()
    ]
    found = await world.poll(source)
    assert (found.status, found.new) == ("ok", 38)
    assert len(await world.told()) == told, "it was all told, or known, through the first document"


async def test_a_fallback_may_have_another_format(world: World) -> None:
    body = b'{"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": [{"id": "a", "title": "Hospital"}]}'
    world.server.feeds["/other"] = Feed(body=body)
    source = world.source(fallbacks=(Fallback(url=world.server.url("/other"), format=Format.JSONFEED),))
    found = await world.poll(source)
    assert (found.status, found.new) == ("ok", 1)


async def test_when_all_documents_fail_each_says_why(world: World) -> None:
    world.server.feeds["/other"] = Feed(body=HTML_PAGE)
    found = await world.poll(with_fallback(world))
    assert found.status == "failed"
    assert found.note.startswith("HTTP 404 Not Found; expected RSS or Atom")


async def test_what_the_watchdog_told_meanwhile_survives_a_poll(world: World) -> None:
    """A poll takes seconds; whoever writes to the source's row in between must not be undone."""
    source = world.source()
    await world.poll(source, post(0))
    look = world.fetcher.fetch

    async def fetch(*args: Any, **options: Any) -> Any:
        async with world.store.begin() as conn:
            await sources.report(conn, "one", ["quiet"])
        return await look(*args, **options)

    world.fetcher.fetch = fetch  # type: ignore[method-assign]
    await world.poll(source, post(0), post(1))
    assert (await world.state(source)).reported == ("quiet",)


async def test_one_poll_is_one_transaction(world: World) -> None:
    """Nobody sees an advisory before what it led to."""
    await world.poll(world.source(), post(0))
    seen: list[tuple[int, int]] = []
    judge = world.intake._judge.judge

    def judged(advisory: Advisory, **options: Any) -> Any:
        seen.append((0, 0))
        return judge(advisory, **options)

    world.intake._judge.judge = judged  # type: ignore[method-assign]
    owe = deliveries.owe

    async def looking(*args: Any) -> int:
        number = await owe(*args)
        seen[-1] = (len(await world.stored()), len(await world.ledger()))
        return number

    deliveries.owe = looking
    try:
        await world.poll(world.source(), *(post(n) for n in range(4)))
    finally:
        deliveries.owe = owe
    assert seen[-1] == (1, 0), "other connections see the state before the poll"
    assert (len(await world.stored()), len(await world.ledger())) == (4, 3)


async def test_last_entry_is_noted(world: World) -> None:
    await world.poll(world.source(), post(0))
    assert (await world.state(world.source())).last_entry_at == NOW - 12 * HOUR
    await world.poll(world.source(), post(0, summary="Changed."))
    assert (await world.state(world.source())).last_entry_at == NOW - 12 * HOUR
    await world.poll(world.source(), post(0), post(1, published=""))
    assert (await world.state(world.source())).last_entry_at == world.now
