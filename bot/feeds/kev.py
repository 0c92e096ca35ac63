"""CISA's catalogue of Known Exploited Vulnerabilities: served as a whole each time, identified by CVE."""

from __future__ import annotations

from pydantic import Field

from bot.feeds.records import Record, Text, foreign, load, read_entries
from bot.model import Entry, Facts, Feed

_EXPECTED = "the KEV catalogue"


class _Vulnerability(Record):
    cveID: str = Field(pattern=r"(?i)^\s*CVE-\d{4}-\d{4,}\s*$")  # noqa: N815  the catalogue's own names
    vendorProject: Text = ""  # noqa: N815
    product: Text = ""
    vulnerabilityName: Text = ""  # noqa: N815
    dateAdded: Text = ""  # noqa: N815
    shortDescription: Text = ""  # noqa: N815
    requiredAction: Text = ""  # noqa: N815
    dueDate: Text = ""  # noqa: N815
    knownRansomwareCampaignUse: Text = ""  # noqa: N815


def read_kev(text: str) -> Feed:
    """The catalogue as a feed; raises NotAFeed for other JSON."""
    content = load(text, _EXPECTED)
    if not isinstance(content, dict) or not isinstance(content.get("vulnerabilities"), list):
        raise foreign(text, _EXPECTED)
    entries, warnings = read_entries(content["vulnerabilities"], _Vulnerability, _entry)
    return Feed(entries, title=str(content.get("title", "")), language="en", warnings=warnings)


def _entry(kev: _Vulnerability) -> Entry:
    cve = kev.cveID.strip().upper()
    ransomware = kev.knownRansomwareCampaignUse.strip().lower() == "known"
    parts = [kev.shortDescription, kev.requiredAction and f"Required action: {kev.requiredAction}"]
    if ransomware:
        parts.append("Known to be used in ransomware campaigns.")
    return Entry(
        guid=cve,
        link=f"https://nvd.nist.gov/vuln/detail/{cve}",
        title=f"{cve}: {kev.vulnerabilityName or f'{kev.vendorProject} {kev.product}'.strip()}",
        summary="\n".join(part for part in parts if part),
        published=kev.dateAdded,
        facts=Facts(
            cves=(cve,),
            vendors=(kev.vendorProject,) if kev.vendorProject else (),
            products=(kev.product,) if kev.product else (),
            kev_added=kev.dateAdded,
            kev_due=kev.dueDate,
            known_ransomware=ransomware,
        ),
    )
