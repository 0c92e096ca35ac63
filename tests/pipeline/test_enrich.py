"""Facts that arrive later only add: an EPSS stand-in on this machine, and what an outage leaves."""

from __future__ import annotations

import json

import pytest

from bot.enrich import EpssClient, stated_facts, with_facts
from bot.model import Advisory
from bot.store.facts import CveFacts
from tests.feed_server import Feed
from tests.polling import NOW, World, post

in_the_loop = pytest.mark.asyncio(loop_scope="session")
ONE, TWO, THREE = "CVE-2026-1001", "CVE-2026-1002", "CVE-2026-1003"


def scores(**by_number: str) -> bytes:
    listed = [
        {"cve": f"CVE-2026-{number[1:]}", "epss": epss, "percentile": "0.9"} for number, epss in by_number.items()
    ]
    return json.dumps({"status": "OK", "total": len(listed), "data": listed}).encode()


async def client(world: World) -> EpssClient:
    """One that asks this machine, about two advisories of a hospital and one of a water works."""
    await world.poll(world.source(), post(1, f"Hospital: {ONE} and {TWO}"), post(2, f"Water works: {THREE}"))
    return EpssClient(world.store, world.fetcher, world.server.url("/epss"), private=True)


async def epss(world: World) -> list[float | None]:
    return [one.advisory.epss for one in await world.stored()]


@in_the_loop
async def test_scores_come_for_what_concerns_healthcare(world: World) -> None:
    epss_client = await client(world)
    world.server.feeds["/epss"] = Feed(body=scores(_1001="0.25", _1002="0.75", _9999="0.99"))
    assert await epss_client.refresh(NOW) == 2, "what was not asked for is not believed"
    assert world.server.feed("/epss").requests[0].query["cve"] == f"{ONE},{TWO}"
    assert await epss(world) == [0.75, None], "the gravest of its CVEs"
    assert await world.told() == []


@in_the_loop
async def test_an_outage_keeps_the_last_value(world: World) -> None:
    epss_client = await client(world)
    world.server.feeds["/epss"] = feed = Feed(body=scores(_1001="0.25", _1002="0.75"))
    await epss_client.refresh(NOW)
    for broken in ({"status": 503}, {"body": b"<html>"}, {"body": b"{}"}, {"body": scores(_1001="7")}, {"reset": True}):
        world.server.feeds["/epss"] = Feed(**broken)  # type: ignore[arg-type]
        assert await epss_client.refresh(NOW) == 0
        assert await epss(world) == [0.75, None]
    world.server.feeds["/epss"] = feed
    feed.body = scores(_1001="0.5")
    await epss_client.refresh(NOW)
    assert await epss(world) == [0.75, None], "a score that is not among the answers stands"
    feed.body = scores(_1001="0.5", _1002="0.125")
    await epss_client.refresh(NOW)
    assert await epss(world) == [0.5, None], "a newer score replaces the older"


@in_the_loop
async def test_an_advisory_that_comes_later_has_the_score_at_once(world: World) -> None:
    epss_client = await client(world)
    world.server.feeds["/epss"] = Feed(body=scores(_1001="0.25"))
    await epss_client.refresh(NOW)
    await world.poll(world.source("two"), post(7, f"Clinic and {ONE}"))
    assert (await epss(world))[-1] == 0.25


@in_the_loop
async def test_many_cves_are_asked_in_parts_and_each_part_is_kept(world: World) -> None:
    names = ", ".join(f"CVE-2026-{n}" for n in range(1000, 1150))
    await world.poll(world.source(), post(1, "Hospital", summary=names))
    world.server.feeds["/epss"] = feed = Feed(body=scores(_1001="0.25"))
    assert await EpssClient(world.store, world.fetcher, world.server.url("/epss?x=1"), private=True).refresh(NOW) == 1
    assert [len(request.query["cve"].split(",")) for request in feed.requests] == [100, 50]


def test_what_an_advisory_says_itself_is_never_taken_back() -> None:
    own = Advisory(source="a", key="1", title="t", cves=(ONE,), kev=True, cvss=5.0, epss=0.5)
    known = {ONE: CveFacts(ONE, cvss=9.0, epss=0.25, ransomware=True)}
    found = with_facts(own, known)
    assert (found.kev, found.cvss, found.epss, found.known_ransomware) == (True, 5.0, 0.5, True)
    assert with_facts(own, {}) == own


def test_only_an_advisory_of_one_cve_states_facts() -> None:
    assert stated_facts(Advisory(source="a", key="1", title="t", cves=(ONE, TWO), cvss=9.0), NOW) == []
    undated = Advisory(source="a", key="1", title="t", cves=(ONE,), kev=True)
    assert [fact.kev_added for fact in stated_facts(undated, NOW)] == ["2026-03-10"]
