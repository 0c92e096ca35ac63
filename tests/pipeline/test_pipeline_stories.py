"""One story from several sources; facts that arrive later; pollers beside each other."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.model import Format, Kind, Severity, Source, Stored
from bot.store import sources
from tests.feed_server import Feed, Post, kev
from tests.polling import DAY, HOUR, NOW, World, post

pytestmark = pytest.mark.asyncio(loop_scope="session")
CVE = "CVE-2026-1111"


def pump(number: int = 1, **fields: Any) -> Post:
    """An advisory about a pump whose flaw has a CVE."""
    return post(number, f"Infusion pump: flaw {CVE}", summary="Take it off the net.", **fields)


def catalogue(world: World, **fields: Any) -> Source:
    return world.source("kev", format=Format.KEV, organisation="Cisa", **fields)


async def the(world: World, source: str) -> Stored:
    (found,) = [one for one in await world.stored() if one.advisory.source == source]
    return found


async def known_exploited(world: World, organisation: str, **shown: Any) -> None:
    """A pump's advisory was sent, and KEV, known and empty of it, gains its CVE."""
    world.server.feeds["/kev"] = Feed(body=kev(("CVE-2020-1000", "2024-01-01")))
    await world.poll(catalogue(world))
    world.server.feed("/one").posts = ()
    source = world.source(organisation=organisation)
    await world.poll(source)
    await world.poll(source, pump())
    await world.send_all()
    world.server.feed("/kev").body = kev(("CVE-2020-1000", "2024-01-01"), (CVE, "2026-03-10"), **shown)
    await world.poll(catalogue(world))


@pytest.mark.parametrize("organisation", ["Cisa", "Ncsc"])
async def test_a_cve_that_enters_kev_makes_one_revision(world: World, organisation: str) -> None:
    await known_exploited(world, organisation)
    advisory, entry = await the(world, "one"), next(s for s in await world.stored() if s.advisory.key == CVE)
    assert (advisory.advisory.kev, advisory.verdict.severity, advisory.revision) == (True, Severity.CRITICAL, 0)
    assert entry.story_id == advisory.story_id
    told = await world.told()
    assert [one.kind for one in told] == [Kind.STORY, Kind.REVISION]
    assert told[1].text == "! now known to be exploited (CISA KEV)\n! severity up: medium → critical"
    assert "by the same organisation or as a fact" in str(await world.reasons(entry.advisory.title))
    account = await world.rounds().reconcile()
    assert account.adds_up, account


async def test_ransomware_that_becomes_known_later_is_told(world: World) -> None:
    await known_exploited(world, "Ncsc")
    world.server.feed("/kev").body = kev(("CVE-2020-1000", "2024-01-01"), (CVE, "2026-03-10"), ransomware=[CVE])
    await world.poll(catalogue(world))
    assert (await the(world, "one")).advisory.known_ransomware
    assert (await world.told())[2].text == "! now known to be used in ransomware campaigns"


async def test_nothing_is_taken_back_when_kev_cannot_be_fetched_or_drops_it(world: World) -> None:
    await known_exploited(world, "Ncsc")
    world.server.feed("/kev").status = 403
    assert (await world.poll(catalogue(world))).status == "failed"
    changed = pump(2, guid="id-1", link="https://one.example/alerts/1")
    await world.poll(world.source(organisation="Ncsc"), Post(**{**vars(changed), "summary": "Now with an update."}))
    assert (await the(world, "one")).advisory.kev
    world.server.feeds["/kev"] = Feed(body=kev(("CVE-2020-1000", "2024-01-01")))
    await world.poll(catalogue(world))
    assert (await the(world, "one")).advisory.kev
    assert (await the(world, "one")).verdict.severity is Severity.CRITICAL


async def test_a_first_look_at_kev_floods_nothing_but_tells_of_what_was_sent(world: World) -> None:
    other, third = "CVE-2026-2222", "CVE-2026-3333"
    await world.poll(world.source(), post(3, f"Pump of 2024: {other}"), post(4, f"Hospital bed: {third}"))
    await world.poll(world.source(), post(3, f"Pump of 2024: {other}"), pump())
    world.server.feeds["/kev"] = Feed(body=kev((CVE, "2025-01-01"), (other, "2025-01-01"), (third, "2026-03-10")))
    await world.poll(catalogue(world))
    assert [(one.kind, one.title) for one in await world.told()] == [
        (Kind.STORY, f"Infusion pump: flaw {CVE}"),
        (Kind.REVISION, f"Infusion pump: flaw {CVE}"),
    ]
    assert all(one.advisory.kev for one in await world.stored())
    assert (await world.rounds().reconcile()).adds_up


