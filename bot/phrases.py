"""A trie that finds very many terms in one pass: it costs what the text holds, not how many terms there are.

Adding and removing a term is immediate.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import lru_cache
from itertools import repeat
from typing import Any, Generic, NamedTuple, TypeVar

from bot.terms import Hit, Term, confirm
from bot.text import Tokens

K = TypeVar("K", bound=Hashable)


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

End = tuple[Any, Term, bool]  # a key, its term, whether words in a row are all that the term asks for


class _Opening(NamedTuple):
    """What begins with one word: terms that end there as well, and where the others go on."""

    ends: tuple[End, ...]
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


def _take(ends: Iterable[End], text: Tokens, first: int, after: int, found: list[tuple[Any, Term, Hit]]) -> None:
    """Add to ``found`` the terms of ``ends`` that hold at words ``first`` to ``after``, which have led to them."""
    here = Hit(first, after, text.spans[first][0], text.spans[after - 1][1])
    for key, term, plain in ends:
        hit = here if plain else confirm(term, text, first, after)
        if hit is not None:
            found.append((key, term, hit))


@lru_cache(maxsize=4096)
def _alone(term: Term) -> PhraseIndex[None]:
    index: PhraseIndex[None] = PhraseIndex()
    index.add(term, None)
    return index


def find_term(term: Term, text: Tokens) -> list[Hit]:
    """Every place where one ``term`` stands in ``text``."""
    return [hit for _, _, hit in _alone(term).find(text)]
