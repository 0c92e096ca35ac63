"""Takes the advisories of a document into the store: what is new or changed is judged, grouped and routed.

Everything here happens inside the caller's transaction: advisories, story links, deliveries and reasons for silence
commit together with the source's validators, or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.enrich import stated_facts, with_facts
from bot.judge import Judge
from bot.model import Advisory, Delivery, Stored
from bot.route import Arrival, Wanted, is_baseline, route
from bot.store import advisories, deliveries, facts, stories, suppressions
from bot.store.advisories import Known
from bot.store.engine import Connection
from bot.store.suppressions import Suppression
from bot.stories import find_story, link_variants
from bot.subject import Subject
from bot.watch import Watch

STORY_REACH = timedelta(days=10)  # how far back a like title is looked for
MOST_CVES = 20  # by which advisories of the same are looked for; a longer list is a bulletin of its own


@dataclass(frozen=True, slots=True)
class Asked:
    """Who watches: a destination, by its standing query or by a subscription (its text)."""

    destination: str
    query: str
    standing: bool = False


@dataclass(slots=True)
class Taken:
    """What became of one document."""

    new: int = 0
    revised: int = 0
    owed: int = 0
    destinations: set[str] = field(default_factory=set)  # to be woken once the transaction has committed
    silent: list[Suppression] = field(default_factory=list)


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
    ) -> Taken:
        """Take in ``document``, oldest first.

        ``baseline`` is given when the document is met for the first time: entries older than it were there before us
        and are no news.
        """
        taken = Taken()
        known = await advisories.known(conn, source, [advisory.key for advisory in document])
        known |= await self._recognised(conn, source, document, known)
        fresh = [a for a in document if (met := known.get(a.key)) is None or met.hash != a.hash]
        flipped = await self._keep_facts(conn, fresh, now)
        learned = await facts.get(conn, {cve for advisory in fresh for cve in advisory.cves})
        recent = await stories.candidates(conn, since=now - STORY_REACH) if fresh and baseline is None else []
        for advisory in fresh:
            met, enriched = known.get(advisory.key), with_facts(advisory, learned)
            if met is None:
                recent.append(await self._new(conn, enriched, recent, now, baseline, taken))
            else:
                await self._revised(conn, met, enriched, now, taken)
        await self._learned(conn, flipped, now, taken)
        await suppressions.record(conn, taken.silent)
        await advisories.seen(conn, [met.id for met in known.values()], now)
        return taken

    async def _keep_facts(self, conn: Connection, fresh: Sequence[Advisory], now: datetime) -> list[str]:
        """Keep what ``fresh`` states of CVEs; the CVEs of which it became known just now that they are exploited."""
        stated = [fact for advisory in fresh for fact in stated_facts(advisory, now)]
        before = await facts.get(conn, [fact.cve for fact in stated if fact.kev_added])
        await facts.update(conn, stated)
        exploited = {cve for cve, fact in before.items() if fact.kev_added}
        return [fact.cve for fact in stated if fact.kev_added and fact.cve not in exploited]

    async def _learned(self, conn: Connection, cves: Collection[str], now: datetime, taken: Taken) -> None:
        """Look again at every stored advisory that names one of ``cves``: what became known may make it worse."""
        known = await facts.get(conn, cves)
        for stored in (await advisories.with_cves(conn, cves)).values():
            enriched = with_facts(stored.advisory, known)
            if (enriched.kev, enriched.known_ransomware) == (stored.advisory.kev, stored.advisory.known_ransomware):
                continue
            verdict = self._judge.judge(enriched, now=now)
            await advisories.refresh(conn, stored.id, enriched, verdict)
            after = replace(stored, advisory=enriched, verdict=verdict)
            await self._route(conn, Arrival(after, before=stored), now, taken)

    async def _recognised(
        self, conn: Connection, source: str, document: Sequence[Advisory], known: Mapping[str, Known]
    ) -> dict[str, Known]:
        """Advisories under a new key with the very content of one we have: a publisher renamed his entries."""
        unknown = [advisory for advisory in document if advisory.key not in known]
        same = await advisories.by_hash(conn, source, [advisory.hash for advisory in unknown])
        held = {met.id for met in known.values()}
        renamed: dict[str, Known] = {}
        stored = await advisories.many(conn, [same[advisory.hash] for advisory in unknown if advisory.hash in same])
        for advisory in unknown:
            found = stored.get(same.get(advisory.hash, -1))
            if found is not None and found.id not in held:
                held.add(found.id)
                await advisories.rekey(conn, found.id, advisory.key)
                renamed[advisory.key] = Known(found.id, advisory.hash, found.revision, found.story_id)
        return renamed

    async def _new(
        self,
        conn: Connection,
        advisory: Advisory,
        recent: Sequence[Stored],
        now: datetime,
        baseline: timedelta | None,
        taken: Taken,
    ) -> Stored:
        verdict = self._judge.judge(advisory, now=now)
        near = await stories.candidates(conn, cves=advisory.cves[:MOST_CVES], urls=link_variants(advisory.url))
        link = find_story(advisory, verdict, _together(near, recent), now)
        story_id = link.story_id if link else await stories.create(conn, now)
        advisory_id = await advisories.insert(conn, advisory, verdict, story_id, now)
        stored = Stored(advisory_id, advisory, verdict, story_id, 0, now, now)
        taken.new += 1
        arrival = Arrival(
            stored, first_poll=baseline is not None, first_run_window=baseline if baseline else timedelta(0)
        )
        await self._route(conn, arrival, now, taken, alone=link is None)
        return stored

    async def _revised(self, conn: Connection, met: Known, advisory: Advisory, now: datetime, taken: Taken) -> None:
        before = await advisories.get(conn, met.id)
        assert before is not None
        told_before = advisory.hash in {old.hash for old in await advisories.history(conn, met.id)}
        verdict = self._judge.judge(advisory, now=now)
        revision = await advisories.revise(conn, met.id, advisory, verdict, now)
        stored = replace(before, advisory=advisory, verdict=verdict, revision=revision, last_seen=now)
        taken.revised += 1
        await self._route(conn, Arrival(stored, before=before, told_before=told_before), now, taken)

    async def _route(
        self, conn: Connection, arrival: Arrival, now: datetime, taken: Taken, *, alone: bool = False
    ) -> None:
        """Owe what ``arrival`` calls for; ``alone`` when its story has just been made."""
        stored = arrival.stored
        ledger: list[Delivery] = []
        if not alone and not is_baseline(arrival, now):
            story = await stories.get(conn, stored.story_id)
            others = tuple(member for member in (story.members if story else ()) if member.id != stored.id)
            arrival = replace(arrival, members=others)
            ledger = await deliveries.of_story(conn, stored.story_id)
        routing = route(arrival, self._wanted(arrival, now), ledger, now)
        taken.owed += await deliveries.owe(conn, routing.owed, now)
        taken.destinations |= {owed.destination for owed in routing.owed}
        taken.silent += [
            Suppression(stored.id, silent.reason, now, stored.revision, silent.destination)
            for silent in routing.suppressed
        ]

    def _wanted(self, arrival: Arrival, now: datetime) -> Wanted:
        asked = self._asking(arrival.stored, now)
        subscribed: dict[str, list[str]] = {}
        for one in asked:
            if not one.standing:
                subscribed.setdefault(one.destination, []).append(one.query)
        before = self._asking(arrival.before, now) if arrival.before else ()
        return Wanted(
            standing=frozenset(one.destination for one in asked if one.standing),
            subscribed=subscribed,
            before=frozenset(one.destination for one in before),
        )

    def _asking(self, stored: Stored, now: datetime) -> Iterable[Asked]:
        return tuple(self._watch.match(Subject(stored.advisory, stored.verdict, seen=stored.first_seen), now=now))


def _together(near: Iterable[Stored], recent: Iterable[Stored]) -> list[Stored]:
    """Both, each once, oldest first."""
    found = {stored.id: stored for stored in (*recent, *near)}
    return [found[advisory_id] for advisory_id in sorted(found)]
