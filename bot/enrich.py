"""Facts that arrive later: exploitation (KEV), the odds of it (EPSS), CVSS. They only add; the last good value stays.

``with_facts`` gives an advisory what is known of its CVEs. ``EpssClient`` asks FIRST's API
(https://www.first.org/epss/api) for the CVEs of recent advisories.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pydantic

from bot.errors import FetchError, NotAFeed
from bot.feeds.fetch import Fetched, Fetcher
from bot.model import Advisory
from bot.store import advisories, facts
from bot.store.columns import chunks
from bot.store.engine import Store
from bot.store.facts import CveFacts
from bot.store.turns import take_turn

log = logging.getLogger(__name__)

TOGETHER = 100  # CVEs in one request
RECENT = timedelta(days=30)


def with_facts(advisory: Advisory, known: Mapping[str, CveFacts]) -> Advisory:
    """``advisory`` with the gravest of what is known of its CVEs; what it says itself is never taken back."""
    mine = [known[cve.upper()] for cve in advisory.cves if cve.upper() in known]
    return replace(
        advisory,
        kev=advisory.kev or any(fact.kev_added for fact in mine),
        known_ransomware=advisory.known_ransomware or any(fact.ransomware for fact in mine),
        epss=_highest(advisory.epss, (fact.epss for fact in mine)),
        cvss=advisory.cvss if advisory.cvss is not None else _highest(None, (fact.cvss for fact in mine)),
    )


def stated_facts(advisory: Advisory, now: datetime) -> list[CveFacts]:
    """What an advisory of one CVE states about it, for ``facts``: a KEV entry does, and a scored advisory."""
    if len(advisory.cves) != 1:
        return []
    return [
        CveFacts(
            advisory.cves[0],
            kev_added=f"{advisory.published or now:%Y-%m-%d}" if advisory.kev else None,
            ransomware=advisory.known_ransomware,
            kev_as_of=now if advisory.kev else None,
            cvss=advisory.cvss,
            cvss_as_of=now if advisory.cvss is not None else None,
        )
    ]


def _highest(own: float | None, others: Iterable[float | None]) -> float | None:
    return max((number for number in (own, *others) if number is not None), default=None)


class _Score(pydantic.BaseModel):
    cve: str
    epss: float = pydantic.Field(ge=0, le=1)


class _Scores(pydantic.BaseModel):
    data: list[_Score]


class EpssClient:
    """Asks for EPSS scores; ``private`` allows a stand-in on this machine."""

    def __init__(self, store: Store, fetcher: Fetcher, url: str, *, private: bool = False) -> None:
        self._store = store
        self._fetcher = fetcher
        self._url = url
        self._private = private

    async def refresh(self, now: datetime) -> int:
        """Ask for the CVEs of what concerned healthcare in the last month; how many scores came.

        What cannot be fetched keeps its last value and is asked for again the next time.
        """
        async with self._store.read() as conn:
            cves = await advisories.recent_cves(conn, since=now - RECENT)
        kept = 0
        for part in chunks(cves, TOGETHER):
            try:
                scores = await self._ask(part)
            except (FetchError, NotAFeed) as error:
                log.warning("enrich=epss outcome=failed kept=%d of=%d error=%s", kept, len(cves), error)
                return kept
            await self._keep(scores, now)
            kept += len(scores)
        log.info("enrich=epss outcome=ok kept=%d of=%d", kept, len(cves))
        return kept

    async def _ask(self, cves: Sequence[str]) -> dict[str, float]:
        """The scores of those of ``cves`` that have one."""
        joint = "&" if "?" in self._url else "?"
        fetched = await self._fetcher.fetch(f"{self._url}{joint}cve={','.join(cves)}", private=self._private)
        assert isinstance(fetched, Fetched)  # nothing is remembered, so nothing can be unchanged
        try:
            scores = _Scores.model_validate_json(fetched.body).data
        except pydantic.ValidationError as error:
            raise NotAFeed("EPSS answered with something else than scores") from error
        return {one.cve.upper(): one.epss for one in scores if one.cve.upper() in cves}

    async def _keep(self, scores: Mapping[str, float], now: datetime) -> None:
        async with self._store.begin() as conn:
            await take_turn(conn)
            await facts.update(conn, [CveFacts(cve, epss=epss, epss_as_of=now) for cve, epss in scores.items()])
            naming = (await advisories.with_cves(conn, scores)).values()
            known = await facts.get(conn, {cve for stored in naming for cve in stored.advisory.cves})
            for stored in naming:
                enriched = with_facts(replace(stored.advisory, epss=None), known)
                if enriched.epss != stored.advisory.epss:
                    await advisories.refresh(conn, stored.id, enriched, stored.verdict)
