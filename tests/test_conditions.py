"""A condition decides as its reader expects, shows its evidence, and a wrong one is refused in a helpful line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pydantic
import pytest

from bot.conditions import All, Any, Condition, Not, Words, lexicons_used, match
from bot.errors import ConfigError
from bot.fields import Field
from bot.model import Advisory, Relevance, Severity, Threat, Tlp, Verdict
from bot.query import parse
from bot.subject import Subject
from bot.terms import parse_term
from bot.yamlfile import load

NOW = datetime(2024, 5, 26, 12, tzinfo=UTC)
LEXICONS = {"places": (parse_term("hospital*"), parse_term("care home"))}
ADVISORY = Advisory(
    source="us-cisa-icsma",
    key="k",
    title="Philips infusion pump: buffer overflow",
    summary="Attackers on the hospital network could stop the pump. LIS is not affected.",
    url="https://cisa.example/ICS-Medical-Advisories/icsma-24-001",
    published=datetime(2024, 5, 20, 8, tzinfo=UTC),
    language="en",
    organisation="CISA, the US cyber agency",
    country="US",
    cves=("CVE-2024-1234", "CVE-2023-9"),
    cvss=9.8,
    kev=True,
    vendors=("Philips", "Becton, Dickinson and Company"),
    products=("Tasy EMR",),
    sectors=("Healthcare and Public Health",),
    tlp=Tlp.GREEN,
)
VERDICT = Verdict(Relevance.DIRECT, (Threat.VULNERABILITY, Threat.DDOS), Severity.HIGH)
SUBJECT = Subject(ADVISORY, VERDICT, seen=NOW)
BARE = Subject(Advisory(source="s", key="k", title="nothing"), seen=NOW)

HOLDS = [
    "pump",
    '"infusion pump"',
    "hospital philips",
    "tasy",  # names count as text
    "title:philips",
    "=LIS",
    '"pump hospital"~9',
    "lexicon:places",
    "-vmware",
    "-title:hospital",
    "vendor:philips",
    "vendor:becton*",
    'vendor:"becton dickinson"',
    "vendor:siemens,philips",
    'product:"tasy emr"',
    "sector:healthcare",
    "source:us-cisa-icsma",
    "source:cisa",
    "organisation:cyber",
    "country:us",
    "country:de,us",
    "language:EN",
    "url:*ics-medical*",
    "cve:cve-2024-1234",
    "cve:CVE-2023-*",
    "cve:*",
    "cvss:>=9.8",
    "cvss:>9",
    "cvss:<=9.8",
    "cvss:9.8",
    "severity:>=medium",
    "severity:<critical",
    "relevance:direct",
    "threat:ransomware,ddos",
    "kev:yes",
    "tlp:green",
    "since:7d",
    "published:2024",
    "published:2024-05",
    "published:2024-05-20",
    "published:>=2024-05-20",
    "published:<2024-05-21",
]
FAILS = [
    "pum",
    '"pump infusion"',
    "hospital vmware",
    "title:hospital",
    "=lis",
    "title:lexicon:places",
    "-pump",
    "vendor:phil",
    "vendor:dickinson-becton",
    "source:cis",
    "country:u",
    "cve:CVE-2024-123",
    "cvss:>9.8",
    "severity:>high",
    "severity:low,critical",
    "relevance:<direct",
    "threat:ransomware",
    "kev:no",
    "tlp:clear",
    "since:5d",
    "epss:>=0",  # nothing is known of it
    "published:2024-06",
    "published:<2024-05-20",
    "published:>2024-05-20T08:00:00",
]


def found(query: str, subject: Subject = SUBJECT) -> tuple[object, ...] | None:
    return match(parse(query, lexicons=LEXICONS), subject, now=NOW, lexicons=LEXICONS)


@pytest.mark.parametrize("query", HOLDS)
def test_it_holds(query: str) -> None:
    assert found(query) is not None


@pytest.mark.parametrize("query", FAILS)
def test_it_does_not_hold(query: str) -> None:
    assert found(query) is None


def test_where_an_advisory_says_nothing_only_the_opposite_holds() -> None:
    for query in ("cvss:>=0", "cve:*", "vendor:philips", "threat:ddos", "epss:<=1"):
        assert found(query, BARE) is None
        assert found(f"-{query}", BARE) == ()
    assert found("kev:no", BARE)
    assert found("published:2024-05-26", BARE)  # first seen stands in for the date


def test_evidence_says_what_was_found_and_where() -> None:
    evidence = match(parse("(pump OR lexicon:places) vendor:phi* -vmware"), SUBJECT, now=NOW, lexicons=LEXICONS)
    assert evidence is not None
    assert [(one.clause, one.words, one.place) for one in evidence] == [
        ("pump", "pump", "title"),
        ("pump", "pump", "text"),
        ("lexicon:places", "hospital", "text"),
        ("vendor", "Philips", "field"),
    ]
    for one in evidence[:3]:
        text = ADVISORY.title if one.place == "title" else ADVISORY.summary
        assert text[one.start : one.end] == one.words
    assert evidence[3].start == -1


def test_no_phrase_runs_from_one_name_into_the_next() -> None:
    assert found('"philips becton"') is None
    assert found('"becton dickinson"') is not None


def test_times_without_end_do_no_harm() -> None:
    assert found("published:9999") is None
    assert found("published:9999-12-31") is None
    assert found("since:36500d") is not None
    early = Subject(ADVISORY, VERDICT, seen=NOW)
    assert match(parse("since:36500d"), early, now=datetime(50, 1, 1, tzinfo=UTC)) is not None


def test_a_time_in_another_zone_is_the_same_moment() -> None:
    assert found("published:<=2024-05-20T10:00:00+02:00") is not None
    assert found("published:<2024-05-20T10:00:00+02:00") is None


class Rule(pydantic.BaseModel):
    when: Condition


GOOD = """
when:
  all:
    - words: [hospital, ransom*]
      in: title
    - not: {lexicon: places}
    - any:
      - {field: vendor, is: philips}
      - {field: kev, is: yes}
      - {field: cvss, at_least: 7}
      - {field: published, since: 30d}
