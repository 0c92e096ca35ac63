"""What a new text of an advisory, or a fact learned later, changes: in words, with what makes it worse marked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.model import Advisory, Relevance, Stored, Verdict

Judged = tuple[Advisory, Verdict]

_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_SHOWN = 240  # characters of added text
_NAMED = 4
_WORSE = "! "
_EXPLOITED = "now known to be exploited (CISA KEV)"
_RANSOMWARE = "now known to be used in ransomware campaigns"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed; ``worse`` when it makes the story worse."""

    text: str
    worse: bool = False


def changes(old: Judged, new: Judged) -> tuple[Change, ...]:
    """What ``new`` says that ``old`` did not, gravest first; empty when only dates or white space differ."""
    found = (*_graver(*old, *new), *_facts(old[0], new[0]), *_texts(old[0], new[0]))
    return tuple(sorted(found, key=lambda change: not change.worse))


def worse(old: Judged, new: Judged) -> tuple[str, ...]:
    """What makes ``new`` worse than ``old``, in words."""
    return tuple(change.text for change in changes(old, new) if change.worse)


def beside(members: Sequence[Stored], new: Judged) -> tuple[Change, ...]:
    """What an advisory adds to a story that ``members`` told so far."""
    advisory, verdict = new
    worst = max((member.verdict.severity for member in members), key=lambda grade: grade.rank, default=verdict.severity)
    known = [cve for member in members for cve in member.advisory.cves]
    found = []
    if advisory.kev and not any(member.advisory.kev for member in members):
        found.append(Change(_EXPLOITED, worse=True))
    if advisory.known_ransomware and not any(member.advisory.known_ransomware for member in members):
        found.append(Change(_RANSOMWARE, worse=True))
    if verdict.severity.rank > worst.rank:
        found.append(Change(f"severity up: {worst} → {verdict.severity}", worse=True))
    if cves := _added(known, advisory.cves):
        found.append(Change(f"more CVEs: {_few(cves)}"))
    return tuple(found)


def written(told: Sequence[Change]) -> str:
    """Changes as the text of a delivery, one a line."""
    return "\n".join((_WORSE if change.worse else "") + " ".join(change.text.split()) for change in told)


def read_changes(text: str) -> tuple[Change, ...]:
    """The inverse of ``written``."""
    return tuple(Change(line.removeprefix(_WORSE), line.startswith(_WORSE)) for line in text.splitlines() if line)


def _graver(old: Advisory, before: Verdict, new: Advisory, after: Verdict) -> Iterator[Change]:
    if new.kev and not old.kev:
        yield Change(_EXPLOITED, worse=True)
    if new.known_ransomware and not old.known_ransomware:
        yield Change(_RANSOMWARE, worse=True)
    if after.severity is not before.severity:
        up = after.severity.rank > before.severity.rank
        yield Change(f"severity {'up' if up else 'down'}: {before.severity} → {after.severity}", worse=up)
    if after.relevance.rank > before.relevance.rank:
        now = "directly" if after.relevance is Relevance.DIRECT else "among other sectors"
        yield Change(f"now concerns healthcare {now}", worse=True)
    if new.cvss is not None and new.cvss != old.cvss:
        known = old.cvss is not None
        up = known and new.cvss > (old.cvss or 0)
        yield Change(f"CVSS {old.cvss:.1f} → {new.cvss:.1f}" if known else f"CVSS {new.cvss:.1f} stated", worse=up)


def _facts(old: Advisory, new: Advisory) -> Iterator[Change]:
    if added := _added(old.products, new.products):
        # A first list of products tells more, not worse.
        yield Change(f"{'also affects' if old.products else 'affects'} {_few(added)}", worse=bool(old.products))
    if gone := _added(new.products, old.products):
        yield Change(f"no longer lists {_few(gone)}")
    if cves := _added(old.cves, new.cves):
        yield Change(f"{'more ' if old.cves else ''}CVEs: {_few(cves)}")


def _texts(old: Advisory, new: Advisory) -> Iterator[Change]:
    if _flat(old.title) != _flat(new.title):
        yield Change(f"title was “{old.title}”")
    before, after = _sentences(old.summary), _sentences(new.summary)
    known = {_flat(sentence) for sentence in before}
    added = [sentence for sentence in after if _flat(sentence) not in known]
    if added:
        shown = " … ".join(added)
        yield Change(f"text now says: {shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1].rstrip() + '…'}")
    elif len(after) < len(before):
        yield Change("part of its text was taken out")


def _sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in _SENTENCE.split(text) if sentence.strip()]


def _flat(text: str) -> str:
    return " ".join(text.split()).casefold()


def _added(old: Sequence[str], new: Sequence[str]) -> list[str]:
    known = {name.casefold() for name in old}
    return [name for name in new if name.casefold() not in known]


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
