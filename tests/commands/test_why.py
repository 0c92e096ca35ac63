"""Nothing is hidden: reasons, grouping, deliveries with their attempts, and what was not sent."""

from __future__ import annotations

from datetime import timedelta

from bot.model import Kind, Owed
from bot.store import deliveries, suppressions
from bot.store.engine import Store
from bot.store.suppressions import Suppression
from tests.commands.conftest import HERE, HOSPITAL, NOW, Channel, Keep, said


async def test_why_tells_every_reason_with_rule_clause_words_and_place(channel: Channel, keep: Keep) -> None:
    story, _ = await keep("Ransomware hospital", verdict=HOSPITAL)
    text = said(await channel(f"why {story}"))
    assert f"Why #{story}: Ransomware hospital" in text
    assert "relevance direct; severity high; ransomware" in text
    assert "A care provider care: hospital in the title (lexicon:care-settings)" in text
    assert "Ransomware ransom: Ransomware in the title (ransom*)" in text
    assert "Told\nnobody" in text


async def test_why_tells_what_joined_the_advisories(channel: Channel, keep: Keep) -> None:
    story, _ = await keep("ICSMA-20-100-01 Pump flaw", days=2)
    await keep("Infusion device (ICSMA-20-100-01)", story=story, source="uk-ncsc")
    await keep("Something else", story=story, source="cz-nukib")
    text = said(await channel(f"why {story}"))
    assert "part of this story: the same advisory, ICSMA-20-100-01" in text
    assert "part of this story: by what its texts said when it came" in text


async def test_why_tells_each_delivery_with_its_attempts_and_each_silence(
    channel: Channel, keep: Keep, sqlite_store: Store
) -> None:
    story, advisory = await keep("Ransomware hospital", verdict=HOSPITAL)
    later = NOW + timedelta(minutes=1)
    async with sqlite_store.begin() as conn:
        owed = [
            Owed(place, deliveries.story_subject(story), Kind.STORY, 0, NOW, advisory, because)
            for place, because in ((HERE, ("hospital",)), ("slack:C2", ()), ("slack:C3", ()))
        ]
        await deliveries.owe(conn, owed, NOW)
        here, refused, _ = (row.id for row in await deliveries.of_story(conn, story))
        await deliveries.mark_sending(conn, [here], "key", NOW)
        await deliveries.mark_unknown(conn, [here])
        await deliveries.attempt(conn, [here], NOW, "unknown", "the answer was lost")
        await deliveries.mark_sent(conn, [here], "ref", later)
        await deliveries.attempt(conn, [here], later, "found", "in the channel's history")
        await deliveries.refuse(conn, [refused], "the channel is archived", later)
        await suppressions.record(conn, [Suppression(advisory, "told here before", NOW, 1, "slack:C4")])
    text = said(await channel(f"why {story}"))
    assert "• slack:C1 (here): story, sent 26 May 2020 12:01 UTC, asked for by hospital" in text
    assert "26 May 2020 12:00 UTC unknown: the answer was lost" in text
    assert "26 May 2020 12:01 UTC found: in the channel's history" in text
    assert "• slack:C2: story, refused 26 May 2020 12:01 UTC (the channel is archived)" in text
    assert "• slack:C3: story, owed, due 26 May 2020 12:00 UTC" in text
    assert "Not told\n• slack:C4 of revision 1: told here before" in text


async def test_a_long_account_is_paged(channel: Channel, keep: Keep) -> None:
    story, _ = await keep("First")
    for number in range(20):
        await keep(f"More {number}", story=story)
    first = await channel(f"why {story}")
    assert len(first.lines) == 30
    seen = said(first)
    while first.more:
        first = await channel(first.more)
        seen += said(first)
    assert all(f"More {number} (" in seen for number in range(20))
