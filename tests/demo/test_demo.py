"""The demo's feeds over real HTTP: what a poller sees while the spring of 2020 is told."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import feedparser
import pytest

from bot.demo.script import Event, read_script
from bot.demo.stage import DemoStage
from bot.errors import ConfigError
from bot.model import Source

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
async def stage() -> AsyncIterator[DemoStage]:
    async with DemoStage(CONFIG) as stage:
        yield stage


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def read(http: aiohttp.ClientSession, source: Source) -> feedparser.FeedParserDict:
    """A source's feed as feedparser sees it; fails when it is not well-formed XML."""
    async with http.get(source.url) as response:
        assert response.status == 200
        body = await response.read()
    ET.fromstring(body)
    parsed = feedparser.parse(body)
    assert not parsed.bozo
    return parsed


def tell(stage: DemoStage, guid: str, *, revision: bool = False) -> Event:
    """Publish up to the event of that guid."""
    while event := stage.publish_next():
        if (event.revises if revision else event.guid) == guid:
            return event
    raise AssertionError(f"the demo has no {guid}")


async def test_every_feed_is_empty_at_first_and_yet_a_feed(stage: DemoStage, http: aiohttp.ClientSession) -> None:
    assert len(stage.sources) >= 15
    for source in stage.sources:
        parsed = await read(http, source)
        assert parsed.version == ("atom10" if source.url.endswith(".atom") else "rss20")
        assert parsed.entries == []
        assert parsed.feed.language == source.language


async def test_events_appear_one_by_one_in_their_own_feed(stage: DemoStage, http: aiohttp.ClientSession) -> None:
    told = 0
    while event := stage.publish_next():
        told += 1
        newest = (await read(http, stage.source_of(event))).entries[0]
        assert newest.title == event.title
        assert newest.link == event.link
        assert newest.id.endswith(event.entry[1])
        assert (
            datetime(*newest.updated_parsed[:6] if event.revises else newest.published_parsed[:6], tzinfo=UTC)
            == event.at
        )
        for line in event.summary.splitlines():
            assert line in newest.summary
    assert told == stage.told == stage.events
    assert stage.finished
    assert stage.publish_next() is None


async def test_feeds_hold_every_entry_newest_first(stage: DemoStage, http: aiohttp.ClientSession) -> None:
    published = stage.publish_until(datetime(2020, 12, 31, tzinfo=UTC))
    assert len(published) == stage.events
    for source in stage.sources:
        parsed = await read(http, source)
        latest = {e.entry[1]: e for e in published if e.source == source.id}
        expected = [e.title for e in sorted(latest.values(), key=lambda e: e.at, reverse=True)]
        assert [entry.title for entry in parsed.entries] == expected != []


async def test_the_clock_stops_where_it_is_told(stage: DemoStage) -> None:
    first = stage.publish_until(datetime(2020, 3, 16, 15, 5, tzinfo=UTC))
    assert [event.at.day for event in first] == [13, 13, 16]
    assert stage.upcoming is not None
    assert stage.upcoming.at.day == 17
    assert stage.publish_until(datetime(2020, 3, 16, 15, 5, tzinfo=UTC)) == []


async def test_diacritics_survive(stage: DemoStage, http: aiohttp.ClientSession) -> None:
    event = tell(stage, "brno-2020-03-13")
    entry = (await read(http, stage.source_of(event))).entries[0]
    assert entry.title == "Brněnská nemocnice čelí kyberútoku"
    assert "Fakultní nemocnice Brno" in entry.summary


async def test_unchanged_feeds_answer_304(stage: DemoStage, http: aiohttp.ClientSession) -> None:
    source = next(source for source in stage.sources if source.id == "cz-ctk")
    async with http.get(source.url) as response:
        empty = response.headers["ETag"]
    event = tell(stage, "brno-2020-03-13")
    async with http.get(source.url, headers={"If-None-Match": empty}) as response:
        assert response.status == 200
        current = response.headers["ETag"]
    async with http.get(source.url, headers={"If-None-Match": current}) as response:
        assert response.status == 304
        assert await response.read() == b""
    other = stage.publish_next()
    assert other is not None
    assert other.source != event.source
    async with http.get(source.url, headers={"If-None-Match": current}) as response:
        assert response.status == 304


