"""Terms: words, phrases, prefixes, compounds, nearness; how a person writes them, and where one stands in a text.

    hospital            the word, whole
    patient monitor     the words in a row
    ransom*             a word that begins so;  *klinikum  one that ends so;  *klinik*  one that holds it
    =LIS                in exactly this case
    "hospital attack"~5 all words with at most five others between the first and the last, in any order

Korean is written with spaces though a syllable is a word here: syllables that touch in a term must touch in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bot.text import Tokens, is_hangul, is_unspaced, tokens

MAX_TERM_WORDS = 24
MAX_NEARNESS = 50
_NEAR = re.compile(r'^"(?P<words>[^"]*)"~(?P<distance>\d+)$')


@dataclass(frozen=True, slots=True)
class Term:
    """One parsed term. ``words`` are folded and may begin or end with ``*``; ``text`` is how it was written."""

    text: str
    words: tuple[str, ...]
    exact: tuple[str, ...] = ()  # the words in the case that is asked for
    near: int | None = None  # at most so many other words between the first and the last
    touching: tuple[int, ...] = ()  # words that must follow the one before without a space
    letters: tuple[str, ...] = ()  # of a nearness, what ``Tokens.folded`` holds wherever all its words stand

    @property
    def plain(self) -> bool:
        """Whether its words in a row are all it asks for."""
        return not (self.exact or self.touching or self.near is not None)

    def __hash__(self) -> int:
        return hash(self.text)


class Hit(NamedTuple):
    """A term found: words ``first`` up to ``after`` of a text, characters ``start`` to ``end``."""

    first: int
    after: int
    start: int
    end: int


@lru_cache(maxsize=65536)
def parse_term(text: str) -> Term:
    """Read a term. Raises ValueError with one line when nothing could ever match it."""
    near = _NEAR.match(text)
    if near:
        distance = int(near["distance"])
        words = _words(near["words"])
        if len(words) < 2 or distance > MAX_NEARNESS:
            raise ValueError(f"nearness needs two words or more and a distance up to {MAX_NEARNESS}: {text}")
        return Term(
            text, words, near=distance, letters=tuple(f" {word} ".replace(" *", "").replace("* ", "") for word in words)
        )
    exact = text.startswith("=")
    words = _words(text[1:] if exact else text.strip('"'))
    if not words:
        raise ValueError(f"no word in {text!r}")
    if len(words) > MAX_TERM_WORDS:
        raise ValueError(f"more than {MAX_TERM_WORDS} words in {text[:60]!r}")
    if exact:
        found = tokens(text[1:])
        return Term(text, words, exact=tuple(found.text[start:end] for start, end in found.spans))
    return Term(text, words, touching=_touching(text, words))


def _touching(text: str, words: tuple[str, ...]) -> tuple[int, ...]:
    """Which syllables of Hangul touch the one before, in a term as written."""
    if not any(map(is_hangul, words)):
        return ()
    spans = tokens(text).spans
    return tuple(
        at
        for at in range(1, len(words))
        if is_hangul(words[at]) and is_hangul(words[at - 1]) and spans[at - 1][1] == spans[at][0]
    )


def _words(text: str) -> tuple[str, ...]:
    words: list[str] = []
    for chunk in text.split():
        parts = list(tokens(chunk.strip("*")).words)
        if not parts:
            continue
        if chunk.startswith("*") and not is_unspaced(parts[0]):
            parts[0] = _wild(chunk, "*" + parts[0])
        if chunk.endswith("*") and not is_unspaced(parts[-1]):
            parts[-1] = _wild(chunk, parts[-1] + "*")
        words += parts
    return tuple(words)


def _wild(chunk: str, word: str) -> str:
    if len(word.strip("*")) < 2:
        raise ValueError(f"a * needs at least two letters beside it: {chunk}")
    return word


def word_matches(pattern: str, word: str) -> bool:
    """Whether a folded word fits a word of a term."""
    if "*" not in pattern:
        return pattern == word
    core = pattern.strip("*")
    if pattern[0] == "*" and pattern[-1] == "*":
        return core in word
    return word.endswith(core) if pattern[0] == "*" else word.startswith(core)


def confirm(term: Term, text: Tokens, first: int, after: int) -> Hit | None:
    """The hit of ``term`` at words ``first`` to ``after``, if its case and nearness agree."""
    if term.exact and tuple(text.text[s:e] for s, e in text.spans[first:after]) != term.exact:
        return None
    if term.touching and any(text.spans[first + at - 1][1] != text.spans[first + at][0] for at in term.touching):
        return None
    if term.near is not None:
        window = _nearby(term, text, first)
        if window is None:
            return None
        first, after = window
    start, end = text.slice(first, after)
    return Hit(first, after, start, end)


def _nearby(term: Term, text: Tokens, at: int) -> tuple[int, int] | None:
    """The narrowest stretch around word ``at`` that holds all words of a nearness, within its distance."""
    folded = text.folded
    for letters in term.letters:
        if letters not in folded:
            return None
    reach = len(term.words) + (term.near or 0)
    around = text.words[max(0, at - reach + 1) : at + reach]
    if not all(_holds(around, pattern) for pattern in term.words):
        return None
    best: tuple[int, int] | None = None
    for first in range(at, max(-1, at - reach), -1):
        if best is not None and at + 1 - first > best[1] - best[0]:
            break
        missing = list(term.words)
        for index in range(first, min(first + reach, len(text.words))):
            word = text.words[index]
            fits = next((pattern for pattern in missing if word_matches(pattern, word)), None)
            if fits:
                missing.remove(fits)
            if not missing:
                if index >= at and (best is None or index + 1 - first <= best[1] - best[0]):
                    best = (first, index + 1)
                break
    return best


def _holds(words: tuple[str, ...], pattern: str) -> bool:
    return any(word_matches(pattern, word) for word in words) if "*" in pattern else pattern in words
