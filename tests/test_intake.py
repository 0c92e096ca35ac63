"""The pure parts of taking in: guids given to another thing, and candidates without a query for each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.intake.candidates import Candidates
from bot.intake.guids import is_another, put_aside
from bot.model import Advisory, Stored, Verdict

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
OLD = Advisory(
    source="a",
    key="latest",
    title="Ransomware at a hospital in Brno",
    url="https://a.example/1",
    published=NOW,
    hash="0123456789abcdef0123",
)


def changed(**fields: object) -> Advisory:
    usual = {"title": "Infusion pumps recalled", "url": "https://a.example/2", "published": NOW + timedelta(days=1)}
    return Advisory(**{"source": "a", "key": "latest", "hash": "2", **usual, **fields})  # type: ignore[arg-type]


def test_a_guid_for_another_thing_is_told_from_a_revision() -> None:
    assert is_another(OLD, changed())
    assert is_another(OLD, changed(url=OLD.url)), "one page for whatever is the latest"
    assert is_another(OLD, changed(published=OLD.published))


@pytest.mark.parametrize(
    "revision",
    [
        changed(url=OLD.url, published=OLD.published),
        changed(title="UPDATE: Ransomware at a hospital in Brno"),
        changed(title="Hospital in Brno works again"),
        changed(title=""),
    ],
)
def test_a_revision_keeps_its_guid(revision: Advisory) -> None:
    assert not is_another(OLD, revision)


def test_one_cve_or_one_id_of_the_publisher_makes_it_the_same() -> None:
    old, new = changed(title="Flaw in beds", cves=("CVE-2026-1000",)), changed(cves=("CVE-2026-1000", "CVE-2026-2000"))
    assert not is_another(
        old, Advisory(**{**{n: getattr(new, n) for n in Advisory.__slots__}, "url": "https://b.example/"})
    )
    names = ("Beds AA26-100A", "Infusion pumps recalled, see AA26-100A")
    assert not is_another(changed(title=names[0], url="https://b.example/"), changed(title=names[1]))


def test_an_advisory_put_aside_is_told_from_its_successor() -> None:
    assert put_aside(OLD) == "latest#0123456789abcdef"


def stored(number: int, **fields: object) -> Stored:
    advisory = Advisory(**{"source": "a", "key": str(number), "title": f"T{number}", **fields})  # type: ignore[arg-type]
    return Stored(number, advisory, Verdict(), number, 0, NOW, NOW)


def beside(candidates: Candidates, *, recent: bool = False, **fields: object) -> list[int]:
    return [one.id for one in candidates.beside(stored(0, **fields).advisory, recent=recent)]


def test_candidates_are_found_by_cve_link_and_id_oldest_first() -> None:
    here = Candidates(
        [
            stored(3, cves=("CVE-2026-1",)),
            stored(1, url="https://www.a.example/x/?utm_source=feed"),
            stored(2, title="Pump ICSMA-26-100-01"),
            stored(4, cves=("CVE-2026-2",)),
        ],
        [stored(9), stored(3, cves=("CVE-2026-1",))],
    )
    found = {"cves": ("cve-2026-1",), "url": "http://a.example/x", "title": "ICSMA-26-100-01 (Update A)"}
    assert beside(here, **found) == [1, 2, 3]
    assert beside(here, **found, recent=True) == [1, 2, 3, 9]
    assert beside(here) == []


def test_a_bulletin_is_looked_up_by_its_first_cves() -> None:
    many = tuple(f"CVE-2026-{n}" for n in range(1000, 1030))
    here = Candidates([stored(1, cves=many)])
    assert beside(here, cves=many[25:]) == [1], "it is found by any"
    assert beside(Candidates([stored(1, cves=many[25:])]), cves=many) == []


def test_a_draft_is_a_candidate_at_once_and_is_settled_later() -> None:
    here = Candidates([stored(5, cves=("CVE-2026-1",))])
    place = here.add(stored(-1, cves=("CVE-2026-1",)))
    assert beside(here, cves=("CVE-2026-1",)) == [5, -1]
    here.settle(place, stored(6, cves=("CVE-2026-1",)))
    assert beside(here, cves=("CVE-2026-1",), recent=True) == [5, 6]