@pytest.mark.parametrize(("guid", "gained"), [("AL20-008", "ransomware"), ("cisa-2020-05-01-salt", "exploited")])
async def test_a_revision_changes_the_entry_under_its_guid(
    stage: DemoStage, http: aiohttp.ClientSession, guid: str, gained: str
) -> None:
    source = stage.source_of(tell(stage, guid))
    before = (await read(http, source)).entries[0]
    tell(stage, guid, revision=True)
    entries = [entry for entry in (await read(http, source)).entries if entry.id.endswith(guid)]
    assert len(entries) == 1
    assert entries[0].id == before.id
    assert "Update" in entries[0].title
    assert entries[0].published == before.published
    assert entries[0].updated_parsed > before.published_parsed
    assert gained in entries[0].summary
    assert gained not in before.summary


async def test_another_path_is_not_found(stage: DemoStage, http: aiohttp.ClientSession) -> None:
    async with http.get(stage.sources[0].url.replace("/ctk.xml", "/nothing.xml")) as response:
        assert response.status == 404


async def test_the_stage_leaves_nothing_behind(http: aiohttp.ClientSession) -> None:
    async with DemoStage(CONFIG) as stage:
        url = stage.sources[0].url
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.get(url)


@pytest.mark.parametrize("path", ["a.xml", "a.atom"])
async def test_markup_in_the_script_stays_text(tmp_path: Path, http: aiohttp.ClientSession, path: str) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "sources.yaml").write_text(
        "[{id: aa, name: A & B, organisation: O, country: CZ, language: cs, private: true,"
        f" url: http://127.0.0.1/{path}}}]"
    )
    (tmp_path / "demo" / "timeline.yaml").write_text(
        "[{at: 2020-03-13T00:00:00Z, source: aa, guid: <g>, title: 'R&D ]]> \"x\"', link: 'https://a.example/?b=1&c=<',"
        " summary: if a < b & c then <script>alert()</script>}]"
    )
    async with DemoStage(tmp_path) as stage:
        stage.publish_next()
        parsed = await read(http, stage.sources[0])
    entry = parsed.entries[0]
    assert parsed.feed.title == "A & B"
    assert (entry.title, entry.link) == ('R&D ]]> "x"', "https://a.example/?b=1&c=<")
    assert entry.summary == "<p>if a &lt; b &amp; c then &lt;script&gt;alert()&lt;/script&gt;</p>"


def test_the_spring_is_told_whole() -> None:
    script = read_script(CONFIG)
    assert {source.language for source in script.sources} >= {"cs", "de", "en", "fr", "it", "ja", "sv"}
    assert (script.events[0].at.date().isoformat(), script.events[-1].at.date().isoformat()) == (
        "2020-03-13",
        "2020-05-26",
    )
    joint = [event.source for event in script.events if event.link == "https://www.us-cert.gov/ncas/alerts/AA20126A"]
    assert joint == ["us-cisa-all", "uk-ncsc-all"]
    assert {event.source for event in script.events} == {source.id for source in script.sources}


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        (
            "timeline.yaml",
            "source: cz-nukib",
            "source: cz-nukip",
            'event 26 (nukib-2751): unknown source "cz-nukip"; did you mean "cz-nukib"?',
        ),
        (
            "timeline.yaml",
            "revises: AL20-008",
            "revises: AL20-800",
            'revises what ca-cccs has not told; did you mean "AL20-008"?',
        ),
        ("timeline.yaml", "guid: AL20-016", "guid: AL20-008", "ca-cccs has this guid already"),
        (
            "timeline.yaml",
            "at: 2020-03-17",
            "at: 2020-02-17",
            "event 4 (ICSA-20-077-01): happens at 2020-02-17 16:00, before the event above it",
        ),
        ("timeline.yaml", "  guid: brno-2020-03-13\n", "", "an event has either a guid"),
        ("timeline.yaml", "  guid: brno", "  giud: brno", '[0].giud: unknown name; did you mean "guid"?'),
        ("timeline.yaml", "link: https://www.tyden.cz", "link: www.tyden.cz", "timeline.yaml:15: [0].link: "),
        ("sources.yaml", "id: cz-nukib", "id: cz-ctk", "cz-ctk: the id stands twice"),
        ("sources.yaml", "/nukib.xml", "/ctk.xml", "cz-nukib.url: another source has the path /ctk.xml"),
        ("sources.yaml", "http://127.0.0.1/nukib.xml", "http://nukib.cz/rss.xml", "cz-nukib: needs private: true"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, file: str, old: str, new: str, line: str) -> None:
    shutil.copytree(CONFIG / "demo", tmp_path / "demo")
    path = tmp_path / "demo" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_script(tmp_path)
    assert line in str(caught.value)
    assert file in str(caught.value)
    assert "\n" not in str(caught.value)
