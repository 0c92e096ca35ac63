"""Judge: rules and lexicons -> how an advisory concerns healthcare, what threatens, how grave it is, and why.

Typed facts and words are decided in one pass (``Watch``); then, in this order: hits under a mask or in a tail of
unrelated links are dropped; relevance and threats are read off their tables; severity is read off last, since its
rules may look at both. Pure: ``now`` stands in for a missing date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from bot.conditions import Lexicons
from bot.findings import Findings, Sides, Table
from bot.lexicons import load_lexicons
from bot.model import Advisory, Place, Reason, Relevance, Severity, Threat, Verdict
from bot.nearness import Covers, Places, words_between
from bot.rules import Lists, RelevanceRule, Rule, Rules, ThreatRule, load_rules
from bot.spans import original_span
from bot.subject import Evidence, Subject
from bot.terms import Hit, Term
from bot.watch import Scan, Watch

REASONS_A_RULE = 3
REASONS = 12
_THREATS = tuple(Threat)

Because = list[tuple[Rule, Evidence]]


class Judge:
    """Decides verdicts by a set of rules; building one indexes every term, judging costs what a text holds."""

    def __init__(self, rules: Rules, lexicons: Lexicons) -> None:
        self.rules = rules
        self._tail_openings = tuple(marker.partition("…")[0] for marker in rules.tails)
        self._tails = _tails(rules.tails)
        self._first: Watch[str] = Watch({name: lexicons[name] for name in rules.lexicons})
        self._last: Watch[str] = Watch(scans_for=self._first)
        self._relevance_rules = Table(rules.relevance)
        self._threat_rules = Table(rules.threats)
        self._severity_rules = Table(rules.severity)
        self._sides = Sides(rules.all, self._first)
        for rule in (*rules.relevance, *rules.threats):
            if rule.when is not None:
                self._first.add(rule.id, rule.when)
        for grade in rules.severity:
            if grade.when is not None:
                self._last.add(grade.id, grade.when)

    def judge(self, advisory: Advisory, *, now: datetime) -> Verdict:
        """The verdict on one advisory."""
        subject = Subject(advisory, seen=now)
        scan = self._first.scan(subject)
        self._drop_unmeant(scan)
        findings = Findings(scan, frozenset(facts(advisory)), self._sides, now)
        findings.decide(self._first)
        relevance, because = self._relevance(findings)
        threats, threatened = self._threats(findings)
        subject.verdict = Verdict(relevance, threats)
        findings.decide(self._last)
        severity, grave = self._severity(findings)
        shown = (_reason(advisory, rule, evidence) for rule, evidence in (*because, *threatened, *grave))
        return Verdict(relevance, threats, severity, tuple(dict.fromkeys(shown))[:REASONS])

    def _relevance(self, findings: Findings) -> tuple[Relevance, Because]:
        held: list[tuple[Relevance, RelevanceRule, tuple[Evidence, ...]]] = []
        company = _Company(findings.scan, self.rules.lists)
        for rule, evidence in findings.holding(self._relevance_rules):
            gives = rule.gives
            if gives is Relevance.DIRECT:
                unlisted = tuple(part for part in evidence if not company.lists(part))
                gives, evidence = (gives, unlisted) if unlisted else (Relevance.MENTION, evidence)
            held.append((gives, rule, evidence))
        best = max((gives for gives, _, _ in held), key=lambda gives: gives.rank, default=Relevance.NONE)
        return best, _told_once((rule, part) for gives, rule, parts in held if gives is best for part in _few(parts))

    def _threats(self, findings: Findings) -> tuple[tuple[Threat, ...], Because]:
        held = _titled(list(findings.holding(self._threat_rules)))
        replaced = {threat for rule, _ in held for threat in rule.instead_of if threat is not rule.gives}
        meant = [(rule, parts) for rule, parts in held if rule.firm or rule.gives not in replaced]
        threats = {rule.gives for rule, _ in meant}
        return tuple(threat for threat in _THREATS if threat in threats), [
            (r, part) for r, parts in meant for part in _few(parts)
        ]

    def _severity(self, findings: Findings) -> tuple[Severity, Because]:
        held = list(findings.holding(self._severity_rules))
        best = max((rule.gives for rule, _ in held), key=lambda grade: grade.rank, default=Severity.INFO)
        return best, [(rule, part) for rule, parts in held if rule.gives is best for part in _few(parts)]

    def _drop_unmeant(self, scan: Scan) -> None:
        """Forget hits under a mask or a denial, and those after the beginning of a tail of unrelated links."""
        rules, by_lexicon = self.rules, scan.by_lexicon
        masks = [hit for name in rules.masks for hit in by_lexicon.get(name, ())]
        masks += [hit for name in rules.text_masks for hit in by_lexicon.get(name, ()) if hit[0] == "text"]
        denials = by_lexicon.get(rules.denials.lexicon, ()) if rules.denials else ()
        text = scan.subject.summary.text
        begun = self._tails.search(text) if any(map(text.__contains__, self._tail_openings)) else None
        if not masks and not denials and begun is None:
            return
        tail = begun.start() if begun else len(text) + 1
        deniable = rules.denials.hides if rules.denials else ()
        masked, denied = _covers(masks), _covers(denials)

        def meant(found: Term | str, place: Place, hit: Hit) -> bool:
            if place == "text" and hit.start >= tail:
                return False
            if place in masked and masked[place].hides(hit.start, hit.end):
                return False
            if place not in denied or (isinstance(found, str) and found not in deniable):
                return True
            return not denied[place].hides(hit.start, hit.end)

        scan.keep(meant)


def _covers(hits: Iterable[tuple[Place, Hit]]) -> dict[Place, Covers]:
    """What these hits hide, by the place where they stand."""
    spans: dict[Place, list[tuple[int, int]]] = {}
    for place, hit in hits:
        spans.setdefault(place, []).append((hit.start, hit.end))
    return {place: Covers(found) for place, found in spans.items()}


class _Company:
    """The words beside which a hit is merely one of many."""

    def __init__(self, scan: Scan, lists: Lists | None) -> None:
        self._scan = scan
        self._lists = lists
        self._known: dict[tuple[str, Place], Places] = {}

    def lists(self, evidence: Evidence) -> bool:
        """Whether a hit is merely one in a list of sectors, an example, or a story of a round-up."""
        lists = self._lists
        if lists is None or evidence.start < 0:
            return False
        if any(place == "title" for place, _ in self._scan.by_lexicon.get(lists.titles, ())):
            return True
        words, here = self._scan.text(evidence.place).spans, (evidence.start, evidence.end)
        others = self._places(lists.lexicon, evidence.place).around(*here)
        if sum(words_between(words, here, other) < lists.reach for other in others) >= lists.others:
            return True
        introduced = self._places(lists.examples, evidence.place).around(*here)
        return any(
            end <= here[0] and words_between(words, here, (start, end)) <= lists.after for start, end in introduced
        )

    def _places(self, lexicon: str, place: Place) -> Places:
        key = (lexicon, place)
        if key not in self._known:
            hits = self._scan.by_lexicon.get(lexicon, ())
            self._known[key] = Places((hit.start, hit.end) for at, hit in hits if at == place)
        return self._known[key]


def facts(advisory: Advisory) -> Iterator[str]:
    """The typed facts that rules may name (``rules.Fact``)."""
    if advisory.health_publisher:
        yield "health-publisher"
    if advisory.sectors:
        yield "few-sectors" if len(advisory.sectors) < 3 else "many-sectors"
    if advisory.known_ransomware:
        yield "known-ransomware"
    if advisory.stated_severity is not None:
        yield f"stated-{advisory.stated_severity}"


def _titled(held: list[tuple[ThreatRule, tuple[Evidence, ...]]]) -> list[tuple[ThreatRule, tuple[Evidence, ...]]]:
    """What the title says of threats, and typed facts; what the text says only where they say nothing."""
    titled = any(part.place != "text" for rule, parts in held if not rule.vague for part in parts)
    return [
        (rule, parts)
        for rule, parts in held
        if not titled or rule.text_counts == "always" or any(part.place != "text" for part in parts)
    ]


def _tails(markers: Sequence[str]) -> re.Pattern[str]:
    """What finds the first of the markers; ``…`` in one stands for anything but its own beginning again."""

    def pattern(marker: str) -> str:
        beginning, ellipsis, end = marker.partition("…")
        if not ellipsis:
            return re.escape(marker)
        return rf"{re.escape(beginning)}(?:(?!{re.escape(beginning)})(?s:.))*?{re.escape(end)}"

    return re.compile("|".join(map(pattern, markers)))


def _told_once(because: Iterable[tuple[Rule, Evidence]]) -> Because:
    """One reason for each stretch of text, by the first rule that found something there."""
    told: dict[tuple[str, int, str], tuple[Rule, Evidence]] = {}
    for rule, part in because:
        told.setdefault((part.place, part.start, part.words), (rule, part))
    return list(told.values())


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


def load_judge(config: Path) -> Judge:
    """The judge by the rules and lexicons of a configuration folder. Raises ConfigError."""
    lexicons = load_lexicons(config / "lexicons")
    return Judge(load_rules(config / "rules.yaml", lexicons), lexicons)
