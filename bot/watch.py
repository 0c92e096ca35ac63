"""Very many live conditions against one advisory: a trie of their words and an index of their field tests.

One pass over the texts finds every watched term. A tree is looked at only when one of its *triggers*, the cheapest
leaves of which one must hold, was met; trees that can hold without any (``Not``, mostly) are looked at always. So an
advisory costs what it matches, and adding or removing a condition is immediate.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from bot.conditions import All, Any, Condition, Lexicon, Lexicons, Not, Words, match
from bot.fields import CODES, NAMES, Field, FieldName, field_values, name_pattern
from bot.model import Place
from bot.phrases import PhraseIndex
from bot.subject import Evidence, Subject
from bot.terms import Hit, Term
from bot.text import Tokens, words

K = TypeVar("K", bound=Hashable)
PREFIX = 9  # characters of a code by which it is found: "CVE-2024-"

Trigger = Hashable  # a Term, ("lexicon", name), (field, value), or (field, None) for any value


class Scan:
    """Every watched term found in one subject; answers what a condition asks without looking again."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.by_term: dict[Term, list[tuple[Place, Hit]]] = {}
        self.by_lexicon: dict[str, list[tuple[Place, Hit]]] = {}
        self._texts: dict[Place, Tokens] = {place: text for place, text in subject.texts("anywhere") if text.words}

    def fill(self, index: PhraseIndex[str]) -> Scan:
        """Look for the terms of ``index``, whose keys are names of lexicons, or empty for a term of its own."""
        for place, text in self._texts.items():
            for lexicon, term, hit in index.find(text):
                found = self.by_lexicon.setdefault(lexicon, []) if lexicon else self.by_term.setdefault(term, [])
                found.append((place, hit))
        return self

    def keep(self, wanted: Callable[[Term | str, Place, Hit], bool]) -> None:
        """Forget every hit that is not ``wanted``: of a term, or of a lexicon by its name."""
        _keep(self.by_term, wanted)
        _keep(self.by_lexicon, wanted)

    def words(self, condition: Words) -> Sequence[Evidence]:
        """Where the terms of ``condition`` stand."""
        hits = [(term.text, *hit) for term in condition.terms for hit in self.by_term.get(term, ())]
        return [self.evidence(clause, place, hit) for clause, place, hit in hits if _within(place, condition.in_)]

    def lexicon(self, condition: Lexicon) -> Sequence[Evidence]:
        """Where the terms of a lexicon stand."""
        clause, hits = f"lexicon:{condition.lexicon}", self.by_lexicon.get(condition.lexicon, ())
        return [self.evidence(clause, place, hit) for place, hit in hits if _within(place, condition.in_)]

    def has(self, condition: Words | Lexicon) -> bool:
        """Whether any of them stands there."""
        if isinstance(condition, Lexicon):
            return any(_within(place, condition.in_) for place, _ in self.by_lexicon.get(condition.lexicon, ()))
        return any(_within(place, condition.in_) for term in condition.terms for place, _ in self.by_term.get(term, ()))

    def text(self, place: Place) -> Tokens:
        """The words of one of the subject's texts."""
        return self._texts[place]

    def evidence(self, clause: str, place: Place, hit: Hit) -> Evidence:
        """One hit as evidence."""
        return Evidence(clause, self._texts[place].text[hit.start : hit.end], place, hit.start, hit.end)


F = TypeVar("F", bound=Hashable)


def _keep(found: dict[F, list[tuple[Place, Hit]]], wanted: Callable[[F, Place, Hit], bool]) -> None:
    for name, hits in list(found.items()):
        kept = [(place, hit) for place, hit in hits if wanted(name, place, hit)]
        if kept:
            found[name] = kept
        else:
            del found[name]


def _within(place: Place, where: str) -> bool:
    return where == "anywhere" or place == "title"


@dataclass(slots=True)
class _Watched:
    condition: Condition
    terms: frozenset[Term]
    triggers: tuple[Trigger, ...] | None  # None: looked at always


