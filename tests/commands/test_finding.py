"""What is found, in which order, page by page."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from bot.commands import VERBS
from bot.model import Advisory, Relevance, Severity, Verdict
from bot.store import advisories, stories
from bot.store.engine import Store
from bot.store.facts import CveFacts
from bot.store.facts import update as add_facts
from tests.commands.conftest import HOSPITAL, NOW, Channel, Keep, said


async def test_latest_lists_the_newest_story_first_and_pages(channel: Channel, keep: Keep) -> None:
    for number in range(12):
        await keep(f"Advisory {number}", days=number)
    first = await channel("latest")
    assert [row.headline for row in first.rows] == [f"Advisory {number}" for number in range(5)]
    second = await channel(first.more)
    assert [row.headline for row in second.rows] == [f"Advisory {number}" for number in range(5, 10)]
    third = await channel(second.more)
    assert [row.headline for row in third.rows] == ["Advisory 10", "Advisory 11"]
    assert third.more == ""
    assert "no page 4" in said(await channel("latest page 4"))


async def test_a_story_is_one_row_however_many_advisories_tell_it(channel: Channel, keep: Keep) -> None:
    story, _ = await keep("Hospital in Brno", days=3, source="cz-nukib")
    await keep("Brno hospital attacked", days=1, story=story, source="uk-ncsc")
    for number in range(5):
        await keep(f"Hospital {number}", days=2)
    first = await channel("search hospital")
    assert first.heading == "7 advisories match hospital"
    assert first.rows[0].story_id == story
    assert len({row.story_id for row in first.rows}) == 5
    second = await channel(first.more)
    assert [row.headline for row in second.rows] == ["Hospital 0"]


async def test_search_finds_by_words_and_fields_and_tells_how_many(channel: Channel, keep: Keep) -> None:
    await keep("Ransomware hits a hospital", verdict=HOSPITAL, vendors=("Philips",))
    await keep("Ransomware hits a brewery")
    found = await channel("search ransomware vendor:philips severity:>=high lexicon:care-settings")
    assert found.heading.startswith("1 advisory matches")
    assert [row.headline for row in found.rows] == ["Ransomware hits a hospital"]
    assert found.rows[0].severity is Severity.HIGH
    assert "CISA, US" in said(found)
    assert "25 May 2020" in said(found)


async def test_latest_takes_a_query_and_keeps_it_for_the_next_page(channel: Channel, keep: Keep) -> None:
    for number in range(7):
        await keep(f"Pump {number}", days=number)
    await keep("Brewery", days=0)
    found = await channel('latest "pump" OR clinic')
    assert [row.headline for row in found.rows] == [f"Pump {number}" for number in range(5)]
    assert found.more == 'latest "pump" OR clinic page 2'


async def test_nothing_found_says_what_there_is_and_hints_at_small_operators(channel: Channel, keep: Keep) -> None:
    assert "No source has been read so far" in said(await channel("latest"))
    await keep("Brewery")
    nothing = said(await channel("search hospital or clinic"))
    assert "Nothing matches hospital or clinic" in nothing
    assert "1 advisory is kept, the newest of 25 May 2020" in nothing
    assert "written OR" in nothing


async def test_a_mistake_in_a_query_is_shown_with_a_caret(channel: Channel) -> None:
    reply = await channel("search hospital vendr:philips")
    assert reply.trouble
    assert 'did you mean "vendor:"' in reply.heading
    assert reply.preformatted == "hospital vendr:philips\n         ^"
    assert "For example" in said(await channel("search"))


async def test_a_cve_tells_its_facts_with_their_days_and_who_names_it(
    channel: Channel, keep: Keep, sqlite_store: Store
) -> None:
    story, _ = await keep("Pump flaw", cves=("CVE-2020-1234",), cvss=9.1)
    await keep("Other flaw", cves=("CVE-2020-9999",))
    async with sqlite_store.begin() as conn:
        day = NOW - timedelta(days=2)
        known = CveFacts(
            "CVE-2020-1234", kev_added="2020-05-20", ransomware=True, kev_as_of=day, epss=0.42, epss_as_of=day
        )
        await add_facts(conn, [known])
    for typed in ("cve CVE-2020-1234", "cve cve-2020-1234", "cve 2020-1234"):
        reply = await channel(typed)
        assert reply.heading == "1 advisory names CVE-2020-1234"
        assert [row.story_id for row in reply.rows] == [story]
    text = said(reply)
    assert "in CISA's catalogue since 2020-05-20, and used in ransomware campaigns (as of 24 May 2020)" in text
    assert "EPSS 42.0%" in text
    assert "CVSS 9.1, as" in text


async def test_an_unknown_cve_and_no_cve(channel: Channel) -> None:
    assert "No advisory names CVE-1999-0001" in said(await channel("cve CVE-1999-0001"))
    assert (await channel("cve hospital")).trouble
    assert (await channel("cve")).trouble


async def test_show_gives_the_card_and_every_advisory_of_a_story(channel: Channel, keep: Keep) -> None:
    story, _ = await keep("Hospital in Brno", source="cz-nukib", verdict=HOSPITAL)
    for typed in (f"show {story}", f"show #{story}"):
        alone = await channel(typed)
        assert alone.card is not None
        assert alone.card.headline == "Hospital in Brno"
        assert [button.action for button in alone.card.buttons] == ["ward_open", "ward_why"]
        assert not alone.rows
    for number in range(6):
        await keep(f"Brno {number}", story=story, source="uk-ncsc")
    together = await channel(f"show {story}")
    assert together.heading == f"Story #{story}, told by 7 advisories"
    assert together.card is not None
    assert together.card.also == ("NCSC",)
    assert len(together.rows) == 5
    rest = await channel(together.more)
    assert [row.headline for row in rest.rows] == ["Brno 0", "Hospital in Brno"]


@pytest.mark.parametrize("typed", ["show", "show 999", "show twelve", "show 99999999999999999999999", "why 999", "why"])
async def test_a_story_that_is_not_there(channel: Channel, typed: str) -> None:
    reply = await channel(typed)
    assert reply.trouble
    assert reply.lines


@pytest.mark.parametrize("kept", [600, pytest.param(5_000, marks=pytest.mark.slow)])
async def test_every_command_answers_at_once(channel: Channel, sqlite_store: Store, kept: int) -> None:
    words = ["hospital", "ransomware", "pump", "philips", "vulnerability", "advisory", "update", "brewery", "bank"]
    async with sqlite_store.begin() as conn:
        for number in range(kept):
            story = await stories.create(conn, NOW)
            title = f"{words[number % 9]} {words[number % 7]} {number}"
            verdict = Verdict(Relevance.DIRECT if number % 9 else Relevance.NONE, (), Severity.LOW)
            at = NOW - timedelta(hours=number)
            advisory = Advisory(
                "us-cisa",
                str(number),
                title,
                "text " * 50,
                f"https://e.example/{number}",
                at,
                cves=(f"CVE-2020-{number:04}",),
            )
            await advisories.insert(conn, advisory, verdict, story, at)
    typed = {
        "latest": "latest relevance:direct severity:>=low -bank page 9",
        "search": 'search (hospital OR pump*) vendor:philips OR "philips advisory" OR *pital -=X title:hospital',
        "show": "show 400",
        "cve": "cve CVE-2020-0400",
        "subscribe": "subscribe hospital OR pump OR *tisory*",
        "unsubscribe": "unsubscribe 1",
        "why": "why 400",
    }
    for verb in VERBS:
        begin = time.process_time()
        reply = await channel(typed.get(verb.name, verb.name))
        assert time.process_time() - begin < 0.7, verb.name
        assert not reply.trouble, said(reply)
