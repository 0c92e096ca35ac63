"""Many conditions at once must decide exactly as each by itself, and cost what matches."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.conditions import All, Any, Condition, Lexicon, Not, Words, match
from bot.fields import Field
from bot.model import Advisory, Relevance, Severity, Threat, Verdict
from bot.subject import Subject
from bot.terms import parse_term
from bot.watch import Watch

NOW = datetime(2024, 5, 26, 12, tzinfo=UTC)
LEXICONS = {
    "places": tuple(map(parse_term, ["hospital*", "care home", "*klinik*", "病院"])),
    "harm": tuple(map(parse_term, ["attack*", '"breach records"~3', "=LIS"])),
}
VOCABULARY = [
    "hospital",
    "hospitals",
    "care",
    "home",
    "attack",
    "breach",
    "of",
    "records",
    "LIS",
    "lis",
    "病院",
    "MX-800",
]
TERMS = ["hospital", "care home", "attack*", "*home", '"care attack"~2', "=LIS", "病院", "mx800", "800", "records"]
VENDORS = ["Philips", "GE Healthcare", "Becton Dickinson"]

texts = st.lists(st.sampled_from(VOCABULARY), max_size=9).map(" ".join)
names = st.lists(st.sampled_from(VENDORS), max_size=2).map(tuple)
subjects = st.builds(
    lambda title, summary, vendors, cves, cvss, kev, url, source, verdict, age: Subject(
        Advisory(
            source=source,
            key="k",
            title=title,
            summary=summary,
            vendors=vendors,
            cves=cves,
            cvss=cvss,
            kev=kev,
            url=url,
            published=NOW - timedelta(days=age),
        ),
        verdict,
        seen=NOW,
    ),
    texts,
    texts,
    names,
    st.sampled_from([(), ("CVE-2024-1234",), ("CVE-2023-9999", "CVE-2024-1")]),
    st.sampled_from([None, 5.0, 9.8]),
    st.booleans(),
    st.sampled_from(["", "https://example.org/icsma-24-001-01"]),
    st.sampled_from(["cisa", "cert-fr"]),
    st.builds(Verdict, st.sampled_from(Relevance), st.sampled_from([(), (Threat.DDOS,)]), st.sampled_from(Severity)),
    st.integers(0, 40),
)
fields = st.sampled_from(
    [
        {"field": "vendor", "is": ["philips", "becton dick*"]},
        {"field": "vendor", "is": "*care"},
        {"field": "source", "is": "cisa"},
        {"field": "cve", "is": "CVE-2024-*"},
        {"field": "cve", "is": ["cve-2024-1", "*-9999"]},
        {"field": "url", "is": "*icsma*"},
        {"field": "url", "is": ["*", "https://*"]},
        {"field": "source", "is": ["cert-fr*", "cisa cert"]},
        {"field": "cvss", "at_least": 7},
        {"field": "cvss", "is": "5"},
        {"field": "kev", "is": "yes"},
        {"field": "severity", "above": "medium"},
        {"field": "threat", "is": ["ddos", "fraud"]},
        {"field": "relevance", "is": "direct"},
        {"field": "published", "since": "30d"},
        {"field": "published", "is": "2024-05"},
    ]
).map(Field.model_validate)
leaves = st.one_of(
    fields,
    st.builds(
        lambda words, where: Words(words=tuple(words), in_=where),
        st.lists(st.sampled_from(TERMS), min_size=1, max_size=3),
        st.sampled_from(["anywhere", "title"]),
    ),
    st.builds(
        lambda name, where: Lexicon(lexicon=name, in_=where),
        st.sampled_from(sorted(LEXICONS)),
        st.sampled_from(["anywhere", "title"]),
    ),
)


def _branch(children: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    some = st.lists(children, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        some.map(lambda c: All(all=c)), some.map(lambda c: Any(any=c)), children.map(lambda c: Not(not_=c))
    )


trees = st.recursive(leaves, _branch, max_leaves=8)


@settings(max_examples=250, deadline=None)
@given(st.lists(trees, min_size=1, max_size=6), st.lists(subjects, min_size=1, max_size=3), st.data())
def test_watching_decides_as_matching_one_by_one(
    conditions: list[Condition], advisories: list[Subject], data: st.DataObject
) -> None:
    watch: Watch[int] = Watch(LEXICONS)
    for key, condition in enumerate(conditions):
        watch.add(key, condition)
    kept = dict(enumerate(conditions))
    for key in data.draw(st.sets(st.sampled_from(sorted(kept)))):
        watch.remove(key)
        del kept[key]
    for subject in advisories:
        alone = {k: match(c, subject, now=NOW, lexicons=LEXICONS) for k, c in kept.items()}
        found = watch.match(subject, now=NOW)
        assert {k: set(e) for k, e in found.items()} == {k: set(e) for k, e in alone.items() if e is not None}


def _subject(title: str, **fields: object) -> Subject:
    return Subject(Advisory(source="s", key="k", title=title, **fields), seen=NOW)  # type: ignore[arg-type]


def test_an_advisory_without_an_address_meets_only_patterns_that_fit_nothing() -> None:
    watch: Watch[str] = Watch()
    for pattern in ("*", "*icsma*"):
        watch.add(pattern, Field.model_validate({"field": "url", "is": pattern}))
    assert set(watch.match(_subject("a title"), now=NOW)) == {"*"}
    assert set(watch.match(_subject("a title", url="https://a.example/icsma-1"), now=NOW)) == {"*", "*icsma*"}


def test_a_removed_condition_is_forgotten_and_leaves_nothing_behind() -> None:
    watch: Watch[str] = Watch()
    watch.add("a", Words(words=("hospital",)))
    watch.add("b", Words(words=("hospital", "attack*")))
    watch.remove("b")
    assert set(watch.match(_subject("Hospital under attack"), now=NOW)) == {"a"}
    watch.remove("a")
    assert not watch.match(_subject("Hospital under attack"), now=NOW)
    assert not watch.scan(_subject("Hospital under attack")).by_term
    with pytest.raises(KeyError):
        watch.remove("a")


def test_adding_under_the_same_key_replaces() -> None:
    watch: Watch[str] = Watch()
    watch.add("a", Words(words=("hospital",)))
    watch.add("a", Words(words=("clinic",)))
    assert len(watch) == 1
    assert not watch.match(_subject("hospital"), now=NOW)
    assert watch.match(_subject("clinic"), now=NOW)["a"][0].words == "clinic"


def test_an_unknown_lexicon_is_refused_when_it_is_added() -> None:
    watch: Watch[str] = Watch(LEXICONS)
    with pytest.raises(KeyError):
        watch.add("a", Lexicon(lexicon="plaecs"))
    assert len(watch) == 0


def test_ten_thousand_conditions_cost_what_they_match_and_one_is_added_at_once() -> None:
    watch: Watch[int] = Watch(LEXICONS)
    for number in range(10_000):
        watch.add(
            number,
            All(all=(Words(words=(f"product{number}", f"brand{number} suite")), Field(field="cvss", at_least=7))),
        )
    subject = _subject("Brand7 Suite and product8 in a hospital under attack", cvss=9.8)
    begin = time.perf_counter()
    assert set(watch.match(subject, now=NOW)) == {7, 8}
    assert time.perf_counter() - begin < 0.02  # 10,000 trees one by one take 20 times as long
    begin = time.perf_counter()
    for number in range(100):
        watch.add(20_000 + number, Words(words=(f"thing{number}",)))
    assert (time.perf_counter() - begin) / 100 < 0.001
