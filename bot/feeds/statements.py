"""Facts that prose states in a fixed form: CVE ids, CVSS scores, vendor and sector lines, severities, TLP markings."""

from __future__ import annotations

import re
from itertools import islice

from bot.model import Severity, Tlp

MOST_CVES = 500
_MOST_SCORES = 500
_MOST_NAMES = 100
_LONGEST_NAME = 200  # characters

_CVE = re.compile(r"(?<![A-Za-z0-9])CVE[\s_-]?((?:19|20)\d{2})[-_](\d{4,7})(?!\d)", re.IGNORECASE)
_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
# These look at text in lower case and begin with letters, which a search runs to fast; what may stand before is
# checked after them.
_CVSS = re.compile(r"cvss(?<!\wcvss)(?=(?P<after>[^\n]{0,80}))")
_BASE_SCORES = tuple(
    re.compile(rf"{words}(?=(?P<after>[^\n]{{0,40}}))")
    for words in (
        r"base\s*score",
        r"basis[\s-]?score",
        r"score\s+de\s+base",
        r"puntuaci[óo]n\s+base",
        r"punteggio\s+base",
    )
)
_NUMBER = re.compile(
    r"(?P<version>(?:\bv|v(?=\d)|\bver(?:sion)?)[\s.]*)?(?<![\d.,])(?P<number>\d{1,2}(?:[.,]\d+)?)(?P<vector>/[a-z]{1,3}:\S*)?"
    r"(?P<of_ten>\s*/\s*10\b)?"
)
_CVSS_VERSIONS = (2.0, 3.0, 3.1, 4.0)
_TABLE_SCORE = re.compile(r"v(?<![^\s|(]v)[34](?:\.\d)?\s+(10\.0|\d\.\d)(?![\d.])")  # a cell of CISA's table
_LABELS = (
    r"Vendors?|Equipment|Products?|Vulnerabilit(?:y|ies)|CVSS|Attention|Countries|Company|Critical Infrastructure|Note"
)
_END = rf"(?=\s*(?:[|\n]|$|\d\.\s+[A-Z]{{2}}|\b(?:{_LABELS})[\w /]{{0,25}}:))"
# A label is found by its first letter, which a search runs to fast; what may stand before it is checked there.
_VENDOR = re.compile(rf"(?<![^\s|•*·-])[Vv](?i:endors?\s*:\s*(?P<names>.{{1,300}}?){_END})")
_VENDOR_OPENS = re.compile(r"(?:[|\n•*·-]\s*|\.\s+|\d\s)\Z")
_EQUIPMENT = re.compile(rf"(?<![^\s|•*·-])[Ee](?i:quipment\s*:\s*(?P<names>.{{1,1500}}?){_END})")
_TABLE = re.compile(r"^(?:CVSS \| )?Vendor \| Equipment(?: \| .*)?\n(.+)$", re.IGNORECASE | re.MULTILINE)
_SECTORS = re.compile(
    r"Critical\s+Infrastructure\s+Sectors?\s*:?\s*(.{3,600}?)(?=\s*(?:[|\n]|$|\.\s|Countr(?:y|ies)|Company\s+Head))",
    re.IGNORECASE,
)
_COMPANY_FORM = re.compile(
    r"^(?:inc|ltd|llc|l\.l\.c|co|corp|corporation|gmbh|ag|s\.?a|s\.?r\.?l|s\.?p\.?a|b\.?v|plc|limited|kg|a/s|oy|ab)\b\.?",
    re.IGNORECASE,
)
_KNOWN_SECTORS = (
    "Chemical", "Commercial Facilities", "Communications", "Critical Manufacturing", "Dams", "Defense Industrial Base",
    "Emergency Services", "Energy", "Financial Services", "Food and Agriculture", "Government Facilities",
    "Government Services and Facilities", "Healthcare and Public Health", "Information Technology",
    "Nuclear Reactors, Materials, and Waste", "Transportation Systems", "Transportation",
    "Water and Wastewater Systems", "Water and Wastewater",
)  # fmt: skip
_KNOWN = re.compile(
    "|".join(re.escape(name).replace("and", "(?:and|&)") for name in sorted(_KNOWN_SECTORS, key=len, reverse=True)),
    re.IGNORECASE,
)
_SEVERITY_WORDS = {
    "niedrig": Severity.LOW, "low": Severity.LOW, "mittel": Severity.MEDIUM, "medium": Severity.MEDIUM,
    "moderate": Severity.MEDIUM, "hoch": Severity.HIGH, "high": Severity.HIGH, "important": Severity.HIGH,
    "kritisch": Severity.CRITICAL, "critical": Severity.CRITICAL,
}  # fmt: skip
_BRACKETED = re.compile(r"\[\s*([A-Za-z]{3,9})\s*\]")
_DUTCH = re.compile(r"\[\s*([LMH])\s*/\s*([LMH])\s*\]")  # NCSC-NL: chance and damage
_SEVERITY_LINE = re.compile(
    r"^(?:Severity|Risk level|Schweregrad|Risikostufe)\s*:\s*([A-Za-z]{3,9})\b", re.IGNORECASE | re.MULTILINE
)
_TLP = re.compile(r"\bTLP\s?[:\-‑]\s?(CLEAR|WHITE|GREEN|AMBER\s?\+\s?STRICT|AMBER|RED)\b", re.IGNORECASE)


