"""From places in NFKC text, which the tokeniser reads, back to places in the text as it was written."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from functools import lru_cache

from bot.text import normalised


def original_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Characters ``start`` to ``end`` of the NFKC form of ``text`` as offsets into ``text`` itself."""
    if text.isascii() or normalised(text) == text:
        return start, end
    offsets = _offsets(text)
    return _original(offsets, start), _original(offsets, end)


def _original(offsets: tuple[int, ...], offset: int) -> int:
    at = bisect_left(offsets, offset)
    while 0 < at < len(offsets) - 1 and offsets[at + 1] == offsets[at]:
        at += 1  # a mark belongs to the letter before it
    return at


@lru_cache(maxsize=16)
def _offsets(text: str) -> tuple[int, ...]:
    """For each character of ``text``, and its end, how many NFKC characters stand before it."""
    offsets, length, cluster, before = [0], 0, "", 0
    for character in text:
        continues = bool(cluster) and _continues(character)
        if not continues:
            before, cluster = length, ""
        cluster += character
        length = before + len(normalised(cluster))
        offsets.append(length)
    return tuple(offsets)


def _continues(character: str) -> bool:
    """Whether a character may melt into the one before it: a mark, or a vowel or final of a Hangul syllable."""
    first = normalised(character)[0]
    return unicodedata.combining(first) != 0 or 0x1160 <= ord(first) <= 0x11FF
