"""What of a publisher's feed is news, once, in order; and what is kept silent with its reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.model import Kind
from tests.feed_server import Post
from tests.polling import DAY, HOUR, MINUTE, NOW, World, post

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_first_poll_floods_nothing_and_says_why(world: World) -> None:
    found = await world.poll(world.source(), *(post(n) for n in range(40)))
    assert (found.status, found.entries, found.new, found.alerts) == ("ok", 40, 40, 0)
    assert await world.reasons("Hospital 7 attacked") == ["was there at the first poll of its source"]
    assert world.woken == [], "nobody is woken for nothing"
    found = await world.poll(world.source(), *(post(n) for n in range(41)))
    assert (found.new, found.alerts, await world.titles()) == (1, 1, ["Hospital 40 attacked"])
    assert world.woken == [{"test:alerts"}]


async def test_a_window_lets_young_entries_through_a_first_poll(world: World) -> None:
    world.pipeline = world.new_pipeline(first_run_window=DAY)
    old, young = post(1, published=NOW - 2 * DAY), post(2, published=NOW - DAY / 2)
    await world.poll(world.source(), old, young, post(3, published=""))
    assert await world.titles() == ["Hospital 2 attacked"]


async def test_a_publisher_whose_clock_is_ahead_is_no_news_at_a_first_poll(world: World) -> None:
    await world.poll(world.source(), post(1, published=NOW + 5 * HOUR))
    assert await world.told() == []


async def test_the_first_entry_of_a_formerly_empty_feed_is_news(world: World) -> None:
    found = await world.poll(world.source())
    world.server.feed("/one")
    assert found.status == "failed", "there is no feed yet"
    world.server.feed("/one").posts = ()
    assert (await world.poll(world.source())).status == "ok"
    await world.poll(world.source(), post(1, published=NOW - 300 * DAY))
    assert await world.titles() == ["Hospital 1 attacked"]


@pytest.mark.parametrize("year", ["2122", "7630", "0001"])
async def test_an_impossible_date_mutes_nothing(world: World, year: str) -> None:
    mad = post(99, published=f"Tue, 10 Mar {year} 10:00:00 GMT")
    await world.poll(world.source(), mad, post(1))
    await world.poll(world.source(), mad, post(1), post(2), post(3, published=NOW - 100 * DAY))
    assert sorted(await world.titles()) == ["Hospital 2 attacked", "Hospital 3 attacked"]
    await world.poll(world.source(), post(98, published=f"Tue, 10 Mar {year} 10:00:00 GMT"), mad, post(1))
    assert (await world.titles())[-1] == "Hospital 98 attacked"


@pytest.mark.parametrize("newest_first", [True, False])
async def test_alerts_come_in_the_order_of_publication(world: World, newest_first: bool) -> None:
    await world.poll(world.source(), post(0))
    posts = sorted((post(n) for n in range(12)), key=lambda one: str(one.guid), reverse=newest_first)
    posts.sort(key=lambda one: one.published, reverse=newest_first)  # type: ignore[arg-type,return-value]
    await world.poll(world.source(), *posts)
    assert await world.titles() == [f"Hospital {n} attacked" for n in range(1, 12)]


@pytest.mark.parametrize("newest_first", [True, False])
async def test_entries_of_one_second_come_in_the_order_of_their_feed(world: World, newest_first: bool) -> None:
    await world.poll(world.source(), post(0))
    posts = [post(0), *(post(n, published=NOW) for n in range(1, 6))]
    await world.poll(world.source(), *(reversed(posts) if newest_first else posts))
    assert await world.titles() == [f"Hospital {n} attacked" for n in range(1, 6)]


async def test_entries_of_one_second_are_each_told(world: World) -> None:
    await world.poll(world.source(), post(0))
    await world.poll(world.source(), *(post(n, published=NOW) for n in range(6)))
    await world.poll(world.source(), *(post(n, published=NOW) for n in range(8)))
    assert sorted(await world.titles()) == [f"Hospital {n} attacked" for n in range(1, 8)]
    assert len({one.story_id for one in await world.stored()}) == 8


async def test_entries_that_share_one_guid_are_each_told(world: World) -> None:
    await world.poll(world.source(), post(0, guid="x"), post(1, guid="x"))
    await world.poll(world.source(), *(post(n, guid="x") for n in range(4)))
    assert await world.titles() == ["Hospital 2 attacked", "Hospital 3 attacked"]
    found = await world.poll(world.source(), *(post(n, guid="x") for n in range(4)), after=DAY)
    assert found.status == "unchanged"


async def test_entries_that_share_one_link_are_each_told(world: World) -> None:
    here = "https://one.example/alerts"
    await world.poll(world.source(), post(0, link=here))
    await world.poll(world.source(), *(post(n, link=here) for n in range(4)))
    assert await world.titles() == [f"Hospital {n} attacked" for n in range(1, 4)]


async def test_a_guid_given_to_another_thing_is_news(world: World) -> None:
    await world.poll(world.source(), post(0))
    await world.poll(world.source(), post(1, "Ransomware at Brno hospital", guid="latest"))
    again = post(2, "Infusion pump recalled by its maker", guid="latest", summary="Batteries fail.")
    found = await world.poll(world.source(), again)
    assert (found.new, found.revised) == (1, 0)
    assert await world.titles() == ["Ransomware at Brno hospital", "Infusion pump recalled by its maker"]
    assert {told.kind for told in await world.told()} == {Kind.STORY}, "and no revision of the other story"
    await world.poll(world.source(), post(1, "Ransomware at Brno hospital", guid="latest"))
    await world.poll(world.source(), again)
    assert len(await world.told()) == 2, "neither is told again when it returns"


async def test_a_publisher_who_renames_all_his_entries_floods_nobody(world: World) -> None:
    await world.poll(world.source(), *(post(n) for n in range(20)))
    await world.poll(world.source(), *(post(n) for n in range(21)))
    renamed = [post(n, guid=f"urn:new:{n}", link=f"https://new.example/{n}") for n in range(21)]
    found = await world.poll(world.source(), *renamed)
    assert (found.new, found.revised, found.alerts) == (0, 0, 0)
    found = await world.poll(world.source(), *renamed, post(21, guid="urn:new:21"))
    assert (found.new, await world.titles()) == (1, ["Hospital 20 attacked", "Hospital 21 attacked"])
    assert len(await world.stored()) == 22


async def test_a_text_that_flaps_is_announced_once(world: World) -> None:
    await world.poll(world.source(), post(0))
    await world.poll(world.source(), post(0), post(1, summary="No care is at risk."))
    for _ in range(4):
        await world.poll(world.source(), post(0), post(1, summary="Surgery is cancelled."))
        await world.poll(world.source(), post(0), post(1, summary="No care is at risk."))
    assert [(one.kind, one.text) for one in await world.told()] == [
        (Kind.STORY, ""),
        (Kind.REVISION, "text now says: Surgery is cancelled."),
    ]
    assert "went back to a text that was announced before" in await world.reasons("Hospital 1 attacked")


async def test_a_text_that_changes_all_day_is_announced_a_few_times(world: World) -> None:
    await world.poll(world.source(), post(0))
    for number in range(10):
        await world.poll(world.source(), post(0), post(1, summary=f"{number} beds are affected."), after=MINUTE)
    kinds = [one.kind for one in await world.told()]
    assert kinds == [Kind.STORY, *[Kind.REVISION] * 3]
    (kept,) = [one for one in await world.stored() if one.advisory.title == "Hospital 1 attacked"]
    assert (kept.advisory.summary, kept.revision) == ("9 beds are affected.", 9), "the newest text is kept"


async def test_an_entry_that_vanishes_and_returns_is_told_once(world: World) -> None:
    await world.poll(world.source(), post(0))
    await world.poll(world.source(), post(0), post(1))
    await world.poll(world.source(), post(0))
    await world.poll(world.source(), post(0), post(1))
    assert await world.titles() == ["Hospital 1 attacked"]


async def test_entries_without_guid_link_date_or_title_are_each_told_once(world: World) -> None:
    await world.poll(world.source(), post(0))
    bare = [
        post(1, guid=""),
        post(2, guid="", link=""),
        post(3, published=""),
        Post(summary="Hospital 4 attacked, says a text without a title"),
        Post(title="Hospital 5 attacked"),
    ]
    await world.poll(world.source(), post(0), *bare)
    assert sorted(title[:10] for title in await world.titles()) == [f"Hospital {n}" for n in range(1, 6)]
    found = await world.poll(world.source(), post(0), *reversed(bare))
    assert (found.new, found.revised) == (0, 0)


async def test_the_same_entry_twice_in_a_document_is_told_once(world: World) -> None:
    await world.poll(world.source(), post(0))
    found = await world.poll(world.source(), post(1), post(0), post(1), post(1, summary="", published=""))
    assert (found.entries, found.new) == (4, 1)
    assert await world.titles() == ["Hospital 1 attacked"]


async def test_a_source_that_was_down_for_a_week_catches_up_in_order(world: World) -> None:
    await world.poll(world.source(), post(0))
    world.server.feed("/one").status = 503
    for _ in range(7):
        assert (await world.poll(world.source(), after=DAY)).status == "failed"
    world.server.feed("/one").status = 200
    missed = [post(n, published=NOW + timedelta(hours=6 * n)) for n in range(1, 29)]
    found = await world.poll(world.source(), *reversed(missed))
    assert (found.new, found.alerts) == (28, 28)
    assert await world.titles() == [f"Hospital {n} attacked" for n in range(1, 29)]


async def test_what_nobody_asks_for_is_kept_with_its_reason(world: World) -> None:
    await world.poll(world.source(), post(0))
    await world.poll(world.source(), post(0), post(1, "Water works attacked"))
    assert await world.told() == []
    assert await world.reasons("Water works attacked") == ["no channel asks for it (relevance none)"]
