"""NHS England's cyber alerts over REST: pages of alerts with epoch milliseconds and a severity of their own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from bot.feeds.records import Record, Text, foreign, load, read_entries
from bot.model import Entry, Facts, Feed, Severity

_EXPECTED = "NHS cyber alerts"
_SITE = "https://digital.nhs.uk"
_YEAR_IN_PATH = re.compile(r"/cyber-alerts/(\d{4})/")
_RELATIVE_LINK = re.compile(r"""(\bhref\s*=\s*["'])/(?!/)""", re.IGNORECASE)
_SEVERITIES = {severity.value: severity for severity in Severity} | {"information": Severity.INFO}


class _Alert(Record):
    threatId: str = Field(pattern=r"(?i)^\s*CC-\d+\s*$")  # noqa: N815  the service's own names
    title: Text = ""
    summary: Text = ""
    severity: Text = ""
    publishedDate: Text = ""  # noqa: N815
    lastUpdated: Text = ""  # noqa: N815
    lastModified: Text = ""  # noqa: N815
    basePath: Text = ""  # noqa: N815
    category: Any = None
    threatAffects: Any = None  # noqa: N815


def read_nhs(text: str) -> Feed:
    """One page of alerts as a feed; raises NotAFeed for other JSON."""
    content = load(text, _EXPECTED)
    raw = content.get("items", content.get("content")) if isinstance(content, dict) else content
    paged = isinstance(content, dict) and "total" in content
    if not isinstance(raw, list) or not (paged or any(isinstance(one, dict) and "threatId" in one for one in raw)):
        raise foreign(text, _EXPECTED)
    entries, warnings = read_entries(raw, _Alert, _entry)
    return Feed(entries, title="NHS England cyber alerts", language="en", warnings=warnings)


def _entry(alert: _Alert) -> Entry:
    alert_id = alert.threatId.strip().upper()
    categories, affected = _names(alert.category), _names(alert.threatAffects)
    parts = [
        _RELATIVE_LINK.sub(rf"\1{_SITE}/", alert.summary),
        categories and f"<p>Category: {', '.join(categories)}</p>",
        affected and f"<p>Affects: {', '.join(affected)}</p>",
    ]
    return Entry(
        guid=alert_id,
        link=_page(alert, alert_id),
        title=alert.title,
        summary="\n".join(part for part in parts if part),
        published=alert.publishedDate,
        updated=alert.lastUpdated or alert.lastModified,
        facts=Facts(products=affected, severity=_SEVERITIES.get(alert.severity.strip().lower())),
    )


def _page(alert: _Alert, alert_id: str) -> str:
    found = _YEAR_IN_PATH.search(alert.basePath)
    year = found[1] if found else ""
    if not year and alert.publishedDate.isdecimal():
        year = str(datetime.fromtimestamp(int(alert.publishedDate[:13]) / 1000, UTC).year)
    return f"{_SITE}/cyber-alerts/{year}/{alert_id.lower()}" if year else ""


def _names(value: Any) -> tuple[str, ...]:
    """Names in whatever shape the service gives them: text, a list of texts, or objects with a name or a title."""
    if isinstance(value, str):
        return (value.strip(),) if value.strip() else ()
    if isinstance(value, list):
        return tuple(dict.fromkeys(name for one in value[:100] for name in _names(one)))
    if isinstance(value, dict):
        keys = ("name", "title", "platformAffected", "platformText", "text", "value")
        return next((_names(value[key]) for key in keys if isinstance(value.get(key), str)), ())
    return ()
