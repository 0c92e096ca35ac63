"""Facts in prose, and the words around titles."""

from __future__ import annotations

import pytest

from bot.feeds import statements
from bot.feeds.titles import bare_title, update_marker
from bot.model import Severity, Tlp


def test_cves() -> None:
    text = "cve-2026-1234, CVE-2026-1234 and CVE\u20112025\u201199999; XCVE-2026-1111, CVE-2026-123, CVE 2024-5555"
    assert statements.cves(text) == ("CVE-2026-1234", "CVE-2025-99999", "CVE-2024-5555")
    assert len(statements.cves(" ".join(f"CVE-2026-{n:05}" for n in range(10_000)))) == 500


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("A CVSS v3.1 base score of 9.8 has been calculated", 9.8),
        ("CVSS v4 8.7", 8.7),
        ("CVSS 9.8", 9.8),
        ("Score de base 9.8", 9.8),
        ("CVSS v3 9.8", 9.8),
        ("CVSS: 9,8", 9.8),
        ("(CVSS score: 7.0)", 7.0),
        ("CVSSv3: 8.8", 8.8),
        ("CVSS3.1 9.8", 9.8),
        ("CVSS base score of 10", 10.0),
        ("CVSS 10.0", 10.0),
        ("CVSS v3.1 9.8/10", 9.8),
        ("rated CVSS 7 / 10", 7.0),
        ("CVSS v3 7.1; CVSS v4 9.3", 9.3),
        ("score CVSS de 9.8 a été", 9.8),
        ("CVSS-Score 8,8 (v3.1)", 8.8),
        ("CVSS 3.1: 9.8 CVSS:3.1/AV:N/AC:L/PR:N", 9.8),
        ("CVSS | Vendor\nv3 6.8 | Acme", 6.8),
        ("CVSS:3.1/AV:N/AC:L", None),
        ("CVSS v3.1 score", None),
        ("CVSS 4.0", None),
        ("CVSS scores in version 7.5", None),
        ("version 9.8 of Acme", None),
        ("", None),
        ("CVSS 11.5", None),
        ("CVSS 2026", None),
    ],
)
def test_cvss(text: str, score: float | None) -> None:
    assert statements.cvss(text) == score


@pytest.mark.parametrize(
    ("text", "vendors", "products"),
    [
        ("Vendor: Acme\nEquipment: Pump A, Pump B\nVulnerabilities: X, Y", ("Acme",), ("Pump A", "Pump B")),
        (
            "1. SUMMARY | CVSS 8.9 | Vendor: Acme Med, Inc. | Equipment: Pump | Vulnerability: X",
            ("Acme Med, Inc.",),
            ("Pump",),
        ),
        ("Vendor: Acme GmbH. Equipment: Pump; Monitor.", ("Acme GmbH",), ("Pump", "Monitor")),
        (
            "CVSS | Vendor | Equipment | Vulnerabilities\nv3 6.8 | Acme | Acme Pump | Weak hash",
            ("Acme",),
            ("Acme Pump",),
        ),
        ("Ask your vendor: it knows.", (), ()),
    ],
)
def test_vendors_and_products(text: str, vendors: tuple[str, ...], products: tuple[str, ...]) -> None:
    assert (statements.vendors(text), statements.products(text)) == (vendors, products)


@pytest.mark.parametrize(
    ("text", "sectors"),
    [
        (
            "Critical Infrastructure Sectors: Energy, Healthcare and Public Health, Water and Wastewater Systems\nArea",
            ("Energy", "Healthcare and Public Health", "Water and Wastewater Systems"),
        ),
        (
            "CRITICAL INFRASTRUCTURE SECTORS: HEALTHCARE AND PUBLIC HEALTH COUNTRIES/AREAS DEPLOYED: Worldwide",
            ("Healthcare and Public Health",),
        ),
        (
            "Critical Infrastructure Sectors: Commercial Facilities, Energy and Healthcare & Public Health. More",
            ("Commercial Facilities", "Energy", "Healthcare and Public Health"),
        ),
        ("Critical Infrastructure Sector: Healthcare and Public Health Sector | x", ("Healthcare and Public Health",)),
        ("Critical Infrastructure Sectors: Multiple", ("Multiple",)),
        ("Healthcare and Public Health matters to us.", ()),
    ],
)
def test_sectors(text: str, sectors: tuple[str, ...]) -> None:
    assert statements.sectors(text) == sectors


@pytest.mark.parametrize(
    ("title", "text", "severity"),
    [
        ("[NEU] [hoch] Acme: Schwachstelle", "", Severity.HIGH),
        ("[UPDATE] [kritisch] A", "", Severity.CRITICAL),
        ("[mittel] A", "", Severity.MEDIUM),
        ("[niedrig] A", "", Severity.LOW),
        ("NCSC-2026-0012 [1.00] [M/H] A", "", Severity.HIGH),
        ("[H/H] A", "", Severity.CRITICAL),
        ("[L/M] A", "", Severity.MEDIUM),
        ("A", "Severity: critical\nx", Severity.CRITICAL),
        ("A high risk", "of high severity", None),
        ("[NEU] A", "", None),
    ],
)
def test_stated_severity(title: str, text: str, severity: Severity | None) -> None:
    assert statements.severity(title, text) is severity


@pytest.mark.parametrize(
    ("text", "marking"),
    [
        ("TLP:CLEAR", Tlp.CLEAR),
        ("marked TLP: WHITE", Tlp.CLEAR),
        ("TLP:AMBER+STRICT", Tlp.AMBER_STRICT),
        ("TLP:AMBER only", Tlp.AMBER),
        ("tlp:green; not TLP:RED", Tlp.GREEN),
        ("no TLP here: RED", None),
    ],
)
def test_tlp(text: str, marking: Tlp | None) -> None:
    assert statements.tlp(text) is marking


@pytest.mark.parametrize(
    ("title", "marker", "bare"),
    [
        ("[MàJ] Faille", "[MàJ]", "Faille"),
        ("[UPDATE] [hoch] A", "[UPDATE]", "[hoch] A"),
        ("[NEU] [hoch] A", "", "[hoch] A"),
        ("A (Update B)", "(Update B)", "A"),
        ("UPDATE: A", "UPDATE:", "A"),
        ("Version 1.1: A", "Version 1.1:", "A"),
        ("Version 1.0: A", "", "A"),
        ("NCSC-1 [1.01] [M/H] A", "[1.01]", "NCSC-1 [M/H] A"),
        ("[1.00] A", "", "A"),
        ("更新：A", "更新：", "A"),
        ("Update your pumps now", "", "Update your pumps now"),
        ("A (2.0)", "", "A (2.0)"),
        ("Updated guidance: wash hands", "", "Updated guidance: wash hands"),
        ("[UPDATE]", "[UPDATE]", "[UPDATE]"),
    ],
)
def test_update_markers(title: str, marker: str, bare: str) -> None:
    assert (update_marker(title), bare_title(title)) == (marker, bare)
