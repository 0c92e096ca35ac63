"""Entries as advisories, alone and as a whole document."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.feeds.identity import advisories
from bot.feeds.normalise import absolute_url, future_dated, normalise
from bot.model import Advisory, Entry, Facts, Feed, Severity, Tlp
from tests.feeds.sources import BASE, NOW, entry, source


def made(one: Entry, language: str = "", **stanza: object) -> Advisory:
    return normalise(one, source(**stanza), base_url=BASE, now=NOW, feed_language=language)


def all_of(*entries: Entry) -> list[Advisory]:
    return advisories(Feed(entries), source(), BASE, NOW)


def test_an_advisory_of_cisa_like_html() -> None:
    html = (
        "<p>CVSS v3.1 9.8</p><p>Vendor: Acme</p><p>Equipment: Pump</p>"
        "<p>Critical Infrastructure Sectors: Healthcare and Public Health</p><p>See CVE-2026-1234. TLP:GREEN</p>"
    )
    advisory = made(
        entry(guid="/node/7", summary=html, title="Acme <b>Pump</b>", published="Thu, 27 Aug 26 12:00:00 +0000")
    )
    assert (advisory.key, advisory.title, advisory.url) == ("/node/7", "Acme Pump", "https://cert.example/1")
    assert (advisory.cves, advisory.cvss, advisory.tlp) == (("CVE-2026-1234",), 9.8, Tlp.GREEN)
    assert (advisory.vendors, advisory.products, advisory.sectors) == (
        ("Acme",),
        ("Pump",),
        ("Healthcare and Public Health",),
    )
    assert advisory.summary.startswith("CVSS v3.1 9.8\nVendor: Acme\n")
    assert str(advisory.published) == "2026-08-27 12:00:00+00:00"
    assert (advisory.source, advisory.organisation, advisory.country) == ("ex-cert", "Example", "DE")


def test_stated_facts_are_preferred_to_prose() -> None:
    facts = Facts(cves=("CVE-2026-9",), cvss=5.0, vendors=("A <b>",), severity=Severity.LOW)
    advisory = made(replace(entry(summary="CVSS 9.8 CVE-2026-1111", title="[hoch] x"), facts=facts))
    assert (advisory.cvss, advisory.vendors, advisory.stated_severity) == (5.0, ("A",), Severity.LOW)
    assert advisory.cves == ("CVE-2026-1111",)  # what is no CVE id is none, whoever says it


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("\n  https://a.example/x \n", "https://a.example/x"),
        ("/node/7", "https://cert.example/node/7"),
        ("//b.example/y", "https://b.example/y"),
        ("x y.html", "https://cert.example/feeds/x%20y.html"),
        ("https://a.example/%3Ffeed=rss", "https://a.example/%3Ffeed=rss"),
        ("https://a.example/\u202egpj", "https://a.example/gpj"),
        ("https://a.example/<b>|x", "https://a.example/%3Cb%3E%7Cx"),
        ("http://[::1", ""),
        ("https://a.example:port/", ""),
        ("javascript:alert(1)", ""),
        ("java\nscript:alert(1)", ""),
        (" JaVaScRiPt:alert(1)", ""),
        ("data:text/html,x", ""),
        ("mailto:a@b.example", ""),
        ("file:///etc/passwd", ""),
        ("https://", ""),
        ("", ""),
        ("https://a.example/" + "x" * 9000, ""),
    ],
)
def test_links(link: str, url: str) -> None:
    assert absolute_url(link, BASE) == url


def test_a_guid_that_is_an_address_stands_in_for_the_link() -> None:
    assert made(entry(link="", guid="/node/7")).url == "https://cert.example/node/7"
    assert made(entry(link="javascript:x", guid="https://a.example/1")).url == "https://a.example/1"
    assert made(entry(link="", guid="260101")).url == ""


def test_a_missing_title() -> None:
    assert made(entry(title=" <b></b>", summary="<p>First line.</p><p>Second.</p>")).title == "First line."
    assert made(entry(title="", summary="")).title == "https://cert.example/1"
    assert made(entry(title="", link="", guid="7")).title == "(no title)"


def test_limits_and_their_marks() -> None:
    advisory = made(entry(title="word " * 200_000, summary="text " * 100_000, guid="g" * 1_000_000))
    assert len(advisory.title) <= 500
    assert len(advisory.summary) <= 20_000
    assert advisory.title.endswith(" …")
    assert advisory.summary.endswith(" …")
    assert len(advisory.key) <= 500
    assert made(entry(guid="g" * 1000)).key != made(entry(guid="g" * 1001)).key


def test_facts_beyond_the_cut_are_found() -> None:
    text = "text " * 10_000 + "\nCritical Infrastructure Sectors: Dams\nCVE-2026-1234"
    advisory = made(entry(summary=text))
    assert (advisory.sectors, advisory.cves) == (("Dams",), ("CVE-2026-1234",))


@pytest.mark.parametrize(
    ("own", "feed", "language"),
    [
        ("fr-FR", "en", "fr"),
        ("", "ja-jp", "ja"),
        ("", "", "de"),
        ("nonsense!", "x", "de"),
        ("EN_us", "", "en"),
    ],
)
def test_language(own: str, feed: str, language: str) -> None:
    assert made(entry(language=own), feed).language == language


def test_tlp_of_the_source_unless_the_text_is_marked() -> None:
    assert made(entry(), tlp=Tlp.AMBER).tlp is Tlp.AMBER
    assert made(entry(title="TLP:CLEAR x"), tlp=Tlp.AMBER).tlp is Tlp.CLEAR


def test_a_future_date_is_not_believed_but_counted() -> None:
    late = entry(published="Fri, 01 Jan 2122 00:00:00 GMT")
    assert made(late).published is None
    assert made(replace(late, updated="2026-11-01")).published == made(entry(published="2026-11-01")).published
    assert future_dated([late, entry(), entry(updated="2026-11-25")], NOW) == 1


def test_the_hash_depends_neither_on_now_nor_on_white_space() -> None:
    soon = entry(published="2026-12-01", summary="<p>a b</p><p>c</p>")
    first = made(soon).hash
    assert normalise(soon, source(), base_url=BASE, now=NOW + timedelta(days=30)).hash == first == made(soon).hash
    assert made(replace(soon, summary="<p>a\n  b</p>\n\n<div><p>c </p></div>", title=" Pump  flaw ")).hash == first
    for change in (
        {"title": "Pump flaw (Update A)"},
        {"summary": "x"},
        {"published": "2026-12-02"},
        {"updated": "2026-12-03"},
    ):
        assert made(replace(soon, **change)).hash != first  # type: ignore[arg-type]


def test_without_guid_and_link_the_text_is_the_identity() -> None:
    bare = Entry(title="A", summary="text")
    assert made(bare).key == made(replace(bare, published="2026-01-01", summary=" text\n")).key
    assert made(bare).key != made(replace(bare, summary="other")).key


def test_oldest_first_whatever_the_feed_does() -> None:
    newest_first = [entry(guid=day, link=f"/{day}", published=f"2026-11-{day}") for day in ("03", "02", "01")]
    assert [one.key for one in all_of(*newest_first)] == ["01", "02", "03"]
    assert [one.key for one in all_of(*reversed(newest_first))] == ["01", "02", "03"]
    undated = [entry(guid=str(n), link=f"/{n}") for n in range(3)]
    assert [one.key for one in all_of(*undated)] == ["0", "1", "2"]


def test_an_advisory_and_its_update_in_one_feed_are_one() -> None:
    """CERT-Bund serves [NEU] and [UPDATE] of one id side by side, IPA one link up to three times."""
    new = entry(guid="WID-1", title="[NEU] [hoch] X", published="Mon, 12 Aug 2024 10:35:28 GMT")
    update = entry(guid="WID-1", title="[UPDATE] [hoch] X", published="Fri, 16 Aug 2024 08:03:23 GMT")
    for order in ((new, update), (update, new)):
        (only,) = all_of(*order)
        assert (only.key, only.title) == ("WID-1", "[UPDATE] [hoch] X")
    link = "https://ipa.example/1"
    thrice = [
        Entry(guid=link, link=link, title=t, updated=d)
        for t, d in (("更新：製品", "2025-12-12"), ("更新：製品", "2025-12-10"), ("製品", "2025-12-09"))
    ]
    (only,) = all_of(*thrice)
    assert str(only.published) == "2025-12-12 00:00:00+00:00"


def test_exact_repetitions_come_once() -> None:
    assert len(all_of(entry(), entry(), entry())) == 1


def test_a_guid_shared_by_all_is_no_identity() -> None:
    shared = [entry(guid="same", link=f"https://a.example/{n}", title=f"T{n}") for n in range(3)]
    assert [one.key for one in all_of(*shared)] == [f"https://a.example/{n}" for n in range(3)]


def test_a_guid_and_a_link_shared_by_all_leave_the_title() -> None:
    shared = [entry(guid="same", link="https://a.example/", title=f"T{n}") for n in range(3)]
    keys = [one.key for one in all_of(*shared)]
    assert len(set(keys)) == 3
    assert keys == [one.key for one in all_of(*shared)]
    linked = [entry(guid="", link="https://a.example/", title=f"T{n}") for n in range(3)]
    assert len({one.key for one in all_of(*linked)}) == 3


def test_links_that_differ_in_their_fragment_are_different() -> None:
    assert len(all_of(*(entry(guid="", link=f"/weekly#{n}") for n in range(3)))) == 3


def test_the_same_link_under_different_guids_is_two_advisories() -> None:
    assert [one.key for one in all_of(entry(guid="A"), entry(guid="B"))] == ["A", "B"]
