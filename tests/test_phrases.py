"""A term finds what a person means by it, with the place, and an index of many finds what each would."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.phrases import PhraseIndex, find_term
from bot.terms import Term, parse_term, word_matches
from bot.text import tokens


def places(term: str, text: str) -> list[str]:
    """The stretches of ``text`` where ``term`` stands."""
    found = tokens(text)
    return [found.text[hit.start : hit.end] for hit in find_term(parse_term(term), found)]


FINDS = [
    ("hospital", "A Hospital was hit; hospitals too", ["Hospital"]),
    ("lab", "available labs", []),
    ("patient monitor", "the Patient  Monitor, not patient's monitor", ["Patient  Monitor"]),
    ("ransom*", "ransom, ransomware and unransomed", ["ransom", "ransomware"]),
    ("*klinikum", "Uniklinikum und Klinikums", ["Uniklinikum"]),
    ("*klinik*", "Poliklinika, Klinik", ["Poliklinika", "Klinik"]),
    ("infusion pump*", "infusion pumps", ["infusion pumps"]),
    ("=LIS", "the LIS, not lis or Lis", ["LIS"]),
    ("=Dr. Web", "Dr Web and dr. web", ["Dr Web"]),
    ("mx800", "Philips MX-800", ["MX-800"]),
    ("MX-800", "Philips MX 800 and MX-800", ["MX 800", "MX-800"]),
    ("CVE-2024-1234", "see cve-2024-1234.", ["cve-2024-1234"]),
    ("CVE-2024-1234", "see CVE-2024-12345", []),
    ("病院", "総合病院への攻撃", ["病院"]),
    ("Krankenhäuser", "KRANKENHAUSER", ["KRANKENHAUSER"]),
    ('"hospital attack"~5', "attack on the large hospital", ["attack on the large hospital"]),
    ('"hospital attack"~2', "attack on the large hospital", []),
    ('"hospital attack"~3', "attack on the large hospital", ["attack on the large hospital"]),
    ('"klinik* angriff*"~2', "Angriffe auf Kliniken", ["Angriffe auf Kliniken"]),
    ('"a b b"~0', "b a b", ["b a b"]),
    ('"a b b"~0', "a b", []),
    ('"breach records"~5', "breach x records y breach records", ["breach x records", "breach records"]),
]


@pytest.mark.parametrize(("term", "text", "found"), FINDS, ids=[f"{term} in {text}" for term, text, _ in FINDS])
def test_a_term_finds(term: str, text: str, found: list[str]) -> None:
    assert places(term, text) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no word"),
        ("…", "no word"),
        ("=", "no word"),
        ("*", "no word"),
        ("x*", "two letters"),
        ("patient *m", "two letters"),
        ('"hospital"~5', "two words"),
        ('"hospital attack"~51', "up to 50"),
        ("word " * 25, "more than 24 words"),
    ],
)
def test_a_term_that_could_never_match_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse_term(text)
    assert "\n" not in str(caught.value)


def test_one_character_of_an_unspaced_script_needs_no_second_beside_its_star() -> None:
    assert parse_term("病*").words == ("病",)


def test_removing_leaves_the_others_and_nothing_of_its_own() -> None:
    index: PhraseIndex[str] = PhraseIndex()
    for term in ("care home", "care", "care hom*", '"care attack"~2'):
        index.add(parse_term(term), term)
    index.add(parse_term("care"), "care")  # twice counts once
    index.remove(parse_term("care home"), "care home")
    found = {key for key, _, _ in index.find(tokens("care home attack"))}
    assert found == {"care", "care hom*", '"care attack"~2'}
    for term in ("care", "care hom*", '"care attack"~2'):
        index.remove(parse_term(term), term)
    assert not list(index.find(tokens("care home attack")))
    with pytest.raises(KeyError):
        index.remove(parse_term("care"), "care")


VOCABULARY = ["care", "home", "homes", "attack", "MX-800", "病院", "Klinik", "of", "LIS", "lis"]
TERMS = ["care", "care home", "home*", "*home", "*om*", "mx800", "800", "病院", "院", "klin* of", "=LIS"]
TERMS += ['"care attack"~1', '"home* care"~2', "of care home", "=care home"]


def _slowly(term: Term, words: tuple[str, ...], at: int) -> bool:
    """Whether the words of ``term`` begin at ``at``, by comparing each."""
    held = words[at : at + len(term.words)]
    return len(held) == len(term.words) and all(map(word_matches, term.words, held))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(VOCABULARY), max_size=10).map(" ".join), st.sets(st.sampled_from(TERMS)))
def test_an_index_finds_what_each_term_finds_alone(text: str, chosen: set[str]) -> None:
    index: PhraseIndex[str] = PhraseIndex()
    for term in chosen:
        index.add(parse_term(term), term)
    found = tokens(text)
    together = {(key, hit) for key, _, hit in index.find(found)}
    assert together == {(term, hit) for term in chosen for hit in find_term(parse_term(term), found)}
    for term in map(parse_term, chosen):
        if term.near is None and not term.exact:
            starts = {first for first in range(len(found.words)) if _slowly(term, found.words, first)}
            assert starts <= {hit.first for key, hit in together if key == term.text}


@given(st.text(max_size=40))
def test_any_text_is_a_term_or_refused(text: str) -> None:
    try:
        term = parse_term(text)
    except ValueError:
        return
    assert term.words
    assert all(word.strip("*") for word in term.words)


@pytest.mark.parametrize("text", ["a " * 20_000, "a b c " * 7_000, "a b c d " * 5_000])
def test_a_long_text_of_few_words_stays_quick(text: str) -> None:
    index: PhraseIndex[int] = PhraseIndex()
    index.add(parse_term('"a b c d"~50'), 1)
    index.add(parse_term("a a a a a b"), 2)
    begin = time.process_time()
    assert bool(list(index.find(tokens(text)))) == ("d" in text)
    assert time.process_time() - begin < 2


def test_korean_syllables_of_one_word_must_touch() -> None:
    medical_school = parse_term("의대")
    assert find_term(medical_school, tokens("서울의대 병원 해킹"))
    assert not find_term(medical_school, tokens("금융권의 대규모 해킹"))
    assert find_term(parse_term("문서 유출"), tokens("내부 문서 유출 사고"))
