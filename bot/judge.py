"""Judge: rules and lexicons -> how an advisory concerns healthcare, what threatens, how grave it is, and why.

Typed facts and words are decided in one pass (``Watch``); then, in this order: hits under a mask or in a tail of
unrelated links are dropped; relevance and threats are read off their tables; severity is read off last, since its
rules may look at both. Pure: ``now`` stands in for a missing date.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from bot.conditions import Lexicons
from bot.model import Advisory, Place, Reason, Relevance, Severity, Threat, Verdict
from bot.phrases import Hit
from bot.rules import RelevanceRule, Rule, Rules, SeverityRule, ThreatRule
from bot.spans import original_span
from bot.subject import Evidence, Subject
from bot.watch import Scan, Watch

REASONS_A_RULE = 3
REASONS = 12

Key = tuple[str, str]  # (rule id, part of the rule)
Found = dict[Key, tuple[Evidence, ...]]
R = TypeVar("R", RelevanceRule, ThreatRule, SeverityRule)


class Judge:
    """Decides verdicts by a set of rules; building one indexes every term, judging costs what a text holds."""

    def __init__(self, rules: Rules, lexicons: Lexicons) -> None:
        self.rules = rules
        self._first: Watch[Key] = Watch({name: lexicons[name] for name in rules.lexicons})
        self._last: Watch[Key] = Watch(scans_for=self._first)
        for table, watch in (
            (rules.relevance, self._first),
            (rules.threats, self._first),
            (rules.severity, self._last),
        ):
            for rule in table:
                for part, condition in rule.conditions.items():
                    watch.add((rule.id, part), condition)

    def judge(self, advisory: Advisory, *, now: datetime) -> Verdict:
        """The verdict on one advisory."""
        subject = Subject(advisory, seen=now)
        facts = frozenset(_facts(advisory))
        scan = self._first.scan(subject)
        self._drop_unmeant(scan)
        found = self._first.decide(scan, now=now)
        relevance, because = self._relevance(scan, found, facts)
        threats, threatened = self._threats(scan, found, facts)
        reasons = [*because, *threatened]
        subject.verdict = Verdict(relevance, threats)
        severity, grave = self._severity(scan, facts, now)
        shown = (_reason(advisory, rule, evidence) for rule, evidence in (*reasons, *grave))
        return Verdict(relevance, threats, severity, tuple(dict.fromkeys(shown))[:REASONS])

    def _relevance(
        self, scan: Scan, found: Found, facts: frozenset[str]
    ) -> tuple[Relevance, list[tuple[Rule, Evidence]]]:
        held: list[tuple[Relevance, RelevanceRule, tuple[Evidence, ...]]] = []
        for rule, evidence in _holding(self.rules.relevance, scan, found, facts):
            gives = rule.gives
            if gives is Relevance.DIRECT:
                unlisted = tuple(part for part in evidence if not self._is_listed(scan, part))
                gives, evidence = (gives, unlisted) if unlisted else (Relevance.MENTION, evidence)
            held.append((gives, rule, evidence))
        best = max((gives for gives, _, _ in held), key=lambda gives: gives.rank, default=Relevance.NONE)
        return best, [(rule, part) for gives, rule, parts in held if gives is best for part in _few(parts)]

    def _threats(
        self, scan: Scan, found: Found, facts: frozenset[str]
    ) -> tuple[tuple[Threat, ...], list[tuple[Rule, Evidence]]]:
        held = _titled(list(_holding(self.rules.threats, scan, found, facts)))
        replaced = {threat for rule, _ in held for threat in rule.instead_of if threat is not rule.gives}
        meant = [(rule, parts) for rule, parts in held if rule.gives not in replaced]
        threats = {rule.gives for rule, _ in meant}
        return tuple(sorted(threats, key=list(Threat).index)), [(r, part) for r, parts in meant for part in _few(parts)]

    def _severity(
        self, scan: Scan, facts: frozenset[str], now: datetime
    ) -> tuple[Severity, list[tuple[Rule, Evidence]]]:
        held = list(_holding(self.rules.severity, scan, self._last.decide(scan, now=now), facts))
        best = max((rule.gives for rule, _ in held), key=lambda grade: grade.rank, default=Severity.INFO)
        return best, [(rule, part) for rule, parts in held if rule.gives is best for part in _few(parts)]

    def _drop_unmeant(self, scan: Scan) -> None:
        """Forget hits under a mask, and those after the beginning of a tail of unrelated links."""
        masks = [(place, hit) for name in self.rules.masks for place, hit in scan.by_lexicon.get(name, ())]
        tail = _tail(scan.subject.advisory.summary and scan.subject.summary.text, self.rules.tails)
        if not masks and tail is None:
            return

        def meant(place: Place, hit: Hit) -> bool:
            if place == "text" and tail is not None and hit.start >= tail:
                return False
            return not any(at == place and mask.first <= hit.first and hit.after <= mask.after for at, mask in masks)

        scan.keep(meant)

    def _is_listed(self, scan: Scan, evidence: Evidence) -> bool:
        """Whether a hit is merely one in a list of sectors."""
        lists = self.rules.lists
        if lists is None or evidence.start < 0:
            return False
        near = {
            hit
            for place, hit in scan.by_lexicon.get(lists.lexicon, ())
            if place == evidence.place
            and (hit.end <= evidence.start or hit.start >= evidence.end)
            and _words_between(scan, place, (hit.start, hit.end), (evidence.start, evidence.end)) < lists.reach
        }
        return len(near) >= lists.others


def _holding(
    rules: Sequence[R], scan: Scan, found: Found, facts: frozenset[str]
) -> Iterator[tuple[R, tuple[Evidence, ...]]]:
    """The rules of a table that hold, each with its evidence."""
    for rule in rules:
        if rule.fact is not None and rule.fact not in facts:
            continue
        evidence: tuple[Evidence, ...] | None = ()
        if rule.when is not None:
            evidence = found.get((rule.id, "when"))
        if evidence is None or (rule.id, "unless") in found:
            continue
        if rule.when is not None and evidence:
            evidence = tuple(part for part in evidence if _counts(scan, rule, part, found))
            if not evidence:
                continue
        yield rule, evidence or (Evidence(rule.fact or "", rule.fact or "", "field"),)


def _titled(held: list[tuple[ThreatRule, tuple[Evidence, ...]]]) -> list[tuple[ThreatRule, tuple[Evidence, ...]]]:
    """What the title says of threats, and typed facts; what the text says only where they say nothing."""
    titled = any(part.place != "text" for _, parts in held for part in parts)
    return [
        (rule, parts)
        for rule, parts in held
        if not titled or rule.text_counts == "always" or any(part.place != "text" for part in parts)
    ]


def _counts(scan: Scan, rule: Rule, part: Evidence, found: Found) -> bool:
    """Whether the words of ``part`` stand where, and are written as, the rule asks; a field test always counts."""
    if part.start < 0:
        return True
    if part.place not in rule.places or (rule.capital and part.words[0].islower()):
        return False
    if rule.first is not None and part.place == "text" and _words_before(scan, part) >= rule.first:
        return False
    return rule.beside is None or any(
        _near(scan, part, other, rule.within) for other in found.get((rule.id, "beside"), ())
    )


def _words_before(scan: Scan, part: Evidence) -> int:
    return bisect_left(scan.text(part.place).spans, (part.start, 0))


def _near(scan: Scan, one: Evidence, other: Evidence, within: int) -> bool:
    if one.place != other.place or one.start < 0 or other.start < 0:
        return False
    apart = one.end <= other.start or other.end <= one.start
    return apart and _words_between(scan, one.place, (one.start, one.end), (other.start, other.end)) <= within


def _words_between(scan: Scan, place: Place, one: tuple[int, int], other: tuple[int, int]) -> int:
    first, second = sorted((one, other))
    spans = scan.text(place).spans
    return bisect_left(spans, (second[0], 0)) - bisect_left(spans, (first[1], 0))


def _facts(advisory: Advisory) -> Iterator[str]:
    if advisory.health_publisher:
        yield "health-publisher"
    if advisory.sectors:
        yield "few-sectors" if len(advisory.sectors) < 3 else "many-sectors"
    if advisory.known_ransomware:
        yield "known-ransomware"
    if advisory.stated_severity is not None:
        yield f"stated-{advisory.stated_severity}"


def _tail(text: str, markers: Iterable[str]) -> int | None:
    return min((at for marker in markers if (at := text.find(marker)) >= 0), default=None)


def _few(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """The evidence worth showing: no two at one place, the title's first."""
    seen = {(part.place, part.start, part.words): part for part in reversed(evidence)}
    ordered = sorted(seen.values(), key=lambda part: (part.place != "title", part.start))
    return tuple(ordered[:REASONS_A_RULE])


def _reason(advisory: Advisory, rule: Rule, evidence: Evidence) -> Reason:
    start, end = evidence.start, evidence.end
    if start >= 0 and evidence.place != "field":
        start, end = original_span(advisory.title if evidence.place == "title" else advisory.summary, start, end)
    return Reason(rule.id, evidence.clause, evidence.words, evidence.place, start, end)
