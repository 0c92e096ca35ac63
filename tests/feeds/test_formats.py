"""The JSON formats: their facts, and one bad record among good ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.errors import NotAFeed
from bot.feeds.identity import advisories
from bot.feeds.parse import parse
from bot.model import Advisory, Feed, Format, Severity
from tests.feeds.sources import NOW, source


def read(document: object, format: Format) -> Feed:
    return parse(json.dumps(document).encode(), format)


def only(document: object, format: Format) -> Advisory:
    (advisory,) = advisories(read(document, format), source(language="en"), "https://api.example/x", NOW)
    return advisory


def kev(**fields: Any) -> dict[str, Any]:
    return {"cveID": "CVE-2026-1234", "vendorProject": "Acme", "product": "Gateway",
            "vulnerabilityName": "Acme Gateway Bypass", "dateAdded": "2026-10-01",
            "shortDescription": "Lets anybody in.", "requiredAction": "Patch.",
            "dueDate": "2026-10-22", "knownRansomwareCampaignUse": "Known", **fields}  # fmt: skip


def test_kev() -> None:
    advisory = only({"vulnerabilities": [kev()]}, Format.KEV)
    assert advisory.key == "CVE-2026-1234"
    assert advisory.title == "CVE-2026-1234: Acme Gateway Bypass"
    assert advisory.url == "https://nvd.nist.gov/vuln/detail/CVE-2026-1234"
    assert (advisory.kev, advisory.known_ransomware) == (True, True)
    assert (advisory.vendors, advisory.products, advisory.cves) == (("Acme",), ("Gateway",), ("CVE-2026-1234",))
    assert str(advisory.published) == "2026-10-01 00:00:00+00:00"


def test_kev_unknown_ransomware_use_is_not_known() -> None:
    assert not only({"vulnerabilities": [kev(knownRansomwareCampaignUse="Unknown")]}, Format.KEV).known_ransomware


def test_one_bad_record_costs_only_itself() -> None:
    bad: list[Any] = [None, 7, {}, {"cveID": None}, {"cveID": ["x"]}, kev(product={"a": 1}), kev(cveID="\ud800")]
    feed = read({"vulnerabilities": [*bad, kev(product=None, notes=7)]}, Format.KEV)
    assert [entry.guid for entry in feed.entries] == ["CVE-2026-1234"]
    assert feed.warnings[0].startswith("7 of 8 entries cannot be read")


def test_only_bad_records_are_a_failure() -> None:
    with pytest.raises(NotAFeed, match="none of the 1 entries"):
        read({"vulnerabilities": [{}]}, Format.KEV)
    assert read({"vulnerabilities": []}, Format.KEV).entries == ()


def rolie(advisory_id: str, **fields: Any) -> dict[str, Any]:
    href = f"https://raw.example/csaf/{advisory_id.lower()}.json"
    links = [{"href": href, "rel": "self"}, {"href": href + ".asc", "rel": "signature"}]
    return {"id": advisory_id, "title": "Acme Pump (Update A)", "link": links,
            "published": "2026-09-10T06:00:00.000000Z", "updated": "2026-10-01T06:00:00Z", **fields}  # fmt: skip


@pytest.mark.parametrize(("advisory_id", "url"), [
    ("ICSMA-26-200-01", "https://www.cisa.gov/news-events/ics-medical-advisories/icsma-26-200-01"),
    ("ICSA-26-200-01", "https://www.cisa.gov/news-events/ics-advisories/icsa-26-200-01"),
    ("VA-26-254-02", "https://raw.example/csaf/va-26-254-02.json"),
])  # fmt: skip
def test_csaf_rolie_leads_to_the_page_for_people(advisory_id: str, url: str) -> None:
    advisory = only({"feed": {"entry": [rolie(advisory_id, summary={"content": "Alarms can be muted."})]}}, Format.CSAF)
    assert (advisory.key, advisory.url, advisory.summary) == (advisory_id, url, "Alarms can be muted.")
    assert str(advisory.updated) == "2026-10-01 06:00:00+00:00"


def csaf() -> dict[str, Any]:
    return {
        "document": {
            "csaf_version": "2.0", "title": "Acme Pump", "lang": "en-US",
            "notes": [{"category": "summary", "title": "Risk evaluation", "text": "Dosage could be changed."},
                      {"category": "legal_disclaimer", "text": "No warranty."},
                      {"category": "other", "title": "Critical infrastructure sectors",
                       "text": "Healthcare and Public Health Sector, Energy"}],
            "distribution": {"tlp": {"label": "AMBER"}}, "aggregate_severity": {"text": "Important"},
            "references": [{"category": "self", "url": "https://psirt.example/a.json"},
                           {"category": "self", "url": "https://psirt.example/a.html"}],
            "tracking": {"id": "ACME-1", "initial_release_date": "2026-09-01T00:00:00Z",
                         "current_release_date": "2026-09-20T00:00:00Z",
                         "revision_history": [{"number": "1", "summary": "First"},
                                              {"number": "2", "date": "2026-09-20", "summary": "New versions"}]},
        },
        "product_tree": {"branches": [{"category": "vendor", "name": "Acme", "branches": [
            {"category": "product_name", "name": "Pump 3000", "branches": [
                {"category": "product_version", "name": "1.0"}]}]}, "nonsense"]},
        "vulnerabilities": [
            {"cve": "cve-2026-7777", "notes": [{"category": "description", "text": "A default password."}],
             "scores": [{"cvss_v3": {"baseScore": 9.8}}, {"cvss_v4": {"baseScore": 9.3}}]},
            {"cve": None, "title": "No id yet", "scores": [{"cvss_v2": {"baseScore": 77}}]}],
    }  # fmt: skip


def test_csaf_advisory() -> None:
    advisory = only(csaf(), Format.CSAF)
    assert (advisory.key, advisory.url, advisory.language) == ("ACME-1", "https://psirt.example/a.html", "en")
    assert (advisory.vendors, advisory.products) == (("Acme",), ("Pump 3000",))
    assert (advisory.cves, advisory.cvss) == (("CVE-2026-7777",), 9.8)
    assert advisory.sectors == ("Healthcare and Public Health", "Energy")
    assert (advisory.tlp, advisory.stated_severity) == ("amber", Severity.HIGH)
    assert "Dosage could be changed." in advisory.summary
    assert "CVE-2026-7777: A default password." in advisory.summary
    assert "Revision 2 (2026-09-20): New versions" in advisory.summary
    assert "warranty" not in advisory.summary


def test_a_csaf_advisory_without_an_id_is_named() -> None:
    document = csaf()
    del document["document"]["tracking"]["id"]
    with pytest.raises(NotAFeed, match=r"document\.tracking\.id"):
        read(document, Format.CSAF)


def nhs(**fields: Any) -> dict[str, Any]:
    return {"threatId": "cc-4711", "title": "Acme flaw", "publishedDate": 1790000000000, "severity": "High",
            "summary": 'A <a href="/glossary#x">flaw</a>&nbsp;in Acme.', "category": ["Vulnerability"],
            "threatAffects": [{"title": "Acme PACS"}, "Acme RIS", 7], **fields}  # fmt: skip


def test_nhs() -> None:
    document = {"total": 1, "items": [nhs()]}
    assert 'href="https://digital.nhs.uk/glossary#x"' in read(document, Format.NHS).entries[0].summary
    advisory = only(document, Format.NHS)
    assert (advisory.key, advisory.url) == ("CC-4711", "https://digital.nhs.uk/cyber-alerts/2026/cc-4711")
    assert str(advisory.published) == "2026-09-21 14:13:20+00:00"
    assert (advisory.stated_severity, advisory.products) == (Severity.HIGH, ("Acme PACS", "Acme RIS"))
    assert advisory.summary == "A flaw in Acme.\nCategory: Vulnerability\nAffects: Acme PACS, Acme RIS"


def test_nhs_year_from_the_path_and_an_empty_page() -> None:
    path = "http://digital.nhs.uk/cyber-alerts/2018/cc-4711/cc-4711"
    assert only({"total": 1, "items": [nhs(basePath=path)]}, Format.NHS).url.endswith("/2018/cc-4711")
    assert read({"total": 0, "items": []}, Format.NHS).entries == ()


def test_jsonfeed() -> None:
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "T", "language": "de", "items": [
        {"id": 7, "url": "/a", "title": "A", "content_html": "<p>b</p>", "date_published": "2026-10-01T00:00:00Z"},
        {"id": None}, {"content_text": "text only"}]}  # fmt: skip
    assert [entry.guid for entry in read(feed, Format.JSONFEED).entries] == ["7", ""]
    first = {**feed, "items": feed["items"][:1]}
    advisory = only(first, Format.JSONFEED)
    assert (advisory.url, advisory.summary, advisory.language) == ("https://api.example/a", "b", "de")


def test_euvd() -> None:
    record = {"id": "EUVD-2026-9", "description": "A flaw.", "datePublished": "Aug 7, 2026, 6:16:43 PM",
              "baseScore": 8.8, "aliases": "CVE-2026-55555\nGHSA-x\n", "enisaIdVendor": [{"vendor": {"name": "Acme"}}],
              "enisaIdProduct": [{"product": {"name": "Gate"}}, {"product": {"name": "Gate"}}, {}]}  # fmt: skip
    advisory = only([record], Format.EUVD)
    assert (advisory.title, advisory.cvss) == ("CVE-2026-55555: Acme, Gate", 8.8)
    assert (advisory.cves, advisory.vendors, advisory.products) == (("CVE-2026-55555",), ("Acme",), ("Gate",))
    assert str(advisory.published) == "2026-08-07 18:16:43+00:00"


def test_openfda() -> None:
    record = {"product_res_number": "Z-1-2026", "cfres_id": "220", "event_date_posted": "20261001",
              "recalling_firm": "Acme",
              "product_description": "Infusion pump, model 9", "reason_for_recall": "Stops.",
              "root_cause_description": "Software design"}  # fmt: skip
    advisory = only({"results": [record]}, Format.OPENFDA)
    assert (advisory.key, advisory.title) == ("Z-1-2026", "Recall by Acme: Infusion pump, model 9")
    assert "Root cause: Software design" in advisory.summary
    assert str(advisory.published) == "2026-10-01 00:00:00+00:00"
    assert read({"error": {"code": "NOT_FOUND", "message": "No matches found!"}}, Format.OPENFDA).entries == ()
    with pytest.raises(NotAFeed, match="keys error"):
        read({"error": {"code": "OVER_RATE_LIMIT"}}, Format.OPENFDA)


def test_csh() -> None:
    post = {"uuid": "p1", "subject": {"de": "Warnung", "en": "Warning"}, "message": "<p>TLP:GREEN</p>",
            "publishedAt": "2026-10-01T08:00:00Z"}  # fmt: skip
    for document in ([post], {"content": [post]}):
        advisory = only(document, Format.CSH)
        assert (advisory.key, advisory.title, advisory.tlp) == ("p1", "Warning", "green")
