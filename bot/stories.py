"""Stories: which advisories tell of one thing. Pure.

Two advisories are one story when they are one entry, carry one publisher's id (``AA20-126A``), stand at one link, name
the same CVEs, or when two sources give near-identical titles within a week; in this order. Ids of one scheme that
differ, CVE sets without a common member, and different months or numbers in titles keep advisories apart: two KEV
entries and two monthly bulletins look alike and are not one thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode, urlsplit

from bot.feeds.titles import bare_title
from bot.model import Advisory, Relevance, Stored, Threat, Verdict
from bot.text import is_unspaced, words

TITLE_WINDOW = timedelta(days=7)
STORY_WINDOW = timedelta(days=90)  # a story that has slept longer is told anew, not in a thread nobody sees
ALIKE = 0.6  # share of the CVEs of both that two lists must have in common
ALIKE_TITLES = 0.8

_SCHEMES = (
    r"ICSM?A-\d\d-\d{3}-\d\d", r"AA\d\d-?\d{3}[A-Z]", r"CERTFR-\d{4}-[A-Z]{3}-\d{3,4}", r"WID-SEC-\d{4}-\d{3,5}",
    r"NCSC-\d{4}-\d{3,4}", r"A[LV]\d\d-\d{3}", r"JVN(?:VU)?#?\s?\d{8}", r"JVNDB-\d{4}-\d{6}", r"VU#\d{6}",
    r"VMSA-\d{4}-\d{3,5}", r"FG-IR-\d\d-\d{3,4}", r"SSA-\d{6}", r"MFSA\s?\d{4}-\d\d", r"ADV\d{6}", r"ZDI-\d\d-\d{3,4}",
    r"GHSA(?:-[0-9a-z]{4}){3}", r"CNN?VD-\d{4,6}-\d{3,6}", r"EUVD-\d{4}-\d{3,6}", r"RHSA-\d{4}:\d{4,5}",
    r"USN-\d{4}-\d", r"DSA-\d{4}-\d", r"I-\d{6}-PSA",
)  # fmt: skip
_ID = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_SCHEMES)})(?!\d)", re.IGNORECASE)
_REVISED = re.compile(r"\s[-–—]\s*update\s+\w{1,3}\s*$", re.IGNORECASE)
_MOST_IDS = 2  # a title with more is a list of advisories, none of them its own
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|mc_[ce]id|mkt_tok|cmpid|ref_src")
_NOWHERE = re.compile(r":~:.*|top|main(?:-content)?|content")
_GENERIC = frozenset(
    words(
        "a an and or of the to in on by for from with at is are its new alert alerts advisory advisories bulletin "
        "security warning notice update updates updated vulnerability vulnerabilities multiple several critical high "
        "joint cyber "
        "der die das und in von bei für mit schwachstelle schwachstellen mehrere sicherheitslücke ermöglicht "
        "warnung hinweis "
        "le la les l de des du d et dans vulnérabilité vulnérabilités multiples alerte avis "
        "el los las y en vulnerabilidad vulnerabilidades múltiples alerta aviso il lo gli e nel vulnerabilità "
        "een het van voor kwetsbaarheid kwetsbaarheden varování upozornění zranitelnost v na pro"
    )
)
_MONTHS = frozenset(
    words(
        "january february march april may june july august september october november december "
        "januar februar märz mai juni juli oktober dezember janvier février mars avril juin juillet août "
        "septembre octobre novembre décembre enero febrero marzo "
        "abril mayo junio julio agosto septiembre octubre noviembre diciembre"
    )
)


@dataclass(frozen=True, slots=True)
class Link:
    """The story an advisory belongs to, the member that shows it, and why, as a person reads it."""

    story_id: int
    advisory_id: int
    reason: str


def find_story(advisory: Advisory, verdict: Verdict, candidates: Sequence[Stored], now: datetime) -> Link | None:
    """The story among ``candidates`` that ``advisory`` belongs to; the strongest reason decides, then the newest."""
    for other in candidates:
        if (other.advisory.source, other.advisory.key) == (advisory.source, advisory.key):
            return Link(other.story_id, other.id, "a new text of the same advisory")
    awake = [other for other in reversed(candidates) if now - _last_word(other) <= STORY_WINDOW]
    for other in awake:
        if shared := own_ids(advisory) & own_ids(other.advisory):
            return Link(other.story_id, other.id, f"the same advisory, {', '.join(sorted(shared))}")
    apart = [other for other in awake if not _told_apart(advisory, other.advisory)]
    return (
        _by_link(advisory, apart)
        or _first(apart, lambda other: _by_cves(advisory, verdict, other))
        or _first(apart, lambda other: _by_title(advisory, verdict, other, now))
    )


def own_ids(advisory: Advisory) -> frozenset[str]:
    """The ids publishers gave this advisory: from its title, else its key, else its link."""
    return _own_ids(advisory.title, advisory.key, advisory.url)


def canonical_link(url: str) -> str:
    """``url`` as a place: no scheme, ``www.``, trailing slash or tracking; a fragment that names a part stays."""
    return _canonical(url)


def link_variants(url: str) -> tuple[str, ...]:
    """Ways in which others may have written ``url``: for looking up candidates by exact address."""
    place = _canonical(url)
    bases = [base for base in dict.fromkeys((place, place.replace("#", "/#") if "#" in place else place + "/")) if base]
    hosts = ("https://www.", "https://", "http://www.", "http://")
    return tuple(dict.fromkeys((url, *(host + base for base in bases for host in hosts)))) if place else ()


def _last_word(other: Stored) -> datetime:
    return max(other.first_seen, other.advisory.updated or other.first_seen)


def _first(others: Sequence[Stored], rule: Callable[[Stored], Link | None]) -> Link | None:
    return next((link for other in others if (link := rule(other))), None)


def _told_apart(one: Advisory, other: Advisory) -> bool:
    """Whether their publishers say that they are two things: ids of one scheme that differ, or other CVEs."""
    schemes = {_scheme(name) for name in own_ids(one)} & {_scheme(name) for name in own_ids(other)}
    return bool(schemes) or bool(one.cves and other.cves and not set(one.cves) & set(other.cves))


def _by_link(advisory: Advisory, others: Sequence[Stored]) -> Link | None:
    """The one story that stands at the same link; an address under which several stories stand is a list's."""
    place = _canonical(advisory.url)
    if not place or not _is_specific(place):
        return None
    there = [other for other in others if _canonical(other.advisory.url) == place]
    there = [other for other in there if other.advisory.source != advisory.source or _bare_alike(advisory, other)]
    if len({other.story_id for other in there}) != 1:
        return None
    return Link(there[0].story_id, there[0].id, "stands at the same link")