"""


def test_a_tree_is_written_in_yaml(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text(GOOD)
    condition = load(tmp_path / "rule.yaml", Rule).when
    assert condition == All(
        all=(
            Words(words=("hospital", "ransom*"), in_="title"),
            Not(not_=parse("lexicon:places")),
            Any(
                any=(
                    Field.model_validate({"field": "vendor", "is": ("philips",)}),
                    Field.model_validate({"field": "kev", "is": "yes"}),
                    Field.model_validate({"field": "cvss", "at_least": 7}),
                    Field.model_validate({"field": "published", "since": timedelta(days=30)}),
                )
            ),
        )
    )
    assert lexicons_used(condition) == {"places"}


BAD = [
    ("wrods: [x]", '"words"'),
    ("words: []", "at least 1"),
    ('words: ["*"]', "no word"),
    ("words: [x*]", "two letters"),
    ("all: []", "at least 1"),
    ("just text", "a condition is a mapping"),
    ("{field: vendro, is: x}", "vendor"),
    ("{field: vendor}", "exactly one of"),
    ("{field: vendor, is: x, since: 3d}", "exactly one of"),
    ("{field: vendor, since: 3d}", "since belongs to published"),
    ("{field: vendor, at_least: x}", "has no order"),
    ("{field: vendor, is: '…'}", "needs a word"),
    ("{field: vendor, is: g*}", "two letters"),
    ("{field: severity, is: hihg}", '"high"'),
    ("{field: kev, is: maybe}", "yes or no"),
    ("{field: cvss, at_least: 11}", "between 0 and 10"),
    ("{field: epss, is: much}", "needs a number"),
    ("{field: published, is: soon}", "not a date"),
    ("{field: published, since: 99999999999d}", "too long"),
    ("{field: published, since: 0s}", "at least one"),
    ("{words: [x], lexicon: y}", "lexicon"),
]


@pytest.mark.parametrize(("yaml", "says"), BAD, ids=[yaml for yaml, _ in BAD])
def test_a_wrong_tree_is_refused_with_what_would_be_right(tmp_path: Path, yaml: str, says: str) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text(f"when:\n  {yaml}\n")
    with pytest.raises(ConfigError) as caught:
        load(file, Rule)
    assert says in str(caught.value)
    assert "rule.yaml" in str(caught.value)


def test_since_counts_back_from_now() -> None:
    later = NOW + timedelta(days=3)
    assert match(parse("since:7d"), SUBJECT, now=NOW) is not None
    assert match(parse("since:7d"), SUBJECT, now=later) is None


@pytest.mark.parametrize(
    "written", [{"at_least": 2024}, {"at_least": date(2024, 1, 1)}, {"is": 2024}, {"is": [date(2024, 3, 1)]}]
)
def test_a_date_of_yaml_is_taken_as_written(written):
    test = Field.model_validate({"field": "published"} | written)
    assert field_holds(test, published=datetime(2024, 3, 1, 12, tzinfo=UTC))
    assert not field_holds(test, published=datetime(2023, 3, 1, tzinfo=UTC))


def test_a_cve_is_found_without_its_letters():
    test = Field.model_validate({"field": "cve", "is": "2024-12*"})
    assert field_holds(test, cves=("CVE-2024-1234",))
    assert not field_holds(test, cves=("CVE-2023-1234",))


def field_holds(test, **facts):
    advisory = Advisory(source="us-cisa-all", key="1", title="A", **facts)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return match(test, Subject(advisory, seen=now), now=now) is not None