def cves(text: str) -> tuple[str, ...]:
    """CVE ids in ``text`` in order, each once, upper case; at most 500."""
    found = (f"CVE-{year}-{number}" for year, number in _CVE.findall(_DASHES.sub("-", text)))
    return tuple(dict.fromkeys(found))[:MOST_CVES]


def cvss(text: str) -> float | None:
    """The highest CVSS base score that ``text`` states, or None. Versions and vectors are no scores."""
    text = text.lower()
    named = [_score(match["after"], named=True) for match in islice(_CVSS.finditer(text), _MOST_SCORES)]
    plain = [
        _score(match["after"], named=False)
        for base_score in _BASE_SCORES
        for match in islice(base_score.finditer(text), _MOST_SCORES)
    ]
    scores = [score for score in (*named, *plain) if score is not None]
    if named:
        scores += map(float, _TABLE_SCORE.findall(text))
    return max(scores, default=None)


def _score(after: str, *, named: bool) -> float | None:
    """The first number after the word that is neither a version nor a vector."""
    numbers = [number for number in _NUMBER.finditer(after) if not number["version"] and not number["vector"]]
    for place, number in enumerate(numbers):
        value = float(number["number"].replace(",", "."))
        bare = named and not after[: number.start()].strip(" -_")
        is_version = value in _CVSS_VERSIONS and number["number"] != "10" and (bare or place + 1 < len(numbers))
        looks_like_score = re.fullmatch(r"\d[.,]\d|10(?:[.,]0)?", number["number"]) or number["of_ten"]
        if looks_like_score and not is_version and value <= 10:
            return value
    return None


def vendors(text: str) -> tuple[str, ...]:
    """Vendors named by lines such as ``Vendor: Acme, Inc.`` or by CISA's summary table."""
    stated = [match["names"] for match in _VENDOR.finditer(text) if _opens(text, match.start())]
    return _names([*stated, *_column(text, -2)])


def _opens(text: str, at: int) -> bool:
    """Whether a statement may begin there: at the start of the text, of a line or cell, or after a sentence."""
    return at == 0 or bool(_VENDOR_OPENS.search(text, max(0, at - 20), at))


def products(text: str) -> tuple[str, ...]:
    """Products named by lines such as ``Equipment: Pump A, Pump B`` or by CISA's summary table."""
    return _names([*_EQUIPMENT.findall(text), *_column(text, -1)])


def _column(text: str, offset: int) -> list[str]:
    """One column of CISA's table ``CVSS | Vendor | Equipment | Vulnerabilities``; -1 is equipment, -2 is vendor."""
    found = []
    for match in _TABLE.finditer(text):
        header = match[0].split("\n")[0].lower().split(" | ")
        cells = match[1].split(" | ")
        place = header.index("equipment") + 1 + offset
        if place < len(cells):
            found.append(cells[place])
    return found


def _names(found: list[str]) -> tuple[str, ...]:
    names: list[str] = []
    for line in found:
        for part in re.split(r"\s*[,;]\s*", line.strip(" *|")):
            if names and _COMPANY_FORM.match(part):
                names[-1] += f", {part}"
            elif part:
                names.append(part.removesuffix(".")[:_LONGEST_NAME])
    return tuple(dict.fromkeys(names))[:_MOST_NAMES]


def sectors(text: str) -> tuple[str, ...]:
    """Sectors on a line ``Critical Infrastructure Sectors: …``."""
    return tuple(dict.fromkeys(sector for found in _SECTORS.findall(text) for sector in sectors_of(found)))


def sectors_of(line: str) -> tuple[str, ...]:
    """The sectors of a list such as ``Energy, Healthcare and Public Health and Dams``; known names hold their "and"."""
    line = " ".join(line.split())[:1000]
    known = {name.lower(): name for name in _KNOWN_SECTORS}
    found = [known.get(match.lower().replace("&", "and"), match) for match in _KNOWN.findall(line)]
    line = re.sub(r"\bsectors?\b", "", line, flags=re.IGNORECASE)
    rest = re.split(r"\s*[,;]\s*(?:and\s+)?|\s+and\s+", _KNOWN.sub(";", line))
    others = [part.strip(" .:") for part in rest if 3 <= len(part.strip(" .:;")) <= 60]
    return tuple(dict.fromkeys((*found, *(part for part in others if ";" not in part))))


def severity(title: str, text: str) -> Severity | None:
    """The publisher's own grading: CERT-Bund's ``[hoch]``, NCSC-NL's ``[M/H]``, a line ``Severity: high``."""
    if found := _DUTCH.search(title):
        grades = found[1] + found[2]
        return (
            Severity.CRITICAL
            if grades == "HH"
            else {"H": Severity.HIGH, "M": Severity.MEDIUM}.get(min(grades, key="HML".index), Severity.LOW)
        )
    words = [*_BRACKETED.findall(title), *_SEVERITY_LINE.findall(text)]
    return next((_SEVERITY_WORDS[word.lower()] for word in words if word.lower() in _SEVERITY_WORDS), None)


def tlp(text: str) -> Tlp | None:
    """The first TLP marking in ``text``; TLP:WHITE of version 1 is TLP:CLEAR."""
    found = _TLP.search(text)
    if not found:
        return None
    label = re.sub(r"\s", "", found[1].lower())
    return Tlp.CLEAR if label == "white" else Tlp(label)
