"""A rule file that a person mistypes is refused with one line: where, what, and the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.lexicons import load_lexicons
from bot.rules import load_rules
from bot.terms import parse_term
from bot.trial import describe_rules

GOOD = """\
masks: [never]
lists: {lexicon: places}
relevance:
  - id: place
    title: A place of care
    gives: direct
    when: {lexicon: places}
"""
LEXICONS = {
    "places": [parse_term("hospital")],
    "never": [parse_term("animal hospital")],
    "wide": [parse_term('"hospital food"~5')],
}


def _refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_rules(path, LEXICONS)
    assert "\n" not in str(refused.value)
    return str(refused.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("right", "wrong", "line", "said"),
    [
        ("{lexicon: places}\n", "{lexicon: plaecs}\n", 2, "no lexicon 'plaecs'; did you mean \"places\"?"),
        ("    gives: direct", "    givse: direct", 6, 'unknown name; did you mean "gives"?'),
        ("    gives: direct", "    gives: dirct", 6, 'did you mean "direct"?'),
        ("    gives: direct", "    gives: none", 6, "use direct or mention"),
        ("    when: {lexicon: places}", "    note: nothing", 4, "a rule needs `when` or `fact`"),
        ("    when: {lexicon: places}", "    when: {lexicn: places}", 7, 'did you mean "lexicon"?'),
        ("    when: {lexicon: places}", "    fact: healthpublisher", 7, 'did you mean "health-publisher"?'),
        (
            "    when: {lexicon: places}",
            "    fact: few-sectors\n    beside: {lexicon: places}",
            4,
            "`beside` needs `when`",
        ),
        ("    when: {lexicon: places}", "    when: {words: ['a*']}", 7, "at least two letters"),
        ("  - id: place", "  - id: A Place", 4, "id"),
        ("masks: [never]", "masks: [nevr]", 1, "masks: no lexicon 'nevr'; did you mean \"never\"?"),
        ("masks: [never]", "masks: [never", 2, "not valid YAML"),
        ("masks: [never]", "masks: [wide]", 1, "masks: lexicon 'wide' holds \"hospital food\"~5, which would hide all"),
        ("masks: [never]", "denials: {lexicon: wide, hides: [places]}", 1, "denials: lexicon 'wide' holds"),
        ("masks: [never]", "denials: {lexicon: never, hides: [plaecs]}", 1, 'did you mean "places"?'),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, right: str, wrong: str, line: int, said: str) -> None:
    assert right in GOOD
    message = _refused(tmp_path, GOOD.replace(right, wrong, 1))
    assert message.startswith(f":{line}: ")
    assert said in message


def test_two_rules_with_one_id_are_refused(tmp_path: Path) -> None:
    again = GOOD + "  - {id: place, title: Again, gives: mention, when: {lexicon: never}}\n"
    assert "two rules have the id 'place'" in _refused(tmp_path, again)


def test_a_lexicon_that_is_mistyped_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "places.yaml").write_text("about: places\ntrems: {en: [hospital]}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r'places\.yaml:2: trems: unknown name; did you mean "terms"\?'):
        load_lexicons(tmp_path)
    (tmp_path / "places.yaml").write_text(
        "about: places\nterms:\n  en:\n    - hospital\n    - '***'\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"places\.yaml:5: terms\.en\[1\]: no word in"):
        load_lexicons(tmp_path)


def test_a_lexicon_keeps_each_meaning_once(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "about: x\nterms: {en: [Clinic, clinic], fr: [clinic, =NHS, nhs]}\n", encoding="utf-8"
    )
    assert [term.text for term in load_lexicons(tmp_path)["x"]] == ["clinic", "=NHS", "nhs"]


def test_a_korean_term_with_a_space_stands_beside_the_one_without(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("about: pumps\nterms:\n  ko: [인퓨전 펌프, 인퓨전펌프]\n", encoding="utf-8")
    assert [term.text for term in load_lexicons(tmp_path)["x"]] == ["인퓨전 펌프", "인퓨전펌프"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="folder not found"):
        load_lexicons(tmp_path / "nowhere")


def test_rules_are_listed_with_what_they_test(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD, encoding="utf-8")
    (line,) = describe_rules(load_rules(path, LEXICONS))
    assert (line.table, line.id, line.title, line.gives) == ("relevance", "place", "A place of care", "direct")
    assert line.tests == 'when {"lexicon":"places"}'