def _is_specific(place: str) -> bool:
    """Whether an address names one text: it has a number, or a last part of three words or more."""
    _, _, rest = place.partition("/")
    return bool(re.search(r"\d", rest)) or len(re.findall(r"[^\W_]+", rest.rsplit("/", 1)[-1])) >= 3


def _bare_alike(advisory: Advisory, other: Stored) -> bool:
    return words(bare_title(advisory.title)) == words(bare_title(other.advisory.title))


def _by_cves(advisory: Advisory, verdict: Verdict, other: Stored) -> Link | None:
    mine, theirs = set(advisory.cves), set(other.advisory.cves)
    shared = mine & theirs
    if not shared or _other_product(advisory, verdict, other):
        return None
    titled = bool(_title_words(advisory.title) & _title_words(other.advisory.title))
    alike = len(shared) >= ALIKE * len(mine | theirs)
    if len(shared) == 1:  # prose names one in passing
        alike = alike and (titled or (_is_about(advisory) and _is_about(other.advisory)))
    if not (alike or (titled and shared in (mine, theirs) and len(mine | theirs) <= 3)):
        return None
    named = ", ".join(sorted(shared)[:3]) + (" …" if len(shared) > 3 else "")
    return Link(other.story_id, other.id, f"names the same CVEs ({named})" if len(shared) > 1 else f"names {named} too")