class Watch(Generic[K]):
    """Conditions under keys of the caller's, matched all at once.

    With ``scans_for``, a scan of this watch also finds the words of that other one.
    """

    def __init__(self, lexicons: Lexicons | None = None, *, scans_for: Watch[K] | None = None) -> None:
        if lexicons and scans_for is not None:
            raise ValueError("a watch that scans for another has that one's lexicons")
        self._index: PhraseIndex[str] = scans_for._index if scans_for is not None else PhraseIndex()
        self._uses: dict[Term, int] = scans_for._uses if scans_for is not None else {}
        self._watched: dict[K, _Watched] = {}
        self._triggered: dict[Trigger, dict[K, None]] = {}
        self._always: dict[K, None] = {}
        self._fields: dict[FieldName, int] = {}  # how many triggers each field has
        own = lexicons or {}
        self._lexicons: Lexicons = own if scans_for is None else scans_for._lexicons
        for name, terms in own.items():
            for term in terms:
                self._index.add(term, name)

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, key: K, condition: Condition) -> None:
        """Watch for ``condition``, in place of what ``key`` stood for before; KeyError for an unknown lexicon."""
        if key in self._watched:
            self.remove(key)
        terms = self.listen(condition)
        cheapest = _cheapest(condition)
        watched = _Watched(condition, terms, tuple(dict.fromkeys(cheapest[1])) if cheapest else None)
        self._watched[key] = watched
        if watched.triggers is None:
            self._always[key] = None
        for trigger in watched.triggers or ():
            self._trigger(trigger, key)

    def listen(self, condition: Condition) -> frozenset[Term]:
        """Have every scan find the words of ``condition``, so that it can be decided by the scan; they are returned."""
        leaves = list(_leaves(condition))
        for leaf in leaves:
            if isinstance(leaf, Lexicon):
                self._lexicons[leaf.lexicon]
        terms = frozenset(term for leaf in leaves if isinstance(leaf, Words) for term in leaf.terms)
        for term in terms:
            self._uses[term] = self._uses.get(term, 0) + 1
            if self._uses[term] == 1:
                self._index.add(term, "")
        return terms

    def remove(self, key: K) -> None:
        """Forget what ``key`` stands for; KeyError when it stands for nothing."""
        watched = self._watched.pop(key)
        for term in watched.terms:
            self._uses[term] -= 1
            if not self._uses[term]:
                del self._uses[term]
                self._index.remove(term, "")
        self._always.pop(key, None)
        for trigger in watched.triggers or ():
            self._untrigger(trigger, key)

    def _trigger(self, trigger: Trigger, key: K) -> None:
        if trigger not in self._triggered and isinstance(trigger, tuple) and isinstance(trigger[0], FieldName):
            self._fields[trigger[0]] = self._fields.get(trigger[0], 0) + 1
        self._triggered.setdefault(trigger, {})[key] = None

    def _untrigger(self, trigger: Trigger, key: K) -> None:
        self._triggered[trigger].pop(key, None)
        if not self._triggered[trigger]:
            del self._triggered[trigger]
            if isinstance(trigger, tuple) and isinstance(trigger[0], FieldName):
                self._fields[trigger[0]] -= 1

    def match(self, subject: Subject, *, now: datetime) -> dict[K, tuple[Evidence, ...]]:
        """The conditions that hold for ``subject``, each with its evidence."""
        return self.decide(self.scan(subject), now=now)

    def scan(self, subject: Subject) -> Scan:
        """Every watched term in ``subject``."""
        return Scan(subject).fill(self._index)

    def decide(self, scan: Scan, *, now: datetime) -> dict[K, tuple[Evidence, ...]]:
        """The conditions that hold, given the terms found."""
        found: dict[K, tuple[Evidence, ...]] = {}
        for key in self._candidates(scan):
            evidence = match(self._watched[key].condition, scan.subject, now=now, finder=scan)
            if evidence is not None:
                found[key] = evidence
        return found

    def _candidates(self, scan: Scan) -> dict[K, None]:
        candidates = dict(self._always)
        met: list[Trigger] = [*scan.by_term, *(("lexicon", name) for name in scan.by_lexicon)]
        for trigger in (*met, *_field_triggers(scan.subject, (name for name, uses in self._fields.items() if uses))):
            candidates.update(self._triggered.get(trigger, ()))
        return candidates


def _leaves(condition: Condition) -> Iterator[Words | Lexicon | Field]:
    match condition:
        case All():
            children: Iterable[Condition] = condition.all
        case Any():
            children = condition.any
        case Not():
            children = (condition.not_,)
        case _:
            yield condition
            return
    for child in children:
        yield from _leaves(child)


def _cheapest(condition: Condition) -> tuple[float, list[Trigger]] | None:
    """(expected cost, triggers of which one is met whenever the tree holds), or None where there are none."""
    match condition:
        case All():
            choices = [choice for child in condition.all if (choice := _cheapest(child))]
            return min(choices, key=lambda choice: choice[0]) if choices else None
        case Any():
            parts = [_cheapest(child) for child in condition.any]
            if None in parts:
                return None
            known = [part for part in parts if part]
            return sum(cost for cost, _ in known), [trigger for _, triggers in known for trigger in triggers]
        case Not():
            return None
        case Words():
            return sum(9 / max(map(len, term.words)) for term in condition.terms), list(condition.terms)
        case Lexicon():
            return 50.0, [("lexicon", condition.lexicon)]
        case Field():
            name = condition.field
            if name is FieldName.URL and not all(value.strip("*") for value in condition.is_):
                return None  # it fits no address as well
            values = [_bucket(name, value) for value in condition.is_] or [None]
            cost = sum(100.0 if value is None else _COST.get(name, 20.0) for value in values)
            return cost, [(name, value) for value in values]


_COST = {FieldName.VENDOR: 1.0, FieldName.PRODUCT: 1.0, FieldName.CVE: 0.1}


def _bucket(name: FieldName, value: str) -> str | None:
    """Under what a test of ``name`` for ``value`` is found: its longest word, its beginning, itself, or any value."""
    if name in NAMES:
        return max((word for word in name_pattern(value) if "*" not in word), key=len, default=None)
    if name in CODES:
        beginning = value.lower().split("*")[0][:PREFIX]
        return beginning if len(beginning) == PREFIX or "*" not in value else None
    return None if name in _OPEN else value


_OPEN = {FieldName.CVSS, FieldName.EPSS, FieldName.PUBLISHED}  # numbers and dates


def _field_triggers(subject: Subject, names: Iterable[FieldName]) -> Iterator[Trigger]:
    for name in names:
        values = field_values(name, subject)
        if values and not (name is FieldName.URL and values == ("",)):
            yield name, None
        if name not in _OPEN:
            for value in map(str, values):
                yield from ((name, met) for met in _met(name, value))


def _met(name: FieldName, value: str) -> Iterable[str]:
    if name in NAMES:
        return words(value)
    return (value.lower()[:PREFIX],) if name in CODES else (value,)
