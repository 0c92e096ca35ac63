"""Trying rules: what they say, how they do on labelled lines, and what a changed file would have changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bot.classify import BadLine, read_advisory, read_record
from bot.conditions import Condition
from bot.errors import ConfigError
from bot.judge import Judge
from bot.model import Advisory, Relevance, Stored, Verdict
from bot.rules import RelevanceRule, Rules, SeverityRule, ThreatRule

AnyRule = RelevanceRule | ThreatRule | SeverityRule


@dataclass(slots=True)
class Score:
    """True and false positives, and what was missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        both = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / both if both else 1.0

    def count(self, said: bool, true: bool) -> None:
        """Add one decision."""
        self.right += said and true
        self.wrong += said and not true
        self.missed += true and not said

    def __str__(self) -> str:
        return f"precision {self.precision:.3f}  recall {self.recall:.3f}  F1 {self.f1:.3f}"


@dataclass(slots=True)
class RuleReport:
    """How rules did on labelled advisories; a rule's own recall is the share of the relevant ones it found."""

    overall: Score = field(default_factory=Score)
    rules: dict[str, Score] = field(default_factory=dict)
    missed: list[Advisory] = field(default_factory=list)
    false: list[tuple[Advisory, Verdict]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Labelled:
    """An advisory and the truth about it."""

    advisory: Advisory
    relevant: bool
    borderline: bool = False
    threat: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One advisory that new rules judge otherwise."""

    advisory: Advisory
    before: Verdict
    after: Verdict

    @property
    def kind(self) -> str:
        """What a reader would notice of it."""
        was, is_ = (verdict.relevance is not Relevance.NONE for verdict in (self.before, self.after))
        if is_ != was:
            return "newly relevant" if is_ else "no longer relevant"
        return "with another threat or severity"

    def __str__(self) -> str:
        words = "; ".join(dict.fromkeys(f"{reason.rule}: {reason.words}" for reason in self.after.reasons[:3]))
        return f"{_short(self.before)} -> {_short(self.after)}  {self.advisory.title}  [{words}]"


def _short(verdict: Verdict) -> str:
    return "/".join((verdict.relevance, verdict.severity, *verdict.threats))


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule as ``python -m bot rules`` lists it."""

    table: str
    id: str
    title: str
    gives: str
    tests: str
    note: str


def describe_rules(rules: Rules) -> list[RuleLine]:
    """Every rule, in the order of the file."""
    tables: dict[str, tuple[AnyRule, ...]] = {
        "relevance": rules.relevance,
        "threats": rules.threats,
        "severity": rules.severity,
    }
    return [
        RuleLine(table, rule.id, rule.title, str(rule.gives), _tests(rule), rule.note)
        for table, lines in tables.items()
        for rule in lines
    ]


def _tests(rule: AnyRule) -> str:
    parts = [f"fact {rule.fact}"] if rule.fact else []
    for name, condition in rule.conditions.items():
        near = f" (within {rule.within} words)" if name == "beside" else ""
        parts.append(f"{name}{near} {_shown(condition)}")
    return "; ".join(parts)


def _shown(condition: Condition) -> str:
    return condition.model_dump_json(by_alias=True, exclude_defaults=True)


def read_labelled(path: Path) -> Iterator[Labelled]:
    """The labelled advisories of a JSON-lines file. Raises ConfigError that names file and line."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _labelled(path, number, line)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _labelled(path: Path, number: int, line: str) -> Labelled:
    try:
        record = read_record(line)
        advisory = read_advisory(record)
    except BadLine as error:
        raise ConfigError(f"{path}:{number}: {error}") from error
    if not isinstance(record.get("relevant"), bool):
        raise ConfigError(f"{path}:{number}: `relevant` must say true or false")
    return Labelled(advisory, record["relevant"], bool(record.get("borderline")), str(record.get("threat") or ""))


def test_rules(path: Path, judge: Judge, *, now: datetime) -> RuleReport:
    """How the rules of ``judge`` do on a file of lines that say ``relevant``; borderline ones are left out."""
    return score(read_labelled(path), judge, now=now)


def score(labelled: Iterable[Labelled], judge: Judge, *, now: datetime) -> RuleReport:
    """The report on advisories whose truth is known."""
    report = RuleReport(rules={rule.id: Score() for rule in judge.rules.relevance})
    for one in labelled:
        if one.borderline:
            continue
        verdict = judge.judge(one.advisory, now=now)
        said = verdict.relevance is not Relevance.NONE
        report.overall.count(said, one.relevant)
        fired = {reason.rule for reason in verdict.reasons}
        for rule, own in report.rules.items():
            own.count(rule in fired, one.relevant)
        if one.relevant and not said:
            report.missed.append(one.advisory)
        elif said and not one.relevant:
            report.false.append((one.advisory, verdict))
    return report


def judged_otherwise(judge: Judge, stored: Stored, *, now: datetime) -> Change | None:
    """What ``judge`` says otherwise than what is stored: relevance, threats or severity; None where all agree."""
    before, after = stored.verdict, judge.judge(stored.advisory, now=now)
    if (before.relevance, before.threats, before.severity) == (after.relevance, after.threats, after.severity):
        return None
    return Change(stored.advisory, before, after)
