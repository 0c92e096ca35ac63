"""Terms (words, phrases, prefixes, compounds, nearness) and a trie that finds very many of them in one pass.

A term as a person writes it:

    hospital            the word, whole
    patient monitor     the words in a row
    ransom*             a word that begins so;  *klinikum  one that ends so;  *klinik*  one that holds it
    =LIS                in exactly this case
    "hospital attack"~5 all words with at most five others between the first and the last, in any order

Korean is written with spaces though a syllable is a word here: syllables that touch in a term must touch in the text.

``PhraseIndex`` costs what the text holds, not how many terms there are; adding and removing one is immediate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any, Generic, NamedTuple, TypeVar

from bot.text import Tokens, is_hangul, is_unspaced, tokens

K = TypeVar("K", bound=Hashable)
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
    letters: tuple[str, ...] = ()  # of a nearness, what ``Tokens.folded`` must hold for its words to stand there

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
        return Term(text, words, near=distance, letters=tuple(f" {word} ".replace(" *", "").replace("* ", "") for word in words))
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


class _Wildcards:
    """Which wildcard words of an index a given word fits; remembered for each word met."""

    MEMORY = 200_000
    OPENING = 2  # letters by which a core inside a word is found; none has fewer

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._beginnings: dict[int, set[str]] = {}  # by length
        self._ends: dict[int, set[str]] = {}
        self._inside: dict[str, set[str]] = {}  # by their first letters
        self._known: dict[str, tuple[str, ...]] = {}

    def add(self, pattern: str) -> None:
        self._counts[pattern] = self._counts.get(pattern, 0) + 1
        if self._counts[pattern] == 1:
            self._alike(pattern).add(pattern.strip("*"))
            self._known.clear()

    def remove(self, pattern: str) -> None:
        self._counts[pattern] -= 1
        if not self._counts[pattern]:
            del self._counts[pattern]
            self._alike(pattern).discard(pattern.strip("*"))
            self._known.clear()

    def _alike(self, pattern: str) -> set[str]:
        """The cores among which that of ``pattern`` is looked for."""
        core = pattern.strip("*")
        if pattern[0] == "*" and pattern[-1] == "*":
            return self._inside.setdefault(core[: self.OPENING], set())
        return (self._ends if pattern[0] == "*" else self._beginnings).setdefault(len(core), set())

    def of(self, word: str) -> tuple[str, ...]:
        known = self._known.get(word)
        if known is None:
            if len(self._known) >= self.MEMORY:
                self._known.clear()
            known = self._known[word] = tuple(dict.fromkeys(self._find(word)))
        return known

    def _find(self, word: str) -> Iterator[str]:
        for length, cores in self._beginnings.items():
            if word[:length] in cores:
                yield word[:length] + "*"
        for length, cores in self._ends.items():
            if length <= len(word) and word[-length:] in cores:
                yield "*" + word[-length:]
        for at in range(len(word) - self.OPENING + 1):
            for core in self._inside.get(word[at : at + self.OPENING], ()):
                if word.startswith(core, at):
                    yield f"*{core}*"


_END = ""  # the key under which a trie node keeps what ends there; no word is empty
_WILD = "*"  # the key of a trie node from which a wildcard word leads on, and how many do; no word is that short

Ends = tuple[tuple[Any, Term, bool], ...]  # (key, term, whether its words in a row are all it asks for)


class _Opening(NamedTuple):
    """What begins with one word: terms that end there as well, and where the others go on."""

    ends: Ends
    nodes: tuple[dict[str, Any], ...]
    onward: frozenset[str]  # the words by which one of ``nodes`` goes on; a _WILD among them stands for any


_NOTHING = _Opening((), (), frozenset())


class PhraseIndex(Generic[K]):
    """Many terms, each under a key of the caller's; one pass over a text finds them all."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        self._wildcards = _Wildcards()
        self._openings: dict[str, _Opening] = {}  # by word met

    def add(self, term: Term, key: K) -> None:
        """Watch for ``term``; the same pair twice counts once."""
        self._openings.clear()
        node = self._root
        for word in _path(term):
            if "*" in word:
                self._wildcards.add(word)
                if word not in node:
                    node[_WILD] = node.get(_WILD, 0) + 1
            node = node.setdefault(word, {})
        node.setdefault(_END, {})[key, term, term.plain] = None

    def remove(self, term: Term, key: K) -> None:
        """Forget ``term`` under ``key``; KeyError when it was not there."""
        self._openings.clear()
        path = _path(term)
        nodes = [self._root]
        for word in path:
            nodes.append(nodes[-1][word])
        del nodes[-1][_END][key, term, term.plain]
        if not nodes[-1][_END]:
            del nodes[-1][_END]
        for word, parent, node in zip(reversed(path), reversed(nodes[:-1]), reversed(nodes[1:]), strict=True):
            if "*" in word:
                self._wildcards.remove(word)
            if not node:
                del parent[word]
                if "*" in word:
                    parent[_WILD] -= 1
                    if not parent[_WILD]:
                        del parent[_WILD]

    def find(self, text: Tokens) -> list[tuple[K, Term, Hit]]:
        """Every (key, term, place) in ``text``."""
        found: list[tuple[K, Term, Hit]] = []
        words, joined, count = text.words, text.joined, len(text.words)
        for first, known in enumerate(map(self._openings.get, words)):
            opening = self._open(words[first]) if known is None else known
            if opening is not _NOTHING:
                after = first + 1
                if opening.ends:
                    _take(opening.ends, text, first, after, found)
                onward = opening.onward
                if onward and after < count and (words[after] in onward or _WILD in onward or after in joined):
                    self._follow(opening.nodes, text, first, after, found)
            if first in joined:
                whole, after = joined[first]
                opening = self._open(whole)
                if opening is not _NOTHING:
                    _take(opening.ends, text, first, after, found)
                    self._follow(opening.nodes, text, first, after, found)
        return found

    def _open(self, word: str) -> _Opening:
        known = self._openings.get(word)
        if known is None:
            if len(self._openings) >= _Wildcards.MEMORY:
                self._openings.clear()
            nodes = [self._root[form] for form in (word, *self._wildcards.of(word)) if form in self._root]
            known = _NOTHING
            if nodes:
                ends = tuple(end for node in nodes for end in node.get(_END, ()))
                onward = frozenset(step for node in nodes for step in node if step != _END)
                known = _Opening(ends, tuple(nodes), onward)
            self._openings[word] = known
        return known

    def _follow(
        self, nodes: Iterable[dict[str, Any]], text: Tokens, first: int, after: int, found: list[tuple[K, Term, Hit]]
    ) -> None:
        """Take what goes on from ``nodes``, which words ``first`` to ``after`` have led to."""
        words, joined, wild = text.words, text.joined, self._wildcards.of
        pending = list(zip(nodes, repeat(after)))
        while pending:
            node, after = pending.pop()
            if after < len(words) and (words[after] in node or after in joined or _WILD in node):
                for onward, then in self._steps(node, words, joined, after, wild):
                    if _END in onward:
                        _take(onward[_END], text, first, then, found)
                    pending.append((onward, then))

    @staticmethod
    def _steps(
        node: dict[str, Any],
        words: tuple[str, ...],
        joined: dict[int, tuple[str, int]],
        at: int,
        wild: Callable[[str], tuple[str, ...]],
    ) -> Iterator[tuple[dict[str, Any], int]]:
        forms = ((words[at], at + 1), joined[at]) if at in joined else ((words[at], at + 1),)
        for word, after in forms:
            if word in node:
                yield node[word], after
            for pattern in wild(word):
                if pattern in node:
                    yield node[pattern], after


def _path(term: Term) -> tuple[str, ...]:
    """Where a term stands in the trie; a nearness stands under its longest word, one without a * if it can."""
    if term.near is None:
        return term.words
    return (max(term.words, key=lambda word: ("*" not in word, len(word))),)


def _take(
    ends: Iterable[tuple[Any, Term, bool]], text: Tokens, first: int, after: int, found: list[tuple[Any, Term, Hit]]
) -> None:
    """Add to ``found`` the terms of ``ends`` that hold at words ``first`` to ``after``, which have led to them."""
    here = Hit(first, after, text.spans[first][0], text.spans[after - 1][1])
    for key, term, plain in ends:
        hit = here if plain else confirm(term, text, first, after)
        if hit is not None:
            found.append((key, term, hit))


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
    if not all(map(text.folded.__contains__, term.letters)):
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


@lru_cache(maxsize=4096)
def _alone(term: Term) -> PhraseIndex[None]:
    index: PhraseIndex[None] = PhraseIndex()
    index.add(term, None)
    return index


def find_term(term: Term, text: Tokens) -> list[Hit]:
    """Every place where one ``term`` stands in ``text``."""
    return [hit for _, _, hit in _alone(term).find(text)]