def _is_about(advisory: Advisory) -> bool:
    """Whether an advisory is about the CVE it names: scored, of a named product, or with the id in title or link."""
    named = f"{advisory.title} {advisory.key} {advisory.url}".upper()
    stated = advisory.cvss is not None or advisory.kev or advisory.vendors or advisory.products
    return bool(stated) or any(cve in named for cve in advisory.cves)


def _other_product(advisory: Advisory, verdict: Verdict, other: Stored) -> bool:
    """Whether a CVE is told of two products: other vendors, a medical one on one side, two texts of one publisher."""
    vendors, others = _names(advisory.vendors), _names(other.advisory.vendors)
    if vendors and others and not vendors & others:
        return True
    if advisory.source == other.advisory.source:
        return _likeness(_title_words(advisory.title), _title_words(other.advisory.title)) < 0.5
    direct, theirs = verdict.relevance is Relevance.DIRECT, other.verdict.relevance is Relevance.DIRECT
    return direct != theirs and bool((advisory if direct else other.advisory).vendors)


def _names(vendors: Sequence[str]) -> set[str]:
    return {first for vendor in vendors for first in words(vendor)[:1]}


def _by_title(advisory: Advisory, verdict: Verdict, other: Stored, now: datetime) -> Link | None:
    if other.advisory.source == advisory.source or abs(now - other.first_seen) > TITLE_WINDOW:
        return None
    if (Threat.RECALL in verdict.threats) != (Threat.RECALL in other.verdict.threats):
        return None
    if not alike(advisory.title, other.advisory.title):
        return None
    return Link(other.story_id, other.id, f"has nearly the same title as “{other.advisory.title}”")


def alike(title: str, other: str) -> bool:
    """Whether two titles say the same: three telling words in common, no other number or month."""
    mine, theirs = _title_words(title), _title_words(other)
    if any(is_unspaced(word) for word in mine | theirs):
        return len(mine) >= 6 and words(_bare(title)) == words(_bare(other))
    if _dates(mine) != _dates(theirs) or min(len(mine), len(theirs)) < 3:
        return False
    small, large = sorted((mine, theirs), key=len)
    inside = small <= large and len(small) >= 4 and len(large) - len(small) <= 2
    return inside or _likeness(mine, theirs) >= ALIKE_TITLES


def _dates(found: frozenset[str]) -> set[str]:
    return {word for word in found if word in _MONTHS or any(c.isdigit() for c in word)}


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


@lru_cache(maxsize=4096)
def _title_words(title: str) -> frozenset[str]:
    """The telling words of a title: without ids, markers of revisions and the words every title has."""
    return frozenset(words(_bare(title))) - _GENERIC


def _bare(title: str) -> str:
    return bare_title(_REVISED.sub("", _ID.sub(" ", bare_title(title))).strip(" :-–—"))


@lru_cache(maxsize=4096)
def _own_ids(title: str, key: str, url: str) -> frozenset[str]:
    for text in (title[:600], key[-200:], url[-300:]):
        found = frozenset(_normal_id(match[0]) for match in _ID.finditer(text))
        if found:
            return found if len(found) <= _MOST_IDS else frozenset()
    return frozenset()


def _normal_id(name: str) -> str:
    name = re.sub(r"[#\s]", "", name.upper())
    return re.sub(r"^(AA\d\d)(\d)", r"\1-\2", name)


def _scheme(name: str) -> str:
    return re.split(r"-?\d", name, maxsplit=1)[0]


@lru_cache(maxsize=4096)
def _canonical(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return ""
    host = (parts.hostname or "").removeprefix("www.")
    if not host:
        return ""
    kept = sorted(
        (name, value) for name, value in parse_qsl(parts.query, True) if not _TRACKING.fullmatch(name.lower())
    )
    place = host + (f":{port}" if port not in (None, 80, 443) else "") + parts.path.rstrip("/")
    place += f"?{urlencode(kept)}" if kept else ""
    return place + (f"#{parts.fragment}" if parts.fragment and not _NOWHERE.fullmatch(parts.fragment) else "")