async def test_an_advisory_that_comes_after_kev_says_so_at_once(world: World) -> None:
    world.server.feeds["/kev"] = Feed(body=kev((CVE, "2025-01-01")))
    await world.poll(catalogue(world))
    world.server.feed("/one").posts = ()
    await world.poll(world.source())
    await world.poll(world.source(), pump())
    assert (await the(world, "one")).verdict.severity is Severity.CRITICAL
    assert [one.kind for one in await world.told()] == [Kind.STORY]


async def test_the_second_feed_of_an_organisation_adds_nothing_and_another_organisation_does(world: World) -> None:
    here = [world.source("all", organisation="Cisa"), world.source("ics", organisation="Cisa"), world.source("ncsc")]
    for source in here:
        world.server.feed(f"/{source.id}").posts = ()
        await world.poll(source)
    await world.poll(here[0], post(1))
    await world.poll(here[1], post(1, guid="ics-1"))
    assert len(await world.told()) == 1
    (again,) = [one for one in await world.stored() if one.advisory.source == "ics"]
    assert again.story_id == (await the(world, "all")).story_id
    await world.poll(here[2], post(1, guid="n-1", link="https://ncsc.example/1"))
    assert [one.kind for one in await world.told()] == [Kind.STORY, Kind.CORROBORATION]
    assert (await world.rounds().reconcile()).silent == {
        "its story was told already, by the same organisation or as a fact": 1
    }


async def test_two_advisories_of_one_document_tell_one_story_once(world: World) -> None:
    world.server.feed("/one").posts = ()
    await world.poll(world.source())
    await world.poll(world.source(), pump(1), pump(2))
    stored = await world.stored()
    assert len({one.story_id for one in stored}) == 1
    assert len(await world.told()) == 1


async def test_what_makes_a_story_worse_is_told_though_its_document_says_it_twice(world: World) -> None:
    for name in ("one", "two"):
        world.server.feed(f"/{name}").posts = ()
        await world.poll(world.source(name))
    await world.poll(world.source("one"), pump(1))
    twice = [pump(n, link=f"https://two.example/{n}") for n in (2, 3)]
    await world.poll(world.source("two"), *(replace(one, summary="Doses can be lethal.") for one in twice))
    assert [(one.kind, one.text) for one in await world.told()][1:] == [
        (Kind.CORROBORATION, "! severity up: medium → critical")
    ]


async def test_two_sources_polled_at_once_give_one_story(either_world: World) -> None:
    world = either_world
    both = [world.source("one"), world.source("two"), world.source("three"), world.source("four")]
    for source in both:
        world.server.feed(f"/{source.id}").posts = ()
        await world.poll(source)
    for source in both:
        world.server.feed(f"/{source.id}").posts = [post(n, guid=f"{source.id}-{n}") for n in range(5)]
    found = await asyncio.gather(*(world.pipeline.poll(source) for source in both))
    assert [one.new for one in found] == [5] * 4
    assert len({one.story_id for one in await world.stored()}) == 5
    kinds = [one.kind for one in await world.told()]
    assert (kinds.count(Kind.STORY), kinds.count(Kind.CORROBORATION)) == (5, 15)


async def test_one_source_polled_twice_at_once_is_taken_in_once(either_world: World) -> None:
    world = either_world
    await world.poll(world.source(), post(0))
    world.server.feed("/one").posts = [post(0), post(1)]
    found = await asyncio.gather(*(world.pipeline.poll(world.source()) for _ in range(3)))
    assert sorted(one.new for one in found) == [0, 0, 1]
    assert await world.titles() == ["Hospital 1 attacked"]


async def test_a_source_is_claimed_by_one_poller(either_world: World) -> None:
    world = either_world

    async def claim() -> list[str]:
        async with world.store.begin() as conn:
            return await sources.claim_due(conn, world.now, 10, ["one", "two"])

    claimed = await asyncio.gather(*(claim() for _ in range(4)))
    assert sorted(name for names in claimed for name in names) == ["one", "two"]
    await world.poll(world.source(), post(0), after=timedelta(0))
    assert await claim() == [], "one is not due, two is claimed"
    world.now += HOUR
    assert await claim() == ["two", "one"], "the longest overdue first"


async def test_a_whole_day_works_on_both_databases(either_world: World) -> None:
    world = either_world
    await world.poll(world.source(), post(0), post(1, published=""))
    await world.poll(world.source(), post(0), pump(2), post(3, "Water works"))
    await world.poll(world.source(), post(0, summary="New."), post(2, f"Infusion pump: flaw {CVE}", summary="Recall."))
    world.server.feeds["/kev"] = Feed(body=kev((CVE, f"{NOW - DAY:%Y-%m-%d}")))
    await world.poll(catalogue(world))
    assert [one.kind for one in await world.told()] == [Kind.STORY, Kind.REVISION, Kind.REVISION]
    account = await world.rounds().reconcile()
    assert account.adds_up, account
    assert account.seen == 5
