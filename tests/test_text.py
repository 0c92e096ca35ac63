"""Words are the same words whoever writes them, and nothing but words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.text import MAX_TOKEN, fold, is_unspaced, tokens, visible, words

READINGS = [
    ("Hospital, attacked!", ["hospital", "attacked"]),
    ("Krankenhäuser KRANKENHÄUSER", ["krankenhauser", "krankenhauser"]),
    ("Øresund Łódź Straße Œuvre", ["oresund", "lodz", "strasse", "oeuvre"]),
    ("ΝΟΣΟΚΟΜΕΊΟΥΣ νοσοκομείους", ["νοσοκομειουσ", "νοσοκομειουσ"]),
    ("Лікарня", ["лікарня".replace("\u0456", "\u0456")]),
    ("ｆｕｌｌ ﬁle", ["full", "file"]),
    ("e\u0301cole école", ["ecole", "ecole"]),
    ("病院への攻撃", list("病院への攻撃")),
    ("병원 서울", list("병원서울")),
    ("โรง", list("โรง")),
    ("MX-800", ["mx", "800"]),
    ("GE/Philips (2024)", ["ge", "philips", "2024"]),
    ("available lab", ["available", "lab"]),
    ("snake_case", ["snake", "case"]),
    ("", []),
    ("–—…!?", []),
]


@pytest.mark.parametrize(("text", "expected"), READINGS, ids=[text or "empty" for text, _ in READINGS])
def test_words_of(text: str, expected: list[str]) -> None:
    assert list(words(text)) == expected


def test_spans_point_into_the_text() -> None:
    found = tokens("A Krankenhäuser, 病院!")
    assert [found.text[start:end] for start, end in found.spans] == ["A", "Krankenhäuser", "病", "院"]
    assert found.text[slice(*found.slice(1, 4))] == "Krankenhäuser, 病院"


def test_joined_words_are_kept_in_parts_and_whole() -> None:
    found = tokens("Philips MX-800, CVE-2024-1234 and HL7_FHIR; a - b")
    whole = {word: found.words[first:after] for first, (word, after) in found.joined.items()}
    assert whole == {"mx800": ("mx", "800"), "cve20241234": ("cve", "2024", "1234"), "hl7fhir": ("hl7", "fhir")}
    assert tokens("Röntgen‑Gerät").joined == {0: ("rontgengerat", 2)}


def test_a_run_of_letters_is_cut() -> None:
    assert words("x" * 5000) == ("x" * MAX_TOKEN,)
    assert words("é" * 5000) == ("e" * MAX_TOKEN,)


def test_kana_keep_their_marks_and_unspaced_scripts_are_known() -> None:
    assert fold("ガ") == "ガ"
    assert is_unspaced("病")
    assert not is_unspaced("h")


def test_what_cannot_be_seen_is_left_out() -> None:
    assert visible("safe\u202egnp.exe\u200b\x00\x1b") == "safegnp.exe"
    assert visible("a\nb\tc\u2028d") == "a b c d"
    assert visible("a\nb", keep="\n") == "a\nb"
    assert visible("plain") == "plain"


@given(st.text())
def test_any_text_gives_folded_words_in_order(text: str) -> None:
    found = tokens(text)
    assert len(found.words) == len(found.spans)
    assert all(0 < len(word) <= MAX_TOKEN for word in found.words)
    edges = [edge for span in found.spans for edge in span]
    assert edges == sorted(edges)
    assert all(after <= len(found.words) and after > first + 1 for first, (_, after) in found.joined.items())


@given(st.text(st.characters(categories=("Lu", "Ll", "Nd", "Zs", "Pd")), max_size=30))
def test_writing_in_another_case_changes_no_ascii_word(text: str) -> None:
    if text.isascii():
        assert words(text.upper()) == words(text.lower())


@given(st.text(max_size=30))
def test_words_stay_words(text: str) -> None:
    once = words(text)
    assert words(" ".join(once)) == once
