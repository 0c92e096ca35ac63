"""Advisories, their revisions and stories, and what was not sent, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import Advisory, Kind, Owed, Reason, Relevance, Severity, Threat, Tlp, Verdict
from bot.store import advisories, deliveries, facts, meta, polls, stories, subscriptions, suppressions
from bot.store.engine import Store
from bot.store.facts import CveFacts
from bot.store.suppressions import Suppression

NOW = datetime(2020, 5, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FULL = Advisory(
    source="cisa",
    key="guid-1",
    title="Infusion pump – 病院",
    summary="Text\x00 with \ud800 what no database keeps",
    url="https://a.example/X?y=%20",
    published=datetime(2020, 5, 1, 1, 2, 3, 456789, tzinfo=UTC),
    updated=datetime(9999, 12, 31, tzinfo=UTC),
    language="de",
    organisation="CISA",
    country="US",
    cves=("CVE-2020-1", "CVE-2020-2"),
    cvss=9.8,
    epss=0.123456789,
    kev=True,
    known_ransomware=True,
    vendors=("Philips",),
    products=("MX-800", "=odd, [name]"),
    sectors=("Healthcare and Public Health",),
    stated_severity=Severity.HIGH,
    health_publisher=True,
    tlp=Tlp.AMBER_STRICT,
    hash="h1",
)
JUDGED = Verdict(
    Relevance.DIRECT,
    (Threat.RANSOMWARE, Threat.RECALL),
    Severity.CRITICAL,
    (Reason("rule", "clause", "words", "title", 3, 9), Reason("r", "c", "w", "field")),
)


async def keep(conn: AsyncConnection, key: str = "guid-1", now: datetime = NOW, **values: Any) -> int:
    story = await stories.create(conn, now)
    return await advisories.insert(conn, replace(FULL, key=key, **values), JUDGED, story, now)


async def test_an_advisory_comes_back_as_it_was(store: Store) -> None:
    async with store.begin() as conn:
        kept = await keep(conn)
        assert await keep(conn) == kept  # again: the same one
    async with store.read() as conn:
        found = await advisories.get(conn, kept)
        assert found is not None
        assert found.advisory == replace(FULL, summary="Text\ufffd with \ufffd what no database keeps")
        assert found.verdict == JUDGED
        assert (found.revision, found.first_seen, found.last_seen) == (0, NOW, NOW)
        assert await advisories.get(conn, kept + 1) is None
        assert await advisories.total(conn) == 1


async def test_known_keys_are_told_also_by_the_thousand_and_of_any_length(store: Store) -> None:
    long = "https://a.example/" + "x" * 10_000
    async with store.begin() as conn:
        ids = [await keep(conn, key) for key in ("a", long, "c")]
        assert await keep(conn, "a", source="bsi") not in ids
        asked = ["a", long, long + "y", *map(str, range(3000))]
        known = await advisories.known(conn, "cisa", asked)
    assert {key: one.id for key, one in known.items()} == {"a": ids[0], long: ids[1]}
    assert known["a"].hash == "h1"


async def test_a_feed_with_new_guids_is_recognised_by_content(store: Store) -> None:
    async with store.begin() as conn:
        kept = await keep(conn, "old guid")
        assert await advisories.by_hash(conn, "cisa", ["h1", "h2"]) == {"h1": kept}
        assert await advisories.by_hash(conn, "bsi", ["h1"]) == {}
        await advisories.rekey(conn, kept, "new guid")
        assert list(await advisories.known(conn, "cisa", ["old guid", "new guid"])) == ["new guid"]


async def test_a_revision_keeps_the_old_text_and_counts(store: Store) -> None:
    changed = replace(FULL, title="Worse", summary="", hash="h2", published=NOW, cves=("CVE-2020-3",))
    async with store.begin() as conn:
        kept = await keep(conn)
        assert await advisories.revise(conn, kept, changed, replace(JUDGED, severity=Severity.LOW), NOW + DAY) == 1
        assert await advisories.revise(conn, kept, changed, JUDGED, NOW + 2 * DAY) == 1  # nothing new
        found = await advisories.get(conn, kept)
        assert found is not None
        assert (found.advisory, found.verdict.severity, found.revision) == (changed, Severity.LOW, 1)
        assert (found.first_seen, found.last_seen) == (NOW, NOW + DAY)
        (before,) = await advisories.history(conn, kept)
        assert (before.revision, before.seen_at, before.hash, before.title) == (0, NOW + DAY, "h1", FULL.title)
        assert before.severity is Severity.CRITICAL
        assert list(await advisories.with_cves(conn, ["CVE-2020-1"])) == []
        assert list(await advisories.with_cves(conn, ["cve-2020-3"])) == [kept]


async def test_late_facts_and_new_verdicts_are_no_revision(store: Store) -> None:
    async with store.begin() as conn:
        kept = await keep(conn)
        await advisories.refresh(
            conn, kept, replace(FULL, summary="", epss=0.9), replace(JUDGED, severity=Severity.LOW)
        )
        await advisories.set_verdict(conn, kept, Verdict())
        await advisories.seen(conn, [kept], NOW + DAY)
        found = await advisories.get(conn, kept)
        assert found is not None
        assert (found.advisory.epss, found.verdict, found.revision) == (0.9, Verdict(), 0)
        assert found.last_seen == NOW + DAY
        assert await advisories.history(conn, kept) == []


async def test_the_newest_come_first_and_all_can_be_streamed(store: Store) -> None:
    async with store.begin() as conn:
        days = {await keep(conn, str(day), published=NOW - day * DAY if day else None): day for day in (2, 0, 1)}
        assert [days[one.id] for one in await advisories.newest(conn, 2)] == [0, 1]
        assert [days[one.id] for one in await advisories.newest(conn, 5, source="cisa")] == [0, 1, 2]
        assert await advisories.newest(conn, 5, source="bsi") == []
        assert [one.id async for one in advisories.stream(conn, batch=2)] == sorted(days)
        assert await polls.entry_times(conn, "cisa", 2) == [NOW, NOW - DAY]


async def test_a_future_date_does_not_count_as_rhythm(store: Store) -> None:
    async with store.begin() as conn:
        await keep(conn, published=NOW + 900 * DAY)
        assert await polls.entry_times(conn, "cisa") == [NOW]


async def test_a_story_gathers_its_advisories(store: Store) -> None:
    async with store.begin() as conn:
        first, second = await keep(conn, "1"), await keep(conn, "2", now=NOW + DAY, url="", cves=("CVE-2021-9",))
        story = (await advisories.many(conn, [first]))[first].story_id
        await stories.link(conn, second, story)
        found = await stories.get(conn, story)
        assert found is not None
        assert [one.id for one in found.members] == [first, second]
        assert await stories.get(conn, story + 100) is None


async def test_candidates_share_a_cve_or_an_url_or_are_recent(store: Store) -> None:
    async with store.begin() as conn:
        cve = await keep(conn, "1", url="https://b.example/", cves=("CVE-2021-9",))
        url = await keep(conn, "2", cves=())
        recent = await keep(conn, "3", now=NOW + DAY, url="", cves=())
        await keep(conn, "4", url="", cves=())

        async def ids(**asked: Any) -> list[int]:
            return [one.id for one in await stories.candidates(conn, **asked)]

        assert await ids(cves=["cve-2021-9"], urls=["https://A.example/x?y=%20", ""]) == [cve, url]
        assert await ids(since=NOW + DAY) == [recent]
        assert await ids(since=NOW, limit=1) == [recent]
        assert await ids() == []


@pytest.mark.parametrize("cves", [10_000])
async def test_an_advisory_of_very_many_cves_is_kept(store: Store, cves: int) -> None:
    named = tuple(f"CVE-2020-{n}" for n in range(cves))
    async with store.begin() as conn:
        kept = await keep(conn, cves=named, title="t" * 1_100_000, summary=" ".join(f"w{n}" for n in range(300_000)))
        assert list(await advisories.with_cves(conn, [named[-1]])) == [kept]


async def test_facts_are_added_and_refreshed_but_never_erased(store: Store) -> None:
    async with store.begin() as conn:
        await facts.update(
            conn, [CveFacts("CVE-1", epss=0.5, epss_as_of=NOW), CveFacts("cve-1", cvss=9.8, cvss_as_of=NOW)]
        )
        await facts.update(
            conn, [CveFacts("CVE-1", kev_added="2020-05-01", kev_due="2020-06-01", ransomware=True, kev_as_of=NOW)]
        )
        await facts.update(conn, [CveFacts("CVE-1"), CveFacts("CVE-1", epss=0.1, epss_as_of=NOW - DAY)])
        await facts.update(conn, [CveFacts("CVE-1", kev_added="2020-05-02", kev_as_of=NOW + DAY)])
        assert await facts.get(conn, ["cve-1", "CVE-2"]) == {
            "CVE-1": CveFacts("CVE-1", "2020-05-02", "2020-06-01", True, NOW + DAY, 0.5, NOW, 9.8, NOW)
        }
        await facts.update(conn, [CveFacts("CVE-1", epss=0.1, epss_as_of=NOW + DAY)])
        assert (await facts.get(conn, ["CVE-1"]))["CVE-1"].epss == 0.1


async def test_a_subscription_is_kept_once_and_removed_by_its_destination_only(store: Store) -> None:
    query = "ransomware " * 1000  # too long for an index
    async with store.begin() as conn:
        first, new = await subscriptions.add(conn, "slack:C1", query, "U1", NOW)
        again, second_time = await subscriptions.add(conn, "slack:C1", query, "U2", NOW + DAY)
        assert (new, second_time) == (True, False)
        assert first == again
        assert (first.query, first.created_by, first.created_at) == (query, "U1", NOW)
        other, _ = await subscriptions.add(conn, "slack:C2", query, "U1", NOW)
        assert await subscriptions.every(conn) == [first, other]
        assert await subscriptions.remove(conn, "slack:C2", first.id) is None
        assert await subscriptions.remove(conn, "slack:C1", first.id) == first
        assert await subscriptions.of_destination(conn, "slack:C1") == []
        assert await subscriptions.of_destination(conn, "slack:C2") == [other]


async def test_every_advisory_is_owed_or_suppressed_with_a_reason(store: Store) -> None:
    async with store.begin() as conn:
        sent, kept_back, forgotten = [await keep(conn, key) for key in "123"]
        await deliveries.owe(conn, [Owed("slack:C1", "story:1", Kind.STORY, 0, NOW, advisory_id=sent)], NOW)
        told = Suppression(kept_back, "baseline", NOW)
        await suppressions.record(conn, [told, replace(told, reason="second thought")])
        assert await suppressions.of_advisory(conn, kept_back) == [told]
        assert await suppressions.unaccounted(conn) == [forgotten]
        assert await suppressions.unaccounted(conn, since=NOW + DAY) == []
        assert await suppressions.counts(conn, since=NOW) == {"baseline": 1}
        assert [one.subject for one in await deliveries.of_advisory(conn, sent)] == ["story:1"]


async def test_a_signed_request_acts_once(store: Store) -> None:
    async with store.begin() as conn:
        assert not await meta.seen_request(conn, "v0=abc", NOW)
        assert await meta.seen_request(conn, "v0=abc", NOW)
        assert not await meta.seen_request(conn, "v0=def", NOW + 2 * DAY)
        assert not await meta.seen_request(conn, "v0=abc", NOW + 2 * DAY)  # long invalid, forgotten
        assert await meta.put_once(conn, "heartbeat 2020-05-26", "node 1")
        assert not await meta.put_once(conn, "heartbeat 2020-05-26", "node 2")
        await meta.put(conn, "x", "1")
        await meta.put(conn, "x", "2")
        assert await meta.get(conn, "x") == "2"
        assert await meta.get(conn, "y") is None


async def test_many_are_kept_at_once_and_the_first_of_one_key_counts(store: Store) -> None:
    async with store.begin() as conn:
        story = await stories.create(conn, NOW)
        old = await keep(conn, "old")
        new = [
            replace(FULL, key=key, title=title) for key, title in (("a", "one"), ("a", "two"), ("old", "x"), ("b", "z"))
        ]
        ids = await advisories.insert_many(conn, [(one, JUDGED, story) for one in new], NOW)
        assert ids == [ids[0], ids[0], old, ids[3]]
        found = await advisories.many(conn, ids)
        assert {one.advisory.title for one in found.values()} == {"one", FULL.title, "z"}
        assert set(await advisories.with_cves(conn, FULL.cves)) == set(ids)
        assert await advisories.insert_many(conn, [], NOW) == []
