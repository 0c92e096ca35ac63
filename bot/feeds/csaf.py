"""CSAF: a ROLIE feed that lists advisories, or one advisory with its product tree and vulnerabilities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from bot.errors import NotAFeed
from bot.feeds.records import Many, Record, Text, foreign, load, read_entries
from bot.feeds.statements import sectors_of
from bot.model import Entry, Facts, Feed, Severity

_EXPECTED = "a CSAF ROLIE feed or a CSAF advisory"
_CISA_ID = re.compile(r"(ICSMA|ICSA)-\d{2}-\d{3}-\d{2}", re.IGNORECASE)
_CISA_PATHS = {"ICSMA": "ics-medical-advisories", "ICSA": "ics-advisories"}
_DEEPEST = 50  # levels of a product tree


class _Link(Record):
    href: Text = ""
    rel: Text = ""


class _Said(Record):
    content: Text = ""


class _RolieEntry(Record):
    id: str
    title: Text = ""
    summary: _Said | str | None = None
    published: Text = ""
    updated: Text = ""
    link: Many[_Link] = ()
    content: Any = None


class _Note(Record):
    category: Text = ""
    title: Text = ""
    text: Text = ""


class _Revision(Record):
    date: Text = ""
    number: Text = ""
    summary: Text = ""


class _Tracking(Record):
    id: str
    initial_release_date: Text = ""
    current_release_date: Text = ""
    revision_history: Many[_Revision] = ()


class _Reference(Record):
    category: Text = ""
    url: Text = ""


class _Rating(Record):
    text: Text = ""


class _Heading(Record):
    title: Text = ""
    lang: Text = ""
    tracking: _Tracking
    notes: Many[_Note] = ()
    references: Many[_Reference] = ()
    distribution: Any = None
    aggregate_severity: _Rating | None = None


class _Score(Record):
    baseScore: float | None = None  # noqa: N815


class _Scores(Record):
    cvss_v4: _Score | None = None
    cvss_v3: _Score | None = None
    cvss_v2: _Score | None = None


class _Weakness(Record):
    cve: Text = ""
    title: Text = ""
    notes: Many[_Note] = ()
    scores: Many[_Scores] = ()


class _Advisory(Record):
    document: _Heading
    product_tree: Any = None
    vulnerabilities: Many[_Weakness] = ()


def read_csaf(text: str) -> Feed:
    """The ROLIE feed's entries, or the one advisory as a feed of one; raises NotAFeed for other JSON."""
    content = load(text, _EXPECTED)
    if isinstance(content, dict) and isinstance(feed := content.get("feed"), dict):
        raw = feed.get("entry", [])
        if not isinstance(raw, list):
            raise foreign(text, _EXPECTED)
        entries, warnings = read_entries(raw, _RolieEntry, _rolie_entry)
        return Feed(entries, title=str(feed.get("title", "")), warnings=warnings)
    if not isinstance(content, dict) or "document" not in content:
        raise foreign(text, _EXPECTED)
    try:
        advisory = _Advisory.model_validate(content)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise NotAFeed(f"a CSAF advisory that cannot be read: {where}: {error.errors()[0]['msg']}") from error
    return Feed((_entry(advisory),), title=advisory.document.title, language=advisory.document.lang)


def _rolie_entry(raw: _RolieEntry) -> Entry:
    links = {link.rel or "": link.href for link in reversed(raw.link) if link.href}
    source = raw.content.get("src") if isinstance(raw.content, dict) else None
    document = links.get("alternate") or links.get("self") or source or ""
    said = raw.summary.content if isinstance(raw.summary, _Said) else raw.summary
    return Entry(
        guid=raw.id,
        link=cisa_page(raw.id) or str(document),
        title=raw.title,
        summary=said or "",
        published=raw.published,
        updated=raw.updated,
    )


def cisa_page(advisory_id: str) -> str:
    """The page for people of a CISA ICS or ICS medical advisory, or an empty string."""
    found = _CISA_ID.fullmatch(advisory_id.strip())
    return f"https://www.cisa.gov/news-events/{_CISA_PATHS[found[1].upper()]}/{found[0].lower()}" if found else ""


def _entry(advisory: _Advisory) -> Entry:
    heading, tracking = advisory.document, advisory.document.tracking
    own = [one.url for one in heading.references if one.category == "self"]
    page = next((url for url in own if not url.endswith(".json")), own[0] if own else "")
    return Entry(
        guid=tracking.id,
        link=cisa_page(tracking.id) or page,
        title=heading.title,
        summary="\n".join(_paragraphs(advisory)),
        published=tracking.initial_release_date,
        updated=tracking.current_release_date,
        language=heading.lang,
        facts=_facts(advisory),
    )


def _paragraphs(advisory: _Advisory) -> Iterator[str]:
    heading = advisory.document
    yield from (note.text for note in heading.notes if note.category in ("summary", "description"))
    for weakness in advisory.vulnerabilities:
        said = [note.text for note in weakness.notes if note.category in ("summary", "description")]
        yield " ".join(part for part in (weakness.cve and f"{weakness.cve.upper()}:", weakness.title, *said) if part)
    sectors = _sectors(advisory)
    if sectors:
        yield f"Critical Infrastructure Sectors: {', '.join(sectors)}"
    distribution = heading.distribution if isinstance(heading.distribution, dict) else {}
    label = distribution.get("tlp", {}).get("label") if isinstance(distribution.get("tlp"), dict) else None
    if isinstance(label, str):
        yield f"TLP:{label}"
    history = [revision for revision in heading.tracking.revision_history if revision.summary]
    if len(history) > 1:
        yield f"Revision {history[-1].number} ({history[-1].date[:10]}): {history[-1].summary}"


def _sectors(advisory: _Advisory) -> tuple[str, ...]:
    named = [note.text for note in advisory.document.notes if "infrastructure sector" in note.title.lower()]
    return sectors_of(", ".join(named))


def _facts(advisory: _Advisory) -> Facts:
    found = list(_branches(advisory.product_tree))
    scores = [
        score.baseScore
        for weakness in advisory.vulnerabilities
        for scores in weakness.scores
        for score in (scores.cvss_v4, scores.cvss_v3, scores.cvss_v2)
        if score and score.baseScore is not None and 0 <= score.baseScore <= 10
    ]
    rating = advisory.document.aggregate_severity
    stated = rating.text.strip().lower().replace("important", "high").replace("moderate", "medium") if rating else ""
    return Facts(
        cves=tuple(dict.fromkeys(weakness.cve.upper() for weakness in advisory.vulnerabilities if weakness.cve)),
        cvss=max(scores, default=None),
        vendors=tuple(dict.fromkeys(name for category, name in found if category == "vendor")),
        products=tuple(dict.fromkeys(name for category, name in found if category == "product_name")),
        sectors=_sectors(advisory),
        severity=Severity(stated) if stated in list(Severity) else None,
    )


def _branches(tree: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Category and name of every branch of a product tree, outer ones first."""
    branches = tree.get("branches") if isinstance(tree, dict) and depth < _DEEPEST else None
    for branch in branches if isinstance(branches, list) else ():
        if isinstance(branch, dict):
            yield str(branch.get("category", "")), str(branch.get("name", ""))[:300]
            yield from _branches(branch, depth + 1)
