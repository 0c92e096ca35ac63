"""Findings: which rules hold for one advisory, given what a scan found in it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from bot.conditions import Condition, holds, match
from bot.model import Place
from bot.nearness import Places, words_between
from bot.rules import RelevanceRule, Rule, SeverityRule, ThreatRule
from bot.subject import Evidence
from bot.text import is_unspaced
from bot.watch import Scan, Watch

CHARACTERS_A_WORD = 3

R = TypeVar("R", RelevanceRule, ThreatRule, SeverityRule)


class Sides:
    """The ``unless`` and ``beside`` of all rules, numbered so that equal ones are decided once."""

    def __init__(self, rules: Iterable[Rule], watch: Watch[str]) -> None:
        self.conditions: list[Condition] = []
        self.numbers: dict[tuple[str, str], int] = {}
        for rule in rules:
            for part, condition in rule.sides.items():
                if condition not in self.conditions:
                    self.conditions.append(condition)
                    watch.listen(condition)
                self.numbers[rule.id, part] = self.conditions.index(condition)


class Table(Generic[R]):
    """The rules of one table, in order, found by the conditions that hold."""

    def __init__(self, rules: Sequence[R]) -> None:
        self._rules: tuple[R, ...] = tuple(rules)
        self._numbers = {rule.id: number for number, rule in enumerate(rules)}
        self._facts_only = [number for number, rule in enumerate(rules) if rule.when is None]

    def asked(self, held: Iterable[str]) -> Iterator[R]:
        """The rules whose condition is among ``held``, and those that have none."""
        numbers = self._numbers
        met = [numbers[rule] for rule in held if rule in numbers]
        return map(self._rules.__getitem__, sorted(met + self._facts_only))


class Findings:
    """What one advisory holds: the conditions of rules, and their sides, decided when asked for and remembered."""

    def __init__(self, scan: Scan, facts: frozenset[str], sides: Sides, now: datetime) -> None:
        self.scan = scan
        self._facts = facts
        self._sides = sides
        self._now = now
        self._held: dict[str, tuple[Evidence, ...]] = {}
        self._stops: dict[int, bool] = {}
        self._beside: dict[tuple[int, Place], Places] = {}

    def decide(self, watch: Watch[str]) -> None:
        """Decide the conditions of ``watch``; sides are asked anew, since the verdict may have changed."""
        self._held = watch.decide(self.scan, now=self._now)
        self._stops.clear()
        self._beside.clear()

    def holding(self, table: Table[R]) -> Iterator[tuple[R, tuple[Evidence, ...]]]:
        """The rules of a table that hold, each with its evidence."""
        held = self._held
        for rule in table.asked(held):
            if rule.fact is not None and rule.fact not in self._facts:
                continue
            found = held.get(rule.id, ())
            evidence = tuple([part for part in found if self._counts(rule, part)])
            if (evidence or not found) and not self._stopped(rule):
                yield rule, evidence or (Evidence(rule.fact or "", rule.fact or "", "field"),)

    def _stopped(self, rule: Rule) -> bool:
        """Whether the ``unless`` of a rule holds."""
        number = self._sides.numbers.get((rule.id, "unless"))
        if number is None:
            return False
        if number not in self._stops:
            condition = self._sides.conditions[number]
            self._stops[number] = holds(condition, self.scan.subject, now=self._now, finder=self.scan)
        return self._stops[number]

    def _counts(self, rule: Rule, part: Evidence) -> bool:
        """Whether words stand where, and are written as, the rule asks; a field test always counts."""
        if part.start < 0:
            return True
        if part.place not in rule.places or (rule.capital and part.words.islower()):
            return False
        if rule.first is not None and part.place == "text" and self._words_before(part) >= rule.first * _scale(part):
            return False
        return rule.beside is None or self._has_beside(rule, part)

    def _words_before(self, part: Evidence) -> int:
        return bisect_left(self.scan.text(part.place).spans, (part.start, 0))

    def _has_beside(self, rule: Rule, part: Evidence) -> bool:
        words, here = self.scan.text(part.place).spans, (part.start, part.end)
        near = self._places(rule, part.place).around(*here)
        return any(words_between(words, here, other) <= rule.within * _scale(part) for other in near)

    def _places(self, rule: Rule, place: Place) -> Places:
        """Where the words of a rule's ``beside`` stand."""
        number = self._sides.numbers[rule.id, "beside"]
        if (number, place) not in self._beside:
            condition = self._sides.conditions[number]
            found = match(condition, self.scan.subject, now=self._now, finder=self.scan) or ()
            self._beside[number, place] = Places((part.start, part.end) for part in found if part.place == place)
        return self._beside[number, place]


def _scale(part: Evidence) -> int:
    """How many tokens make a word around here: scripts without spaces give one a character."""
    return CHARACTERS_A_WORD if is_unspaced(part.words) else 1
