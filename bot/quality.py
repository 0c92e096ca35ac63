"""The figures of judging, measured on a folder of labelled sets: ``python -m bot.quality FOLDER [--errors]``.

Sets (JSON lines): ``cisa-ics`` (industrial and medical advisories; only what a feed shows is seen), ``general`` and
``timeline-2020`` (read and labelled, many languages), ``unlabelled`` (shows false alarms).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bot.classify import classify_stream, read_advisory, read_record
from bot.errors import WardwatchError
from bot.judge import Judge, load_judge
from bot.model import Advisory, Reason, Relevance, Threat, Verdict
from bot.trial import Labelled, RuleReport, Score, score

GROUPS = {
    Threat.DATA_THEFT: "data-theft/espionage",
    Threat.ESPIONAGE: "data-theft/espionage",
    Threat.PHISHING: "phishing/fraud",
    Threat.FRAUD: "phishing/fraud",
    Threat.POLICY: "policy/other",
    Threat.OTHER: "policy/other",
}  # the labels of the sets are coarser than ours

_SEEN = ("title", "summary", "vendors", "products", "cves", "published", "url", "source", "language")  # by `classify`

Print = Callable[[str], None]


def measure(folder: Path, judge: Judge, say: Print, *, now: datetime, errors: bool = False) -> bool:
    """Print every figure the folder allows; False where it is not there."""
    if not folder.is_dir():
        say(f"quality: no labelled sets at {folder}; nothing measured")
        return False
    for name, part in (("cisa-ics", _cisa), ("general", _general), ("timeline-2020", _timeline)):
        if (folder / f"{name}.jsonl").is_file():
            part(_labelled(folder / f"{name}.jsonl"), judge, say, now, errors)
    if (folder / "unlabelled.jsonl").is_file():
        _unlabelled(folder / "unlabelled.jsonl", judge, say, now)
    for path in sorted(folder.glob("*.jsonl")):
        say(f"{f'classify, {path.stem}':32} {_rate(path, judge, now):,.0f} advisories a second")
    return True


def _labelled(path: Path) -> list[Labelled]:
    labelled = []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = read_record(line)
        record |= {"published": record.get("published") or record.get("date"), "sectors": []}
        threat = str(record.get("threat") or "")
        labelled.append(Labelled(read_advisory(record), record["relevant"], record.get("borderline") is True, threat))
    return labelled


def _cisa(labelled: list[Labelled], judge: Judge, say: Print, now: datetime, errors: bool) -> None:
    seen = [replace(one, advisory=_only_shown(one.advisory)) for one in labelled]
    bare = [replace(one, advisory=replace(one.advisory, summary="", sectors=())) for one in seen]
    _tell("CISA, title and summary", score(seen, judge, now=now), say, errors)
    _tell("CISA, title, vendor, product", score(bare, judge, now=now), say, errors)


def _only_shown(advisory: Advisory) -> Advisory:
    return replace(advisory, url="", key="", source="", cvss=None)


def _general(labelled: list[Labelled], judge: Judge, say: Print, now: datetime, errors: bool) -> None:
    _tell("general", score(labelled, judge, now=now), say, errors)
    foreign = [one for one in labelled if one.advisory.language != "en"]
    _tell("general, not English", score(foreign, judge, now=now), say, False)
    _threats("general, threats", labelled, judge, say, now, errors)


def _timeline(labelled: list[Labelled], judge: Judge, say: Print, now: datetime, errors: bool) -> None:
    _tell("timeline 2020", score(labelled, judge, now=now), say, errors)
    _threats("timeline 2020, threats", labelled, judge, say, now, errors)


def _threats(name: str, labelled: Iterable[Labelled], judge: Judge, say: Print, now: datetime, errors: bool) -> None:
    total, wrong = Score(), []
    for one in labelled:
        if not one.relevant or one.borderline:
            continue
        said = threat_groups(judge.judge(one.advisory, now=now).threats)
        for group in said | {one.threat}:
            total.count(group in said, group == one.threat)
        if said != {one.threat}:
            wrong.append(f"   {one.threat} <> {', '.join(sorted(said))} | {one.advisory.title[:110]}")
    say(f"{name:32} micro-{total}")
    for line in wrong if errors else ():
        say(line)


def threat_groups(threats: Iterable[Threat]) -> set[str]:
    """Our threats in the coarser words of the sets; nothing said is ``policy/other``."""
    return {GROUPS.get(threat, threat.value) for threat in threats} or {"policy/other"}


def _tell(name: str, report: RuleReport, say: Print, errors: bool) -> None:
    say(f"{name:32} {report.overall}  ({report.overall.right + report.overall.missed} relevant)")
    if errors:
        for advisory in report.missed:
            say(f"   missed | {_short(advisory)}")
        for advisory, verdict in report.false:
            say(f"   false {because(verdict)} | {_short(advisory)}")


def _short(advisory: Advisory) -> str:
    names = " ".join((*advisory.vendors, *advisory.products))[:80]
    return f"{advisory.title[:110]} | {names or advisory.summary[:160]}"


def because(verdict: Verdict) -> str:
    """The reasons of a verdict, short."""
    shown = [f"{reason.rule}: {reason.words}" for reason in _relevance_reasons(verdict)]
    return f"{verdict.relevance} [{'; '.join(shown)}]"


def _relevance_reasons(verdict: Verdict) -> Iterator[Reason]:
    first = verdict.reasons[0].rule if verdict.reasons else ""
    return (reason for reason in verdict.reasons if reason.rule == first)


def _unlabelled(path: Path, judge: Judge, say: Print, now: datetime) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    shown = []
    for line in lines:
        advisory = read_advisory(read_record(line))
        verdict = judge.judge(advisory, now=now)
        if verdict.relevance is not Relevance.NONE:
            shown.append((verdict, advisory))
    direct = [pair for pair in shown if pair[0].relevance is Relevance.DIRECT]
    share = 1000 * len(direct) / len(lines)
    say(f"{'unlabelled':32} direct {share:.2f} in 1,000 ({len(direct)}), mention {len(shown) - len(direct)}")
    for verdict, advisory in shown:
        say(f"   {because(verdict)} | {advisory.title[:100]}")


def _rate(path: Path, judge: Judge, now: datetime) -> float:
    """Advisories a second of processor time through ``classify``: the best of four passes."""
    records = map(read_record, path.read_text(encoding="utf-8").splitlines())
    lines = [json.dumps({key: record[key] for key in _SEEN if key in record}) for record in records]
    taken = []
    for _ in range(4):
        begin = time.process_time()
        count = sum(1 for _ in classify_stream(lines, judge, now, lambda line: None))
        taken.append(time.process_time() - begin)
    return count / max(min(taken), 1e-9)


def main() -> int:
    """Measure the folder named on the command line with the rules of ``config/``."""
    parser = argparse.ArgumentParser(prog="python -m bot.quality", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the labelled sets are")
    parser.add_argument("--config", type=Path, default=Path("config"), help="rules and lexicons")
    parser.add_argument("--errors", action="store_true", help="also list what is missed and what is false")
    chosen = parser.parse_args()
    try:
        measure(chosen.folder, load_judge(chosen.config), print, now=datetime.now(UTC), errors=chosen.errors)
    except WardwatchError as error:
        print(f"wardwatch: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
