"""The one tokeniser: it serves the matcher, the full-text index and the highlighter, so that they can never disagree.

Text is NFKC-normalised and split into words of letters and digits; case and diacritics are folded. Scripts written
without spaces (Han, kana, Hangul, Thai) give one token a character, so that a phrase of characters is found inside a
sentence. Words joined by hyphens or underscores are kept in parts *and* whole: ``MX-800`` is ``mx`` followed by
``800``, and also ``mx800``.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, bidi overrides, zero-width, surrogates, unassigned
MAX_TOKEN = 64  # characters; a longer run of letters is cut, the same way for the matcher and the index

_UNSPACED = (
    "\u0e00-\u0e7f\u1100-\u11ff\u3005\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_ASCII_GAPS = bytes(code if chr(code).isalnum() else 32 for code in range(128)).ljust(256)
_JOINT = re.compile("[-_\u2010\u2011]")
_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")


_LETTERS = {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t"}
_LETTERS["ς"] = "σ"


class _Folding(dict[int, str]):
    """One character to its folded form, filled as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        first, *marks = list(unicodedata.normalize("NFD", character))
        if character in _LETTERS:
            folded = _LETTERS[character]
        elif 0x300 <= code <= 0x36F:
            folded = ""
        elif ord(first) < 0x530 and all(0x300 <= ord(mark) <= 0x36F for mark in marks):
            folded = _LETTERS.get(first, first)  # Latin, Greek, Cyrillic; kana and Hangul keep their marks
        else:
            folded = character
        self[code] = folded
        return folded


_FOLDING = _Folding()


_MARKS = str.maketrans("\u2120\u2122", "  ")  # service and trade marks would melt into the word before them


def normalised(text: str) -> str:
    """``text`` as the tokeniser reads it: NFKC, and no trade marks."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text.translate(_MARKS))


def fold(text: str) -> str:
    """NFKC, case and diacritics folded: ``"Krankenhäuser"`` -> ``"krankenhauser"``, ``"ŁÓDŹ"`` -> ``"lodz"``."""
    if text.isascii():
        return text.lower()
    return normalised(text).casefold().translate(_FOLDING)


def is_unspaced(word: str) -> bool:
    """Whether ``word`` is a character of a script written without spaces."""
    return bool(_UNSPACED_CHARACTER.match(word))


def is_hangul(word: str) -> bool:
    """Whether ``word`` is a syllable or letter of Hangul."""
    return bool(_HANGUL.match(word))


@dataclass(eq=False)
class Tokens:
    """The words of a text in order. ``words[i]`` stands at characters ``spans[i]`` of ``text`` (NFKC).

    ``joined[i]`` lists whole forms that begin at word ``i``: (whole form, index of the word after it).
    """

    text: str
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    joined: dict[int, tuple[str, int]] = field(default_factory=dict)

    @cached_property
    def folded(self) -> str:
        """All words with a space before and after each, to see quickly that letters are nowhere among them."""
        return f" {' '.join(self.words)} "

    def slice(self, first: int, after: int) -> tuple[int, int]:
        """Character offsets of words ``first`` up to (not with) ``after``."""
        return self.spans[first][0], self.spans[after - 1][1]


def tokens(text: str) -> Tokens:
    """The tokens of ``text``."""
    if text.isascii():
        lowered = text.lower()
        spans = tuple([m.span() for m in _ASCII_WORD.finditer(lowered)])
        words = tuple(lowered.encode().translate(_ASCII_GAPS).decode().split())
        if words and max(map(len, words)) > MAX_TOKEN:
            words = tuple([word[:MAX_TOKEN] for word in words])
    else:
        text = normalised(text)
        found = [(m.span(), fold(m[0])[:MAX_TOKEN]) for m in _WORD.finditer(text)]
        spans = tuple(span for span, word in found if word)
        words = tuple(word for _, word in found if word)
    return Tokens(text, words, spans, _joined(text, words, spans))


def _joined(text: str, words: tuple[str, ...], spans: tuple[tuple[int, int], ...]) -> dict[int, tuple[str, int]]:
    """The whole forms by the word they begin at: found from the hyphens, which are few."""
    runs: dict[int, int] = {}  # first word of a run of joined ones -> the word after it
    first = after = -1
    spaced = text.isascii()
    for joint in _JOINT.finditer(text):
        at = bisect_left(spans, (joint.end(), 0))
        if at == 0 or at == len(spans) or spans[at][0] != joint.end() or spans[at - 1][1] != joint.start():
            continue
        if not spaced and (is_unspaced(words[at]) or is_unspaced(words[at - 1])):
            continue
        if at != after:
            first = at - 1
        after = runs[first] = at + 1
    return {first: ("".join(words[first:after])[:MAX_TOKEN], after) for first, after in runs.items()}


@lru_cache(maxsize=8192)  # names of sources and publishers come again with every advisory
def words(text: str) -> tuple[str, ...]:
    """Only the folded words of ``text``."""
    return tokens(text).words


def visible(text: str, keep: str = "") -> str:
    """``text`` without what cannot be seen (controls, bidi marks, zero-width); line breaks become spaces.

    Characters of ``keep`` stay as they are. A zero-width joiner between emoji is lost, which only splits the emoji.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c in keep or unicodedata.category(c) not in _INVISIBLE else " " if c in "\n\r\t\u2028\u2029" else ""
        for c in text
    )
