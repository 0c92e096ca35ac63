"""Advisories: what was made of each entry, its verdict with reasons, its story, and the texts it had before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import Advisory, Reason, Relevance, Severity, Stored, Threat, Tlp, Verdict
from bot.store import index
from bot.store.columns import chunks, short
from bot.store.columns import insert as insert_or
from bot.store.schema import advisories, advisory_cves, revisions

THREATS = tuple(Threat)
RELEVANCES = {relevance.rank: relevance for relevance in Relevance}
SEVERITIES = {severity.rank: severity for severity in Severity}


@dataclass(frozen=True, slots=True)
class Known:
    """What a poll must know of an advisory it meets again."""

    id: int
    hash: str
    revision: int
    story_id: int


@dataclass(frozen=True, slots=True)
class Revision:
    """A text that an advisory had before."""

    revision: int
    seen_at: datetime  # when it was replaced
    hash: str
    title: str
    summary: str
    severity: Severity


async def known(conn: AsyncConnection, source: str, keys: Iterable[str]) -> dict[str, Known]:
    """Those of ``keys`` that ``source`` has already brought."""
    found: dict[str, Known] = {}
    for part in chunks(keys):
        by_identity = {short(key): key for key in part}
        columns = (advisories.c[name] for name in ("identity", "id", "hash", "revision", "story_id"))
        query = select(*columns).where(advisories.c.source == source, advisories.c.identity.in_(by_identity))
        found |= {by_identity[identity]: Known(*rest) for identity, *rest in await conn.execute(query)}
    return found


async def by_hash(conn: AsyncConnection, source: str, hashes: Iterable[str]) -> dict[str, int]:
    """Ids of the advisories of ``source`` by content hash; a publisher may give its whole feed new guids."""
    found: dict[str, int] = {}
    for part in chunks(hashes):
        query = select(advisories.c.hash, func.min(advisories.c.id).label("id")).group_by(advisories.c.hash)
        query = query.where(advisories.c.source == source, advisories.c.hash.in_(part))
        found |= {row.hash: row.id for row in await conn.execute(query)}
    return found


async def insert(conn: AsyncConnection, advisory: Advisory, verdict: Verdict, story_id: int, now: datetime) -> int:
    """Keep a new advisory; its id. One that is there already stays as it is."""
    return (await insert_many(conn, [(advisory, verdict, story_id)], now))[0]


async def insert_many(conn: AsyncConnection, new: Sequence[tuple[Advisory, Verdict, int]], now: datetime) -> list[int]:
    """Keep new advisories of one source, each with its verdict and story; their ids in order.

    One that is there already stays as it is.
    """
    kept = [(index.fitted(advisory), verdict, story_id) for advisory, verdict, story_id in new]
    rows = [_new_row(*one, now) for one in kept]
    statement = insert_or(conn, advisories).on_conflict_do_nothing().returning(advisories.c.id, advisories.c.identity)
    ids = {row.identity: int(row.id) for row in await conn.execute(statement, rows)} if rows else {}
    first = {row["identity"]: (row, one[0]) for row, one in zip(reversed(rows), reversed(kept), strict=True)}
    await _index_new(conn, [(ids[key], one, row["at"]) for key, (row, one) in first.items() if key in ids])
    if len(ids) < len(kept):
        met = await known(conn, kept[0][0].source, [advisory.key for advisory, *_ in kept])
        ids |= {short(key): one.id for key, one in met.items()}
    return [ids[row["identity"]] for row in rows]


def _new_row(advisory: Advisory, verdict: Verdict, story_id: int, now: datetime) -> dict[str, Any]:
    values = {"story_id": story_id, "revision": 0, "first_seen": now, "last_seen": now}
    return _text_columns(advisory) | _verdict_columns(verdict) | values | {"at": advisory.published or now}


async def _index_new(conn: AsyncConnection, new: Sequence[tuple[int, Advisory, datetime]]) -> None:
    """Put new advisories in their places and under their words and CVEs."""
    if not new:
        return
    places = [(advisory_id, index.place(at, advisory_id), advisory) for advisory_id, advisory, at in new]
    put = update(advisories).where(advisories.c.id == bindparam("advisory")).values(place=bindparam("at_place"))
    await conn.execute(put, [{"advisory": advisory_id, "at_place": place} for advisory_id, place, _ in places])
    await index.put_many(conn, [(place, advisory) for _, place, advisory in places])
    await _put_cves(conn, [(advisory_id, advisory) for advisory_id, _, advisory in places])


async def _put_cves(conn: AsyncConnection, new: Iterable[tuple[int, Advisory]]) -> None:
    rows = [
        {"cve": cve, "advisory_id": advisory_id}
        for advisory_id, advisory in new
        for cve in sorted({folded(cve) for cve in advisory.cves})
    ]
    if rows:
        await conn.execute(plain_insert(advisory_cves), rows)


async def revise(conn: AsyncConnection, advisory_id: int, advisory: Advisory, verdict: Verdict, now: datetime) -> int:
    """Keep a new text and verdict under the same identity, and the old text as history; the revision's number.

    The same text again (by ``hash``) changes nothing.
    """
    advisory = index.fitted(advisory)
    old = await _row(conn, advisory_id)
    if old.hash == advisory.hash:
        return int(old.revision)
    before = {"advisory_id": advisory_id, "revision": old.revision, "seen_at": now, "hash": old.hash}
    before |= {"title": old.title, "summary": old.summary, "severity": SEVERITIES[old.severity].value}
    await conn.execute(plain_insert(revisions).values(before))
    await _rewrite(conn, old, advisory, verdict, {"revision": old.revision + 1, "last_seen": now})
    return int(old.revision) + 1


async def refresh(conn: AsyncConnection, advisory_id: int, advisory: Advisory, verdict: Verdict) -> None:
    """Keep facts that arrived later (KEV, EPSS, CVSS) and the verdict they lead to; no revision."""
    await _rewrite(conn, await _row(conn, advisory_id), index.fitted(advisory), verdict, {})


async def _rewrite(
    conn: AsyncConnection, old: Row[Any], advisory: Advisory, verdict: Verdict, values: dict[str, Any]
) -> None:
    at = advisory.published or old.first_seen
    values |= _text_columns(advisory) | _verdict_columns(verdict) | {"at": at}
    await conn.execute(update(advisories).where(advisories.c.id == old.id).values(values))
    await _reindex(conn, old, advisory, at)


async def _reindex(conn: AsyncConnection, old: Row[Any], advisory: Advisory, at: datetime) -> None:
    """Move an advisory to its new place and words."""
    await index.drop(conn, old.place)
    await conn.execute(advisory_cves.delete().where(advisory_cves.c.advisory_id == old.id))
    await _index_new(conn, [(old.id, advisory, at)])


def folded(code: str) -> str:
    """A code as queries compare it."""
    return short(code.lower())


async def rekey(conn: AsyncConnection, advisory_id: int, key: str) -> None:
    """Keep an advisory under the new guid its publisher gave it."""
    values = {"key": key, "identity": short(key)}
    await conn.execute(update(advisories).where(advisories.c.id == advisory_id).values(values))


async def link(conn: AsyncConnection, advisory_id: int, story_id: int) -> None:
    """Make an advisory part of a story."""
    await conn.execute(update(advisories).where(advisories.c.id == advisory_id).values(story_id=story_id))


async def seen(conn: AsyncConnection, ids: Iterable[int], now: datetime) -> None:
    """Note that these advisories still stand in their feed."""
    for part in chunks(ids):
        await conn.execute(update(advisories).where(advisories.c.id.in_(part)).values(last_seen=now))


async def set_verdict(conn: AsyncConnection, advisory_id: int, verdict: Verdict) -> None:
    """Keep a new verdict of the same text (the rules changed)."""
    await conn.execute(update(advisories).where(advisories.c.id == advisory_id).values(_verdict_columns(verdict)))


async def get(conn: AsyncConnection, advisory_id: int) -> Stored | None:
    """One advisory, or None."""
    return (await many(conn, [advisory_id])).get(advisory_id)


async def many(conn: AsyncConnection, ids: Iterable[int]) -> dict[int, Stored]:
    """Those of ``ids`` that exist."""
    found: dict[int, Stored] = {}
    for part in chunks(ids):
        rows = await conn.execute(select(advisories).where(advisories.c.id.in_(part)))
        found |= {row.id: stored(row) for row in rows}
    return found


async def newest(conn: AsyncConnection, limit: int, *, source: str | None = None) -> list[Stored]:
    """The newest ``limit`` advisories by publication (or first sight), of one source or of all."""
    query = select(advisories).order_by(advisories.c.place.desc()).limit(limit)
    if source is not None:
        newest_of_it = (advisories.c.at.desc(), advisories.c.id.desc())
        query = select(advisories).where(advisories.c.source == source).order_by(*newest_of_it).limit(limit)
    return [stored(row) for row in await conn.execute(query)]


async def with_cves(conn: AsyncConnection, cves: Iterable[str]) -> dict[int, Stored]:
    """Every advisory that names one of ``cves``."""
    found: dict[int, Stored] = {}
    for part in chunks({folded(cve) for cve in cves}):
        naming = select(advisory_cves.c.advisory_id).where(advisory_cves.c.cve.in_(part))
        rows = await conn.execute(select(advisories).where(advisories.c.id.in_(naming)))
        found |= {row.id: stored(row) for row in rows}
    return found


async def recent_cves(conn: AsyncConnection, *, since: datetime) -> list[str]:
    """The CVEs of what concerns healthcare and came at ``since`` or later, in upper case and order."""
    c = advisories.c
    recent = select(c.id).where(c.first_seen >= since, c.relevance > Relevance.NONE.rank)
    query = select(advisory_cves.c.cve).distinct().where(advisory_cves.c.advisory_id.in_(recent))
    return sorted(cve.upper() for cve in (await conn.execute(query)).scalars())


async def stream(conn: AsyncConnection, *, batch: int = 500) -> AsyncIterator[Stored]:
    """Every advisory in the order of arrival, few in memory at a time."""
    last = 0
    while True:
        query = select(advisories).where(advisories.c.id > last).order_by(advisories.c.id).limit(batch)
        rows = (await conn.execute(query)).all()
        for row in rows:
            yield stored(row)
        if len(rows) < batch:
            return
        last = rows[-1].id


async def history(conn: AsyncConnection, advisory_id: int) -> list[Revision]:
    """The texts an advisory had before, oldest first."""
    c = revisions.c
    query = select(c.revision, c.seen_at, c.hash, c.title, c.summary, c.severity).order_by(c.revision)
    rows = await conn.execute(query.where(c.advisory_id == advisory_id))
    return [Revision(r.revision, r.seen_at, r.hash, r.title, r.summary, Severity(r.severity)) for r in rows]


async def total(conn: AsyncConnection) -> int:
    """How many advisories are kept."""
    return (await conn.execute(select(func.count()).select_from(advisories))).scalar_one()


async def _row(conn: AsyncConnection, advisory_id: int) -> Row[Any]:
    return (await conn.execute(select(advisories).where(advisories.c.id == advisory_id))).one()


def _text_columns(advisory: Advisory) -> dict[str, Any]:
    as_they_are = "source key hash title summary url published updated language organisation country cvss epss kev"
    values = {name: getattr(advisory, name) for name in as_they_are.split()}
    values |= {name: list(getattr(advisory, name)) for name in ("cves", "vendors", "products", "sectors")}
    return values | {
        "identity": short(advisory.key),
        "known_ransomware": advisory.known_ransomware,
        "health_publisher": advisory.health_publisher,
        "stated_severity": advisory.stated_severity and advisory.stated_severity.value,
        "tlp": advisory.tlp.value,
        "url_folded": advisory.url.lower(),
        "url_identity": folded(advisory.url),
        "country_folded": advisory.country.lower(),
        "language_folded": advisory.language.lower(),
    }


def _verdict_columns(verdict: Verdict) -> dict[str, Any]:
    return {
        "relevance": verdict.relevance.rank,
        "severity": verdict.severity.rank,
        "threats": threat_bits(verdict.threats),
        "reasons": [[r.rule, r.clause, r.words, r.place, r.start, r.end] for r in verdict.reasons],
    }


def threat_bits(threats: Sequence[Threat]) -> int:
    """Threats as one number."""
    return sum(1 << THREATS.index(threat) for threat in set(threats))


def stored(row: Row[Any]) -> Stored:
    """A row of ``advisories`` as the value it keeps."""
    as_they_are = "source key title summary url published updated language organisation country cvss epss kev hash"
    advisory = Advisory(
        **{name: getattr(row, name) for name in as_they_are.split()},
        cves=tuple(row.cves),
        vendors=tuple(row.vendors),
        products=tuple(row.products),
        sectors=tuple(row.sectors),
        known_ransomware=row.known_ransomware,
        health_publisher=row.health_publisher,
        stated_severity=Severity(row.stated_severity) if row.stated_severity else None,
        tlp=Tlp(row.tlp),
    )
    verdict = Verdict(
        relevance=RELEVANCES[row.relevance],
        threats=tuple(threat for bit, threat in enumerate(THREATS) if row.threats >> bit & 1),
        severity=SEVERITIES[row.severity],
        reasons=tuple(Reason(*reason) for reason in row.reasons),
    )
    return Stored(row.id, advisory, verdict, row.story_id, row.revision, row.first_seen, row.last_seen)
