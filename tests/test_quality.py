"""Classify, the trial of rules, and the figures: on small files of our own."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from bot.classify import classify_stream
from bot.errors import ConfigError
from bot.judge import Judge
from bot.model import Advisory, Relevance, Stored
from bot.quality import measure
from bot.rules import Rules
from bot.terms import parse_term
from bot.trial import judged_otherwise, score, test_rules

test_rules.__test__ = False  # type: ignore[attr-defined]
NOW = datetime(2024, 5, 26, 12, tzinfo=UTC)
RULES = """
relevance:
  - {id: place, title: A place of care, gives: direct, when: {lexicon: places}}
  - {id: pump, title: A pump, gives: direct, when: {words: [pump]}}
threats:
  - {id: ransomware, title: Ransomware, gives: ransomware, when: {words: [ransomware]}}
"""


def judge(*places: str) -> Judge:
    terms = tuple(parse_term(place) for place in places or ("hospital*", "病院"))
    return Judge(Rules.model_validate(yaml.safe_load(RULES)), {"places": terms})


def classified(*lines: str) -> tuple[list[dict[str, object]], list[str]]:
    complaints: list[str] = []
    return [json.loads(line) for line in classify_stream(lines, judge(), NOW, complaints.append)], complaints


def test_a_line_comes_back_with_its_verdict_and_all_it_held() -> None:
    line = json.dumps({"title": "ransomware at a hospital", "summary": "", "mine": {"x": [1]}, "key": "7"})
    ((told,), complaints) = classified(line)
    assert not complaints
    assert told["mine"] == {"x": [1]}
    assert (told["relevance"], told["threats"], told["severity"]) == ("direct", ["ransomware"], "info")
    assert told["reasons"] == [
        {"rule": "place", "clause": "lexicon:places", "words": "hospital", "where": "title:16-24"},
        {"rule": "ransomware", "clause": "ransomware", "words": "ransomware", "where": "title:0-10"},
    ]


def test_bad_lines_are_told_with_their_number_and_the_rest_goes_on() -> None:
    told, complaints = classified(
        '{"title": "hospital"}',
        "not json",
        "[1]",
        "",
        '{"summary": "no title"}',
        '{"title": "x", "cves": [1]}',
        '{"title": "x", "published": "yesterday"}',
        '{"title": "x", "cvss": "high"}',
        '{"title": "病院", "published": "2024-05-01", "cvss": 9, "vendors": "Acme"}',
    )
    assert [record["relevance"] for record in told] == ["direct", "direct"]
    assert [complaint.split(":")[0] for complaint in complaints] == [f"line {n}" for n in (2, 3, 5, 6, 7, 8)]
    assert "title is missing" in complaints[2]
    assert all("\n" not in complaint for complaint in complaints)


def test_memory_does_not_grow_with_the_stream() -> None:
    def lines() -> Iterator[str]:
        for number in range(4000):
            yield json.dumps({"title": f"hospital {number}", "summary": f"word{number} " * 20})

    stream = classify_stream(lines(), judge(), NOW, print)
    for _ in range(1000):
        next(stream)
    tracemalloc.start()
    for _ in stream:
        pass
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 2_000_000


def _write(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


LABELLED: list[dict[str, object]] = [
    {"title": "ransomware at a hospital", "relevant": True, "threat": "ransomware"},
    {"title": "a pump in a hospital", "relevant": True, "threat": "policy/other"},
    {"title": "a clinic attacked", "relevant": True, "threat": "policy/other"},
    {"title": "a water pump", "relevant": False},
    {"title": "a bank", "relevant": False},
    {"title": "a gym in a hospital", "relevant": False, "borderline": True},
]


def test_a_report_tells_precision_and_recall_overall_and_by_rule_and_what_went_wrong(tmp_path: Path) -> None:
    report = test_rules(_write(tmp_path / "labelled.jsonl", *LABELLED), judge(), now=NOW)
    assert (report.overall.right, report.overall.wrong, report.overall.missed) == (2, 1, 1)
    assert (round(report.overall.precision, 2), round(report.overall.recall, 2)) == (0.67, 0.67)
    assert (report.rules["place"].precision, round(report.rules["place"].recall, 2)) == (1.0, 0.67)
    assert (report.rules["pump"].right, report.rules["pump"].wrong) == (1, 1)
    assert [advisory.title for advisory in report.missed] == ["a clinic attacked"]
    assert [advisory.title for advisory, _ in report.false] == ["a water pump"]


def test_nothing_labelled_scores_without_a_fault() -> None:
    report = score([], judge(), now=NOW)
    assert (report.overall.precision, report.overall.recall, report.overall.f1) == (1.0, 1.0, 1.0)


def test_an_unlabelled_line_is_told_with_file_and_line(tmp_path: Path) -> None:
    path = _write(tmp_path / "labelled.jsonl", LABELLED[0], {"title": "x"})
    with pytest.raises(ConfigError, match=r"labelled\.jsonl:2: `relevant` must say true or false"):
        test_rules(path, judge(), now=NOW)
    with pytest.raises(ConfigError, match=r"nowhere\.jsonl: cannot be read"):
        test_rules(tmp_path / "nowhere.jsonl", judge(), now=NOW)


def test_one_more_word_shows_at_once_what_it_would_have_changed() -> None:
    old, titles = judge("hospital*"), ("a clinic", "a hospital", "a bank")
    advisories = [Advisory(source="s", key=title, title=title) for title in titles]
    history = [
        Stored(number, advisory, old.judge(advisory, now=NOW), 1, 0, NOW, NOW)
        for number, advisory in enumerate(advisories)
    ]
    changes = [judged_otherwise(judge("hospital*", "clinic"), stored, now=NOW) for stored in history]
    assert [change and (change.kind, change.before.relevance, change.after.relevance) for change in changes] == [
        ("newly relevant", Relevance.NONE, Relevance.DIRECT),
        None,
        None,
    ]
    assert str(changes[0]).endswith("a clinic  [place: clinic]")


def test_figures_are_measured_on_what_is_there_and_a_missing_folder_is_one_clear_line(tmp_path: Path) -> None:
    said: list[str] = []
    assert not measure(tmp_path / "nowhere", judge(), said.append, now=NOW)
    assert said == [f"quality: no labelled sets at {tmp_path / 'nowhere'}; nothing measured"]
    _write(tmp_path / "general.jsonl", *LABELLED)
    _write(tmp_path / "cisa-ics.jsonl", {"title": "Acme", "sectors": "hospital", "relevant": False, "vendors": []})
    _write(tmp_path / "unlabelled.jsonl", {"title": "hospital"}, {"title": "bank"})
    said.clear()
    assert measure(tmp_path, judge(), said.append, now=NOW, errors=True)
    text = "\n".join(said)
    assert "CISA, title and summary" in text
    assert "precision 0.667  recall 0.667  F1 0.667  (3 relevant)" in text
    assert "missed | a clinic attacked" in text
    assert "general, threats                 micro-precision 1.000" in text
    assert "direct 500.00 in 1,000 (1)" in text
    assert "advisories a second" in text


@pytest.mark.slow
def test_two_thousand_advisories_a_second() -> None:
    from time import process_time

    from tests.test_judge import shipped

    text = "Attackers exploited a flaw in a file transfer product to copy data of several companies, researchers said. "
    lines = [json.dumps({"title": f"Company {n} discloses a breach", "summary": text * 5}) for n in range(2000)]
    lines[::50] = [json.dumps({"title": "Hospital hit by ransomware", "summary": text * 5})] * len(lines[::50])
    list(classify_stream(lines[:100], shipped(), NOW, print))
    begin = process_time()
    count = sum(1 for _ in classify_stream(lines, shipped(), NOW, print))
    assert count / (process_time() - begin) > 1000  # 2,000 on a quiet machine; half of it on a busy one
