"""ENISA's EU Vulnerability Database: lists of vulnerabilities (exploited, critical, latest)."""

from __future__ import annotations

import re

from bot.feeds.records import Many, Record, Text, foreign, load, read_entries
from bot.model import Entry, Facts, Feed

_EXPECTED = "an EUVD list"
_CVE = re.compile(r"CVE-\d{4}-\d{4,7}", re.IGNORECASE)


class _Named(Record):
    name: Text = ""


class _Vendor(Record):
    vendor: _Named = _Named()


class _Product(Record):
    product: _Named = _Named()


class _Vulnerability(Record):
    id: str
    description: Text = ""
    datePublished: Text = ""  # noqa: N815  the service's own names
    dateUpdated: Text = ""  # noqa: N815
    baseScore: float | None = None  # noqa: N815
    aliases: Text = ""
    enisaIdProduct: Many[_Product] = ()  # noqa: N815
    enisaIdVendor: Many[_Vendor] = ()  # noqa: N815


def read_euvd(text: str) -> Feed:
    """The list (bare, or under ``items`` as the search gives it) as a feed; raises NotAFeed for other JSON."""
    content = load(text, _EXPECTED)
    raw = content.get("items") if isinstance(content, dict) else content
    if not isinstance(raw, list) or not all(isinstance(one, dict) and "id" in one for one in raw[:1]):
        raise foreign(text, _EXPECTED)
    entries, warnings = read_entries(raw, _Vulnerability, _entry)
    return Feed(entries, title="ENISA EUVD", language="en", warnings=warnings)


def _entry(raw: _Vulnerability) -> Entry:
    cves = tuple(dict.fromkeys(cve.upper() for cve in _CVE.findall(raw.aliases)))
    vendors = tuple(dict.fromkeys(one.vendor.name for one in raw.enisaIdVendor if one.vendor.name not in ("", "n/a")))
    products = tuple(dict.fromkeys(one.product.name for one in raw.enisaIdProduct if one.product.name))
    subject = ", ".join((*vendors[:2], *products[:2])) or "vulnerability"
    return Entry(
        guid=raw.id,
        link=f"https://euvd.enisa.europa.eu/vulnerability/{raw.id}",
        title=f"{cves[0] if cves else raw.id}: {subject}",
        summary=raw.description,
        published=raw.datePublished,
        updated=raw.dateUpdated,
        facts=Facts(cves=cves, cvss=raw.baseScore, vendors=vendors, products=products),
    )
