"""The steps of taking in: know again, keep facts, judge, group, route.

Everything here happens inside the caller's transaction, which holds the turn (``store/turns.py``): advisories, story
links, deliveries and reasons for silence commit together with the source's validators, or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.enrich import stated_facts, with_facts
from bot.intake.candidates import MOST_CVES, Candidates
from bot.intake.guids import is_another, put_aside
from bot.intake.telling import Asked, Taken, Teller
from bot.judge import Judge
from bot.model import Advisory, Stored, Verdict
from bot.route import Arrival
from bot.store import advisories, facts, stories, suppressions
from bot.store.advisories import Known
from bot.store.columns import chunks
from bot.store.engine import Connection
from bot.store.facts import CveFacts
from bot.stories import canonical_link, find_story, link_variants
from bot.watch import Watch

STORY_REACH = timedelta(days=10)  # how far back a like title is looked for
TOGETHER = 50  # advisories written at once


@dataclass(frozen=True, slots=True)
class _Draft:
    """A new advisory before it is written. ``story`` is negative while its story has no number yet."""

    advisory: Advisory
    verdict: Verdict
    place: int  # among the candidates
    story: int
    states_facts: bool
    known_here: bool  # its own source has an advisory in the story

    @property
    def alone(self) -> bool:
        return self.story == -1 - self.place


class Intake:
    """Judges, groups and routes; ``watch`` holds every standing query and subscription."""

    def __init__(self, judge: Judge, watch: Watch[Asked]) -> None:
        self._judge = judge
        self._watch = watch

    async def take(
        self,
        conn: Connection,
        source: str,
        document: Sequence[Advisory],
        now: datetime,
        *,
        baseline: timedelta | None = None,
        other_ids: bool = False,
    ) -> Taken:
        """Take in ``document``, oldest first.

        ``baseline`` is given when the document is met for the first time: entries older than it were there before us
        and are no news. ``other_ids`` says that another document of the source was read the last time: what stands at
        a link we know is known, whatever its guid and title.
        """
        one = _Document(self._judge, self._watch, conn, source, now, baseline, other_ids)
        return await one.take(document)


class _Document:
    """One document on its way into the store."""

    def __init__(
        self,
        judge: Judge,
        watch: Watch[Asked],
        conn: Connection,
        source: str,
        now: datetime,
        baseline: timedelta | None,
        other_ids: bool,
    ) -> None:
        self._judge = judge
        self._conn = conn
        self._source = source
        self._now = now
        self._baseline = baseline
        self._other_ids = other_ids
        self._taken = Taken()
        self._teller = Teller(watch, conn, now, self._taken)

    async def take(self, document: Sequence[Advisory]) -> Taken:
        known = await advisories.known(self._conn, self._source, [advisory.key for advisory in document])
        before = await self._changed(document, known)
        known |= await self._recognised(document, known)
        fresh = [a for a in document if (met := known.get(a.key)) is None or met.hash != a.hash]
        await self._keep_facts(fresh, {known[advisory.key].id for advisory in fresh if advisory.key in known})
        learned = await facts.get(self._conn, {cve for advisory in fresh for cve in advisory.cves})
        candidates = await self._candidates([advisory for advisory in fresh if advisory.key not in known])
        waiting: list[Advisory] = []
        for advisory in fresh:  # in the order of the document: a revision never overtakes what came before it
            if advisory.key not in known:
                waiting.append(advisory)
                continue
            await self._new(waiting, learned, candidates)
            waiting = []
            await self._revised(before[known[advisory.key].id], with_facts(advisory, learned))
        await self._new(waiting, learned, candidates)
        await suppressions.record(self._conn, self._taken.silent)
        await advisories.seen(self._conn, [met.id for met in known.values()], self._now)
        return self._taken

    async def _changed(self, document: Sequence[Advisory], known: dict[str, Known]) -> dict[int, Stored]:
        """What we have of the advisories whose text has changed, by id. A guid given to another thing is set free."""
        changed = {known[a.key].id: a for a in document if a.key in known and known[a.key].hash != a.hash}
        before = await advisories.many(self._conn, changed)
        for advisory_id, advisory in changed.items():
            old = before[advisory_id].advisory
            if is_another(old, advisory):
                await advisories.rekey(self._conn, advisory_id, put_aside(old))
                del known[advisory.key]
        return before

    async def _recognised(self, document: Sequence[Advisory], known: Mapping[str, Known]) -> dict[str, Known]:
        """Advisories under a new key with the very content of one we have: a publisher renamed his entries."""
        unknown = [advisory for advisory in document if advisory.key not in known]
        same = await advisories.by_hash(self._conn, self._source, [advisory.hash for advisory in unknown])
        held = {met.id for met in known.values()}
        renamed: dict[str, Known] = {}
        stored = await advisories.many(self._conn, [same[a.hash] for a in unknown if a.hash in same])
        for advisory in unknown:
            found = stored.get(same.get(advisory.hash, -1))
            if found is not None and found.id not in held:
                held.add(found.id)
                await advisories.rekey(self._conn, found.id, advisory.key)
                renamed[advisory.key] = Known(found.id, advisory.hash, found.revision, found.story_id)
        return renamed

    async def _keep_facts(self, fresh: Sequence[Advisory], changing: Collection[int]) -> None:
        """Keep what ``fresh`` states of CVEs, and look again at what we have of those that became worse by it.

        Advisories that are ``changing`` themselves come to it by their new text.
        """
        stated = [(advisory, fact) for advisory in fresh for fact in stated_facts(advisory, self._now)]
        before = await facts.get(self._conn, [fact.cve for _, fact in stated if fact.kev_added])
        await facts.update(self._conn, [fact for _, fact in stated])
        worse = [(advisory, fact.cve.upper()) for advisory, fact in stated if _is_worse(fact, before)]
        lately = {cve for advisory, cve in worse if not self._is_old(advisory)}
        named = await advisories.with_cves(self._conn, {cve for _, cve in worse})
        known = await facts.get(self._conn, {cve for _, cve in worse})
        for advisory_id in sorted(named.keys() - set(changing)):
            await self._learned(named[advisory_id], known, lately)

    def _is_old(self, advisory: Advisory) -> bool:
        if self._baseline is None:
            return False
        return advisory.published is None or self._now - advisory.published > self._baseline

    async def _learned(self, stored: Stored, known: Mapping[str, CveFacts], lately: Collection[str]) -> None:
        """Look again at an advisory of which something became ``known``; what did not become so ``lately`` is news
        only to those who were told of the advisory, as a first look at KEV must not flood.
        """
        old = stored.advisory
        enriched = with_facts(old, known)
        if (enriched.kev, enriched.known_ransomware) == (old.kev, old.known_ransomware):
            return
        verdict = await self._judged(enriched)
        await advisories.refresh(self._conn, stored.id, enriched, verdict)
        after = replace(stored, advisory=enriched, verdict=verdict)
        is_news = any(cve.upper() in lately for cve in old.cves)
        await self._teller.tell(Arrival(after, before=stored, first_poll=not is_news))

    async def _judged(self, advisory: Advisory) -> Verdict:
        await asyncio.sleep(0)  # judging takes milliseconds, and there may be thousands
        return self._judge.judge(advisory, now=self._now)

    async def _candidates(self, new: Sequence[Advisory]) -> Candidates:
        """What ``new`` may belong with."""
        if not new:
            return Candidates(())
        cves = {cve for advisory in new for cve in advisory.cves[:MOST_CVES]}
        urls = {url for advisory in new for url in link_variants(advisory.url)}
        near = await stories.candidates(self._conn, cves=cves, urls=urls)
        return Candidates(near, await stories.candidates(self._conn, since=self._now - STORY_REACH))

    async def _new(self, new: Sequence[Advisory], learned: Mapping[str, CveFacts], candidates: Candidates) -> None:
        for part in chunks(new, TOGETHER):
            drafts = [
                self._draft(enriched, await self._judged(enriched), candidates, states_facts=advisory.kev)
                for advisory in part
                for enriched in (with_facts(advisory, learned),)
            ]
            for draft, stored in zip(drafts, await self._written(drafts), strict=True):
                candidates.settle(draft.place, stored)
                window = timedelta(0) if draft.known_here else self._baseline or timedelta(0)
                first = self._baseline is not None
                arrival = Arrival(stored, first_poll=first, first_run_window=window, states_facts=draft.states_facts)
                await self._teller.tell(arrival, alone=draft.alone)
        taken, dates = self._taken, [advisory.published or self._now for advisory in new]
        taken.new += len(new)
        taken.newest = max((date for date in (taken.newest, *dates) if date), default=None)

    def _draft(self, advisory: Advisory, verdict: Verdict, candidates: Candidates, *, states_facts: bool) -> _Draft:
        """``advisory`` in the story it belongs to; of a first document only what names the same is looked at."""
        others = candidates.beside(advisory, recent=self._baseline is None)
        own = [one for one in others if one.advisory.source == self._source and one.first_seen != self._now]
        link = find_story(advisory, verdict, others, self._now)
        place = candidates.add(Stored(0, advisory, verdict, 0, 0, self._now, self._now))
        story = link.story_id if link else self._at_link(advisory, own) or -1 - place
        candidates.settle(place, Stored(-1 - place, advisory, verdict, story, 0, self._now, self._now))
        return _Draft(advisory, verdict, place, story, states_facts, any(one.story_id == story for one in own))

    def _at_link(self, advisory: Advisory, own: Sequence[Stored]) -> int | None:
        """The one story that this source tells at the same link in its other document."""
        place = canonical_link(advisory.url) if self._other_ids else ""
        found = {one.story_id for one in own if place and canonical_link(one.advisory.url) == place}
        return found.pop() if len(found) == 1 else None

    async def _written(self, drafts: Sequence[_Draft]) -> list[Stored]:
        founders = [draft.story for draft in drafts if draft.alone]
        numbers = dict(zip(founders, await stories.create_many(self._conn, len(founders), self._now), strict=True))
        new = [(draft.advisory, draft.verdict, numbers.get(draft.story, draft.story)) for draft in drafts]
        ids = await advisories.insert_many(self._conn, new, self._now)
        return [
            Stored(advisory_id, *one, revision=0, first_seen=self._now, last_seen=self._now)
            for advisory_id, one in zip(ids, new, strict=True)
        ]

    async def _revised(self, before: Stored, advisory: Advisory) -> None:
        told_before = advisory.hash in {old.hash for old in await advisories.history(self._conn, before.id)}
        verdict = await self._judged(advisory)
        revision = await advisories.revise(self._conn, before.id, advisory, verdict, self._now)
        stored = replace(before, advisory=advisory, verdict=verdict, revision=revision, last_seen=self._now)
        self._taken.revised += 1
        await self._teller.tell(Arrival(stored, before=before, told_before=told_before))


def _is_worse(fact: CveFacts, before: Mapping[str, CveFacts]) -> bool:
    """Whether a KEV entry says of its CVE what was not known: that it is exploited, or used for ransomware."""
    old = before.get(fact.cve.upper())
    if not fact.kev_added:
        return False
    return old is None or not old.kev_added or (fact.ransomware and not old.ransomware)
