"""What stands near what in a text: places in order, so that neighbours are found without comparing all with all."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

Span = tuple[int, int]  # characters from, to
LOOK = 8  # neighbours looked at on either side; hits that overlap each other are few


class Places:
    """Stretches of one text, in order."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(set(spans))

    def around(self, start: int, end: int) -> list[Span]:
        """The nearest stretches before and after ``start`` to ``end``, apart from it; a few on either side."""
        at = bisect_left(self._spans, (start, end))
        near = self._spans[max(0, at - LOOK) : at + LOOK]
        return [span for span in near if span[1] <= start or span[0] >= end]


class Covers:
    """Stretches that hide what lies wholly beneath one of them."""

    def __init__(self, spans: Iterable[Span]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._reach: list[int] = []
        for _, end in ordered:
            self._reach.append(max(end, self._reach[-1]) if self._reach else end)

    def hides(self, start: int, end: int) -> bool:
        """Whether a stretch that begins at or before ``start`` reaches to ``end`` or beyond."""
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and self._reach[at] >= end


def words_between(spans: Sequence[Span], one: Span, other: Span) -> int:
    """How many words (``spans`` of a text's words) stand between two stretches of its characters."""
    first, second = sorted((one, other))
    return bisect_left(spans, (second[0], 0)) - bisect_left(spans, (first[1], 0))
