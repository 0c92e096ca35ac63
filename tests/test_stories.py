"""Which advisories become one story, which stay apart, and what a new text changes."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.changes import changes, read_changes, worse, written
from bot.model import Advisory, Relevance, Severity, Stored, Threat, Verdict
from bot.stories import alike, canonical_link, find_story, link_variants

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def stored(number: int, advisory: Advisory, verdict: Verdict | None = None, *, ago: timedelta = timedelta(0)) -> Stored:
    seen = NOW - ago
    return Stored(number, advisory, verdict or Verdict(), number * 10, 0, seen, NOW)


def told(source: str = "a", title: str = "", **fields: object) -> Advisory:
    return Advisory(source=source, key=str(fields.pop("key", title)), title=title, **fields)  # type: ignore[arg-type]


def joins(new: Advisory, *others: Advisory, verdict: Verdict | None = None, ago: timedelta = timedelta(0)) -> str:
    """Why ``new`` joins one of ``others``; empty when it is a story of its own."""
    known = [stored(number, other, ago=ago) for number, other in enumerate(others, 1)]
    link = find_story(new, verdict or Verdict(), known, NOW)
    return link.reason if link else ""


AA20 = "AA20-126A: APT Groups Target Healthcare and Essential Services"


@pytest.mark.parametrize(
    "title",
    [
        "Alert - APT Groups Target Healthcare and Essential Services – CISA/NCSC",
        "Advisory: APT groups target healthcare and essential services",
        "[UPDATE] APT groups target healthcare and essential services",
    ],
)
def test_two_sources_with_nearly_the_same_title_tell_one_story(title: str) -> None:
    assert "nearly the same title" in joins(told("ca-cccs", title), told("us-cisa", AA20))
    assert not joins(told("us-cisa", title, key="another"), told("us-cisa", AA20)), "one publisher's two texts are two"
    assert not joins(told("ca-cccs", title), told("us-cisa", AA20), ago=timedelta(days=8))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Microsoft Security Updates for April 2026 released today",
            "Microsoft Security Updates for May 2026 released today",
        ),
        (
            "2020年4月のマイクロソフト製品の更新プログラムについて",
            "2020年5月のマイクロソフト製品の更新プログラムについて",
        ),
        ("Mozilla security advisory", "Mozilla security advisory"),
        ("Multiples vulnérabilités dans les produits Microsoft", "Multiples vulnérabilités dans Microsoft"),
        (
            "Ransomware hits hospital in Düsseldorf, patients moved",
            "Ransomware hits hospital in Barcelona, surgery stopped",
        ),
        ("Security fixes in GitLab Community Edition 17.1", "Security fixes in GitLab Community Edition 17.2"),
    ],
)
def test_titles_that_only_look_alike_stay_apart(one: str, other: str) -> None:
    assert not alike(one, other)


def test_a_recall_does_not_join_an_attack_by_its_title() -> None:
    title = "Acme infusion pumps in European hospitals"
    verdict = Verdict(threats=(Threat.RECALL,))
    assert joins(told("us-fda", title), told("uk-mhra", title))
    assert not joins(told("us-fda", title), told("uk-mhra", title), verdict=verdict)


@pytest.mark.parametrize(
    ("new", "known"),
    [
        (told("b", AA20), told("a", "Something else", url="https://www.us-cert.gov/ncas/alerts/AA20126A")),
        (told("b", "ICSMA-20-170-01 (Update B)"), told("a", "Baxter Sigma", key="ICSMA-20-170-01")),
        (
            told("b", "Note on CERTFR-2026-AVI-0012"),
            told("a", "Vulnérabilité", key="https://x/avis/CERTFR-2026-AVI-0012/"),
        ),
        (told("b", "JVN#12345678: Foo"), told("a", "フー", key="JVN12345678")),
    ],
)
def test_the_publishers_own_id_links(new: Advisory, known: Advisory) -> None:
    assert "the same advisory" in joins(new, known)


def test_ids_of_one_scheme_that_differ_keep_apart() -> None:
    title = "Philips IntelliVue patient monitor family"
    shared = {"cves": ("CVE-2026-1",), "vendors": ("Philips",)}
    one = told("a", f"ICSMA-26-001-01 {title}", **shared)
    assert not joins(told("b", f"ICSMA-26-002-01 {title}", **shared), one)
    assert joins(told("b", title, **shared), one)


def test_links_are_compared_as_places() -> None:
    place = canonical_link("https://www.example.org/news/2026/attack/?utm_source=x&b=2&a=1#top")
    assert place == canonical_link("http://EXAMPLE.org/news/2026/attack?a=1&b=2")
    assert canonical_link("https://jpcert.example/wr/2024.html#1") != canonical_link(
        "https://jpcert.example/wr/2024.html#2"
    )
    assert canonical_link("http://[broken") == ""
    assert "http://www.example.org/a/" in link_variants("https://example.org/a")
    link = {"url": "https://example.org/a/health-ministry-warns"}
    assert joins(told("b", "Avertissement", **link), told("a", "Warning", **link)) == "stands at the same link"


def test_an_address_under_which_many_things_stand_links_nothing() -> None:
    page = {"url": "https://example.org/press-releases-2026"}
    assert not joins(told("c", "Three", **page), told("a", "One", **page), told("b", "Two", **page))
    assert not joins(told("a", "Two", key="2", **page), told("a", "One", key="1", **page)), "one publisher's index page"
    assert not joins(told("b", "Two", url="https://example.org/news"), told("a", "One", url="https://example.org/news"))
    assert not joins(told("b", "Two", url="https://example.org"), told("a", "One", url="https://example.org/"))


def cves(*numbers: int) -> tuple[str, ...]:
    return tuple(f"CVE-2026-{1000 + number}" for number in numbers)


def test_the_same_cves_link_a_common_one_in_a_bulletin_does_not() -> None:
    bulletin = told("a", "Patch day", cves=cves(*range(40)))
    assert not joins(told("b", "Flaw in Foo", cves=cves(3)), bulletin)
    assert "same CVEs" in joins(told("b", "März", cves=cves(*range(30))), bulletin)
    assert joins(told("b", "Faille dans Foo", cves=cves(3)), told("a", "Flaw in Foo", cves=cves(3)))
    assert joins(
        told("b", "Ivanti Connect Secure exploited", cves=cves(1)), told("a", "Ivanti gateways", cves=cves(1, 2))
    )
    assert not joins(told("b", "Something", cves=cves(1)), told("a", "Ivanti gateways", cves=cves(1, 2)))
    assert joins(told("b", "CVE-2026-1003", cves=cves(3)), told("a", "Flaw in Foo", cves=cves(3), cvss=9.8))
    assert not joins(told("b", "Spies use old holes", cves=cves(3)), told("a", "Flaw in Foo", cves=cves(3))), (
        "in passing"
    )
    assert not joins(told("b", "x", cves=cves(3)), told("a", "y", cves=cves(3)), ago=timedelta(days=91)), "long asleep"


def test_two_kev_entries_with_one_title_stay_apart() -> None:
    title = "Microsoft Windows Kernel Privilege Escalation Vulnerability"
    one, two = (
        told("us-cisa-kev", title, key=cve, cves=(cve,), kev=True, vendors=("Microsoft",)) for cve in cves(1, 2)
    )
    assert not joins(two, one)
    assert not joins(told("b", title, cves=cves(2)), one), "another source, another CVE"


def test_one_cve_in_two_products_is_two_stories() -> None:
    log4j = cves(1)
    general = told("a", "Log4j remote code execution", cves=log4j)
    pump = told("us-cisa-icsma", "BD Alaris pump server", cves=log4j, vendors=("BD",))
    direct = Verdict(relevance=Relevance.DIRECT)
    assert not joins(pump, general, verdict=direct), "a medical product must not hide in the thread of a general flaw"
    assert not joins(told("b", "Siemens", cves=log4j, vendors=("Siemens",)), pump)
    assert not joins(
        told("fr", "Vulnérabilité dans Juniper", cves=log4j), told("fr", "Vulnérabilité dans Log4j", cves=log4j)
    )


def test_a_new_text_of_one_entry_belongs_to_its_story_for_ever() -> None:
    entry = told("a", "First", key="k")
    assert joins(told("a", "Second", key="k"), entry, ago=timedelta(days=900)) == "a new text of the same advisory"


def test_changes_are_told_in_words_the_gravest_first() -> None:
    old = told("a", "Pump", summary="A flaw. Patch soon.", cvss=7.5, cves=cves(1), products=("A",))
    new = told(
        "a",
        "Pump (Update A)",
        summary="A flaw. It is exploited.",
        cvss=9.8,
        cves=cves(1, 2),
        products=("A", "B"),
        kev=True,
    )
    before, after = Verdict(severity=Severity.MEDIUM), Verdict(severity=Severity.CRITICAL)
    told_changes = changes((old, before), (new, after))
    assert [change.text for change in told_changes] == [
        "now known to be exploited (CISA KEV)",
        "severity up: medium → critical",
        "CVSS 7.5 → 9.8",
        "also affects B",
        "more CVEs: CVE-2026-1002",
        "title was “Pump”",
        "text now says: It is exploited.",
    ]
    assert len(worse((old, before), (new, after))) == 4
    assert read_changes(written(told_changes)) == told_changes
    assert worse((new, after), (old, before)) == (), "calmer is not worse"


def test_a_new_date_or_white_space_is_no_change() -> None:
    old = told("a", "Pump", summary="One.  Two.")
    assert changes((old, Verdict()), (told("a", "Pump", summary="One.\nTwo.", updated=NOW), Verdict())) == ()
