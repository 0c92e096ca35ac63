"""Classify: advisories as JSON lines in, the same lines with a verdict out, one at a time.

In: an object with ``title`` and, where known, ``summary, url, source, organisation, country, language, published, cves,
cvss, vendors, products, sectors, kev``; what is missing is read from the text where it states it ("Vendor: …"), other
keys pass through. Out: the object with ``relevance, threats, severity``
and ``reasons``, each of these {rule, clause, words, where}; ``where`` is ``title:3-11``, ``text:0-4`` (characters) or
``field``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from bot.feeds import statements
from bot.judge import Judge
from bot.model import Advisory, Reason, Verdict

Complain = Callable[[str], None]


class BadLine(ValueError):
    """A line is no advisory; the text says what is wrong."""


def classify_stream(lines: Iterable[str], judge: Judge, now: datetime, complain: Complain) -> Iterator[str]:
    """Each line with its verdict; a line that cannot be read is told to ``complain`` with its number, and left out."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = read_record(line)
            advisory = read_advisory(record)
        except BadLine as error:
            complain(f"line {number}: {error}")
            continue
        verdict = judge.judge(advisory, now=now)
        yield json.dumps(record | verdict_record(verdict), ensure_ascii=False)


def read_record(line: str) -> dict[str, Any]:
    """The object on a line; BadLine else."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise BadLine(f"a JSON object is needed, not {type(record).__name__}")
    return record


def read_advisory(record: dict[str, Any]) -> Advisory:
    """The advisory that an object describes; BadLine where a known key holds something else than it should."""
    if not isinstance(record.get("title"), str):
        raise BadLine("title is missing or not a text")
    title, summary = record["title"], _text(record, "summary")
    both = f"{title}\n{summary}"
    lowered = summary.lower()
    cvss = _number(record, "cvss")
    if cvss is None and "CVSS" in both:
        cvss = statements.cvss(both)
    return Advisory(
        source=_text(record, "source"),
        key=_text(record, "key") or _text(record, "url"),
        title=title,
        summary=summary,
        url=_text(record, "url"),
        published=_moment(record),
        language=_text(record, "language") or "en",
        organisation=_text(record, "organisation"),
        country=_text(record, "country"),
        cves=_names(record, "cves") or (statements.cves(both) if "CVE-" in both else ()),
        cvss=cvss,
        kev=record.get("kev") is True,
        vendors=_names(record, "vendors") or (statements.vendors(summary) if "vendor" in lowered else ()),
        products=_names(record, "products") or (statements.products(summary) if "equipment" in lowered else ()),
        sectors=_names(record, "sectors") or (statements.sectors(summary) if "sector" in lowered else ()),
    )


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadLine(f"{key} is not a text")
    return value


def _names(record: dict[str, Any], key: str) -> tuple[str, ...]:
    value = record.get(key) or ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise BadLine(f"{key} is not a list of texts")
    return tuple(value)


def _number(record: dict[str, Any], key: str) -> float | None:
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadLine(f"{key} is not a number")
    return float(value)


def _moment(record: dict[str, Any]) -> datetime | None:
    text = _text(record, "published")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadLine(f"published is no ISO date: {text[:40]!r}") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def verdict_record(verdict: Verdict) -> dict[str, object]:
    """A verdict as the keys that ``classify`` adds."""
    return {
        "relevance": verdict.relevance.value,
        "threats": [threat.value for threat in verdict.threats],
        "severity": verdict.severity.value,
        "reasons": [
            {"rule": reason.rule, "clause": reason.clause, "words": reason.words, "where": where(reason)}
            for reason in verdict.reasons
        ],
    }


def where(reason: Reason) -> str:
    """Where the words of a reason stand, as text: ``title:3-11`` or ``field``."""
    return reason.place if reason.start < 0 else f"{reason.place}:{reason.start}-{reason.end}"
