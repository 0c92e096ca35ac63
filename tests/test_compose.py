"""What a card, a note and a digest say of what is known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter

from bot.compose import (
    affected,
    compose_card,
    compose_digest,
    compose_note,
    compose_notice,
    gist,
    plain_note,
    told_changes,
)
from bot.message import Card, Digest, Note
from bot.model import (
    Advisory,
    Delivery,
    Kind,
    Reason,
    Relevance,
    Severity,
    Source,
    State,
    Stored,
    Story,
    Threat,
    Tlp,
    Verdict,
)
from bot.rules import Rules
from bot.store.facts import CveFacts

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
RULES = TypeAdapter(Rules).validate_python(
    {
        "relevance": [
            {"id": "vendor", "title": "A maker of medical products", "gives": "direct", "when": {"words": ["acme"]}},
            {"id": "care", "title": "A care provider", "gives": "direct", "when": {"words": ["hospital"]}},
            {"id": "sector", "title": "The sector", "gives": "direct", "when": {"words": ["health"]}},
            {"id": "publisher", "title": "A health publisher", "gives": "direct", "fact": "health-publisher"},
        ],
        "threats": [{"id": "ransom", "title": "Ransomware", "gives": "ransomware", "when": {"words": ["ransom*"]}}],
        "severity": [{"id": "grave", "title": "Grave", "gives": "high", "when": {"words": ["grave"]}}],
    }
)
SOURCES = {
    name: Source(id=name, name=shown, organisation=shown, country="US", language="en", url="https://e.org/")
    for name, shown in (("us-cisa", "CISA"), ("uk-ncsc", "NCSC-UK"))
}


def member(number: int = 1, verdict: Verdict | None = None, **fields: object) -> Stored:
    fields = {"source": "us-cisa", "title": "Pump", "url": "https://e.org/1", "country": "US", **fields}
    advisory = Advisory(key=str(number), **fields)  # type: ignore[arg-type]
    verdict = verdict or Verdict(Relevance.DIRECT, (Threat.VULNERABILITY,), Severity.MEDIUM)
    return Stored(number, advisory, verdict, 7, 0, NOW + timedelta(hours=number), NOW)


def card(*members: Stored, facts: dict[str, CveFacts] | None = None) -> Card:
    return compose_card(Story(7, members), facts or {}, SOURCES, RULES)


def delivery(kind: Kind, text: str = "", advisory_id: int = 1, number: int = 1) -> Delivery:
    return Delivery(number, "slack:C1", "story:7", kind, 0, State.OWED, NOW, advisory_id, (), text, 0, None)


def test_the_headline_is_the_member_that_concerns_healthcare_most_in_the_readers_language() -> None:
    general = member(1, Verdict(severity=Severity.CRITICAL), title="General")
    german = member(2, Verdict(Relevance.DIRECT, severity=Severity.HIGH), title="Pumpe", language="de", tlp=Tlp.GREEN)
    english = member(3, title="Pump", source="uk-ncsc")
    shown = card(general, german, english)
    assert (shown.headline, shown.source, shown.also) == ("Pump", "NCSC-UK", ("CISA",))
    assert (shown.severity, shown.relevance) == (Severity.CRITICAL, Relevance.DIRECT), "of all members"
    assert shown.tlp is Tlp.GREEN, "the strictest marking holds for the card"
    assert compose_card(Story(7, (german, english)), {}, SOURCES, RULES, language="de").headline == "Pumpe"
    assert card(member(1, title="First"), member(2, title="Second")).headline == "First", "others repeat the first"


def test_affected_names_the_product_else_the_victim_else_the_sector() -> None:
    products = ("Acme", "P1", "P2", "P3", "P4")
    assert affected(member(vendors=("Acme",), products=products), RULES) == "Acme – P1, P2, P3 and 1 more"
    found = Verdict(
        reasons=(
            Reason("care", "words", "hospital", "title", 4, 12),
            Reason("care", "words", "hospitals", "text", 0, 9),
            Reason("ransom", "words", "ransomware", "title", 0, 3),
        )
    )
    hit = member(1, found, title="The Hospital of Brno", summary="Hospitals everywhere", sectors=("Energy",))
    assert affected(hit, RULES) == "Hospitals", "as written, and not the words of other rules"
    assert affected(member(sectors=("Energy", "Dams")), RULES) == "Energy, Dams"
    assert affected(member(), RULES) == ""


def test_why_tells_each_rule_and_each_word_once_and_leaves_room_for_the_threat() -> None:
    reasons = (
        Reason("vendor", "lexicon", "acme", "title", 0, 4),
        Reason("vendor", "lexicon", "acme", "text", 0, 4),
        Reason("care", "words", "acme", "text", 0, 4),
        Reason("publisher", "health-publisher", "health-publisher", "field"),
        Reason("sector", "words", "health", "text", 5, 11),
        Reason("ransom", "words", "ransomware", "title", 5, 15),
        Reason("grave", "threat:ransomware", "ransomware", "field"),
        Reason("gone", "words", "old", "field"),
    )
    shown = card(member(1, Verdict(Relevance.DIRECT, reasons=reasons), title="Acme ransomware", summary="ACME health"))
    assert [(why.rule, why.words) for why in shown.why] == [
        ("A maker of medical products", ("Acme",)),
        ("A health publisher", ()),
        ("Ransomware", ("ransomware",)),
        ("gone", ("old",)),
    ]


def test_the_exploited_cve_stands_first_and_a_lone_cve_has_its_advisorys_score() -> None:
    cves = ("CVE-2026-1", "CVE-2026-2", "CVE-2026-3")
    facts = {
        "CVE-2026-2": CveFacts("CVE-2026-2", cvss=9.8, epss=0.5),
        "CVE-2026-3": CveFacts("CVE-2026-3", cvss=5.0, kev_added="2026-03-01", ransomware=True),
    }
    shown = card(member(cves=cves, cvss=9.9), facts=facts).cves
    assert [(fact.cve, fact.cvss) for fact in shown] == [("CVE-2026-3", 5.0), ("CVE-2026-2", 9.8), ("CVE-2026-1", None)]
    assert shown[0].ransomware
    (lone,) = card(member(cves=cves[:1], cvss=7.5, kev=True, published=NOW)).cves
    assert (lone.cvss, lone.kev_added) == (7.5, "2026-03-10")


def test_few_buttons() -> None:
    assert [(b.label, b.action, b.value, b.url) for b in card(member()).buttons] == [
        ("Open advisory", "ward_open", "", "https://e.org/1"),
        ("Why this?", "ward_why", "7", ""),
    ]
    both = card(member(), member(2, source="uk-ncsc", url="")).buttons
    assert [b.label for b in both] == ["Open advisory", "All 2 advisories"]
    assert [b.label for b in card(member(url="")).buttons] == ["Why this?"]


@pytest.mark.parametrize(
    ("summary", "shown"),
    [
        ("CVSS v3 7.3\nVendor: Acme\nEquipment: Pump\nThe radio link is open.", "The radio link is open."),
        ("Pump\nThe radio link is open.", "The radio link is open."),
        ("Vendor: Acme", "Vendor: Acme"),
        ("A first sentence. " * 40, ("A first sentence. " * 27).strip()),
        ("", ""),
    ],
)
def test_the_gist_is_prose(summary: str, shown: str) -> None:
    assert gist(summary, "Pump") == shown


def test_a_gist_without_sentences_is_cut_between_words() -> None:
    assert gist("word " * 200).endswith("word…")
    assert len(gist("x" * 5000)) <= 500


def note(kind: Kind, text: str, *members: Stored, advisory_id: int = 1) -> Note:
    return compose_note(delivery(kind, text, advisory_id), Story(7, members), {}, SOURCES, RULES)


def lines(message: Note) -> list[str]:
    return ["".join(piece.text for piece in line) for line in message.lines]


def test_a_revision_says_what_changed_and_is_shown_to_all_when_it_is_worse() -> None:
    worse = note(Kind.REVISION, "! severity up: low → high\nCVSS 9.8 stated", member())
    assert (worse.heading, worse.broadcast) == ("Worse: Pump", True)
    assert lines(worse) == ["▲ severity up: low → high", "• CVSS 9.8 stated", "CISA"]
    calm = note(Kind.REVISION, "CVSS 9.8 stated", member())
    assert (calm.heading, calm.broadcast) == ("Update: Pump", False)


def test_a_corroboration_names_the_source_and_its_own_title() -> None:
    second = member(2, source="uk-ncsc", title="Advisory: Pump", url="https://ncsc.example/2")
    told = note(Kind.CORROBORATION, "", member(), second, advisory_id=2)
    assert told.heading == "NCSC-UK tells the same story"
    assert told.lines[0][0].url == "https://ncsc.example/2"
    assert not told.broadcast


def test_a_notice_has_a_heading() -> None:
    told = compose_notice(replace(delivery(Kind.NOTICE, "CISA fails\nHTTP 503\nasked again"), subject="notice:x:y"))
    assert (told.heading, lines(told)) == ("CISA fails", ["HTTP 503", "asked again"])


def test_a_digest_counts_by_severity_and_begins_with_the_gravest() -> None:
    grave = member(
        2, Verdict(Relevance.DIRECT, severity=Severity.CRITICAL), title="Grave", cves=("CVE-2026-1",), cvss=9.8
    )
    stories = [Story(1, (member(),)), Story(2, (grave,))]
    digest = compose_digest(stories, {}, SOURCES, RULES)
    assert digest.heading == "2 new advisories: 1 critical, 1 medium"
    assert [(row.headline, row.story_id) for row in digest.rows] == [("Grave", 2), ("Pump", 1)]
    assert digest.rows[0].details == ("CVE-2026-1", "CVSS 9.8", "CISA, US", "10 Mar 2026")


@pytest.mark.parametrize("message", [card(member()), Note("Pump"), Digest("Pump", ())])
def test_every_message_has_a_bare_form(message: Card | Note | Digest) -> None:
    assert "Pump" in plain_note(message).heading


def test_a_card_tells_its_last_changes_newest_first() -> None:
    rows = [
        delivery(Kind.STORY),
        delivery(Kind.REVISION, "CVSS 7.5 stated", number=2),
        delivery(Kind.REVISION, "! severity up\nCVSS 9", number=3),
    ]
    assert told_changes(rows) == ("severity up", "CVSS 7.5 stated")
