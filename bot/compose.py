"""Composes what is owed into messages: the card of a story, notes in its thread, a digest. Pure.

The headline of a story is its telling member: the one that concerns healthcare most, in the reader's language, the
gravest; among equals the first, which the others mostly repeat.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bot.changes import Change, read_changes
from bot.message import Button, Card, CveFact, Digest, Line, Note, Piece, Row, Why
from bot.model import Advisory, Delivery, Kind, Reason, Relevance, Severity, Source, Stored, Story, Threat, Tlp
from bot.rules import Rules
from bot.store.facts import CveFacts

REASONS, CONCERNING, WORDS = 4, 2, 4  # shown on a card: reasons in all, of them why healthcare; words of each
NAMES = 3  # vendors, products or victims named
GIST = 500  # characters of summary
CHANGES = 3
_LABEL = re.compile(
    r"^(?:CVSS|Vendors?|Equipment|Products?|Vulnerabilit(?:y|ies)|ATTENTION|Critical Infrastructure Sectors?"
    r"|Countries/Areas Deployed|Company Headquarters Location|Executive Summary|\d\.\s*EXECUTIVE SUMMARY"
    r"|Severity|Release Date|Alert Code|Last Revised)\b.{0,200}$",
    re.IGNORECASE,
)
_VALUES = frozenset([*Relevance, *Threat])  # what a rule about our own verdict finds; its title says it better
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。！？]")


def compose_card(
    story: Story,
    facts: Mapping[str, CveFacts],
    sources: Mapping[str, Source],
    rules: Rules,
    *,
    because: Iterable[str] = (),
    changes: Iterable[str] = (),
    language: str = "en",
) -> Card:
    """The card of ``story``, which has a member at least; ``facts`` by upper-case CVE id, ``changes`` newest first."""
    teller = telling(story.members, language)
    advisory = teller.advisory
    return Card(
        story_id=story.id,
        headline=advisory.title,
        url=advisory.url,
        severity=_gravest(story.members),
        relevance=teller.verdict.relevance,
        threats=tuple(dict.fromkeys(threat for m in (teller, *story.members) for threat in m.verdict.threats)),
        affected=affected(teller, rules),
        why=whys(teller.verdict.reasons, teller, rules),
        summary=gist(advisory.summary, advisory.title),
        cves=cve_facts((teller, *story.members), facts),
        source=source_name(advisory, sources),
        country=advisory.country,
        published=advisory.published,
        seen=teller.first_seen,
        tlp=max((m.advisory.tlp for m in story.members), key=list(Tlp).index),
        because=tuple(dict.fromkeys(because)),
        also=_also(teller, story.members, sources),
        changes=tuple(changes)[:CHANGES],
        buttons=_buttons(story, advisory),
    )


def telling(members: Sequence[Stored], language: str = "en") -> Stored:
    """The member that speaks for a story."""

    def weight(member: Stored) -> tuple[int, bool, int]:
        verdict = member.verdict
        return verdict.relevance.rank, member.advisory.language == language, verdict.severity.rank

    return max(members, key=weight)


def compose_note(
    delivery: Delivery,
    story: Story,
    facts: Mapping[str, CveFacts],
    sources: Mapping[str, Source],
    rules: Rules,
) -> Note:
    """The reply in a story's thread for a REVISION or a CORROBORATION; its lines say what a reader must know."""
    card = compose_card(story, facts, sources, rules)
    told = next((m for m in story.members if m.id == delivery.advisory_id), telling(story.members))
    changes = read_changes(delivery.text)
    source = source_name(told.advisory, sources)
    lines: list[Line] = [_change_line(change) for change in changes]
    if delivery.kind is Kind.CORROBORATION:
        heading = f"{source} tells the same story"
        if any(change.worse for change in changes):
            heading += ", and it is worse"
        lines.insert(0, (Piece(told.advisory.title, told.advisory.url),))
    else:
        is_worse = any(change.worse for change in changes)
        heading = f"{'Worse' if is_worse else 'Update'}: {card.headline}"
        lines.append((Piece(source, told.advisory.url, "quiet"),))
    return Note(heading, tuple(lines), card.severity, broadcast=any(change.worse for change in changes))


def compose_notice(delivery: Delivery) -> Note:
    """Word to the operators: the first line is its heading."""
    heading, *lines = delivery.text.splitlines() or [delivery.subject]
    return Note(heading, tuple((Piece(line),) for line in lines))


def compose_digest(
    stories: Sequence[Story], facts: Mapping[str, CveFacts], sources: Mapping[str, Source], rules: Rules
) -> Digest:
    """Several stories in one message, the gravest first."""
    cards = [compose_card(story, facts, sources, rules) for story in stories]
    cards.sort(key=lambda card: card.severity.rank, reverse=True)
    grades = [grade for grade in reversed(Severity) if any(card.severity is grade for card in cards)]
    counted = ", ".join(f"{sum(card.severity is grade for card in cards)} {grade}" for grade in grades)
    return Digest(f"{len(cards)} new advisories: {counted}", tuple(card_row(card) for card in cards))


def card_row(card: Card) -> Row:
    """A card as one entry of a list."""
    exploited = any(fact.kev_added for fact in card.cves)
    named = ", ".join(fact.cve for fact in card.cves[:2]) + (f" +{len(card.cves) - 2}" if len(card.cves) > 2 else "")
    worst = max((fact.cvss for fact in card.cves if fact.cvss is not None), default=None)
    details = (
        card.affected,
        named,
        f"CVSS {worst:.1f}" if worst is not None else "",
        "exploited (KEV)" if exploited else "",
        f"{card.source}, {card.country}" if card.country else card.source,
        f"{card.published or card.seen:%d %b %Y}",
    )
    return Row(card.headline, card.url, card.severity, tuple(part for part in details if part), card.story_id)


def plain_note(message: Card | Note | Digest) -> Note:
    """The barest form of a message, for a platform that refuses the better one."""
    match message:
        case Note():
            return Note(message.heading, tuple((Piece("".join(p.text for p in line)),) for line in message.lines))
        case Digest():
            return Note(message.heading, tuple((Piece(row.headline, row.url),) for row in message.rows))
        case Card():
            lines: list[Line] = [(Piece(message.url),)] if message.url else []
            lines += [(Piece(f"Affected: {message.affected}"),)] if message.affected else []
            lines += [(Piece("Why: " + "; ".join(why.rule for why in message.why)),)] if message.why else []
            lines.append((Piece(f"{message.source}, {message.country}"),))
            return Note(f"{message.severity.upper()}: {message.headline}", tuple(lines), message.severity)


def affected(member: Stored, rules: Rules) -> str:
    """Who or what is concerned, in one line: vendors and products, else the words found, else the sectors."""
    advisory = member.advisory
    products = _few(_without(advisory.products, advisory.vendors))
    if advisory.vendors or products:
        return " – ".join(part for part in (_few(advisory.vendors), products) if part)
    concerning = {rule.id for rule in rules.relevance}
    found = [_words(reason, member) for reason in member.verdict.reasons if reason.rule in concerning]
    return _few(_longest(found)) or _few(advisory.sectors)


def whys(reasons: Iterable[Reason], member: Stored, rules: Rules) -> tuple[Why, ...]:
    """Reasons as people read them: each rule once, each word once; the threats are not crowded out by the victims."""
    titles = {rule.id: rule.title for rule in rules.all}
    concerning = {rule.id for rule in rules.relevance}
    found: dict[str, list[str]] = {}
    for reason in reasons:
        if reason.place == "field" and reason.words in _VALUES:
            continue
        found.setdefault(reason.rule, []).append(_words(reason, member))
    shown: list[Why] = []
    said: set[str] = set()
    for rule, words in found.items():
        new = [word for word in _longest(words) if word.casefold() not in said]
        if rule not in concerning or (len(shown) < CONCERNING and (new or not any(words))):
            shown.append(Why(titles.get(rule, rule), tuple(new[:WORDS])))
            said |= {word.casefold() for word in new}
    return tuple(shown[:REASONS])


def gist(summary: str, title: str = "") -> str:
    """The first sentences of a summary, without the lines of labels and the title that some publishers put before."""
    lines = [line.strip() for line in summary.splitlines() if line.strip()]
    told = [line for line in lines if not _LABEL.match(line) and line.casefold() != title.casefold()]
    text = " ".join(" ".join(told or lines).split())
    if len(text) <= GIST:
        return text
    ends = [found.end() for found in _SENTENCE_END.finditer(text[: GIST + 1])]
    if ends and ends[-1] > GIST // 2:
        return text[: ends[-1]]
    return text[: GIST - 1].rsplit(" ", 1)[0] + "…"


def cve_facts(members: Sequence[Stored], facts: Mapping[str, CveFacts]) -> tuple[CveFact, ...]:
    """What is known of every CVE that ``members`` name: the exploited first, then by CVSS."""
    stated: dict[str, CveFact] = {}
    for advisory in (member.advisory for member in members):
        for cve in advisory.cves:
            stated.setdefault(cve, _cve_fact(cve, facts.get(cve.upper()), members))
    return tuple(sorted(stated.values(), key=lambda fact: (not fact.kev_added, -(fact.cvss or 0.0))))


def _cve_fact(cve: str, fact: CveFacts | None, members: Sequence[Stored]) -> CveFact:
    """Facts of one CVE; an advisory of this CVE alone states its own score and its day in KEV."""
    fact = fact or CveFacts(cve)
    alone = [member.advisory for member in members if member.advisory.cves == (cve,)]
    cvss = fact.cvss if fact.cvss is not None else next((a.cvss for a in alone if a.cvss is not None), None)
    listed = next((f"{a.published:%Y-%m-%d}" for a in alone if a.kev and a.published), "")
    ransomware = fact.ransomware or any(a.known_ransomware for a in alone)
    return CveFact(cve, cvss, fact.epss, fact.kev_added or listed, ransomware)


def source_name(advisory: Advisory, sources: Mapping[str, Source]) -> str:
    """What people call the source of ``advisory``, also when it is no longer configured."""
    known = sources.get(advisory.source)
    return known.name if known else advisory.organisation or advisory.source


def _also(teller: Stored, members: Sequence[Stored], sources: Mapping[str, Source]) -> tuple[str, ...]:
    names = dict.fromkeys(source_name(member.advisory, sources) for member in members)
    names.pop(source_name(teller.advisory, sources), None)
    return tuple(names)


def _buttons(story: Story, advisory: Advisory) -> tuple[Button, ...]:
    why = Button("Why this?", "ward_why", str(story.id))
    if len(story.members) > 1:
        why = Button(f"All {len(story.members)} advisories", "ward_show", str(story.id))
    return (Button("Open advisory", "ward_open", url=advisory.url), why) if advisory.url else (why,)


def _gravest(members: Sequence[Stored]) -> Severity:
    return max((member.verdict.severity for member in members), key=lambda grade: grade.rank)


def _words(reason: Reason, member: Stored) -> str:
    """The words a reason found, as they are written in the advisory; empty where a fact was tested."""
    text = {"title": member.advisory.title, "text": member.advisory.summary}.get(reason.place, "")
    if 0 <= reason.start < reason.end <= len(text):
        return " ".join(text[reason.start : reason.end].split())
    return "" if reason.words == reason.clause or "://" in reason.words else reason.words


def _change_line(change: Change) -> Line:
    return (Piece("▲ " if change.worse else "• "), Piece(change.text, style="strong" if change.worse else ""))


def _distinct(words: Iterable[str]) -> list[str]:
    seen: dict[str, str] = {}
    for word in words:
        seen.setdefault(word.casefold(), word)
    return list(seen.values())


def _longest(words: Iterable[str]) -> list[str]:
    """Words once each, and none that another one holds (``hospital`` beside ``hospitals``)."""
    found = [word for word in _distinct(words) if word]
    return [w for w in found if not any(w is not o and w.casefold() in o.casefold() for o in found)]


def _without(names: Sequence[str], others: Sequence[str]) -> list[str]:
    known = {name.casefold() for name in others}
    return [name for name in _distinct(names) if name.casefold() not in known]


def _few(names: Sequence[str]) -> str:
    more = len(names) - NAMES
    return ", ".join(names[:NAMES]) + (f" and {more} more" if more > 0 else "")


def told_changes(deliveries: Iterable[Delivery]) -> tuple[str, ...]:
    """What revisions of a story changed, for its card: newest first, the gravest change of each."""
    revisions = [row for row in deliveries if row.kind is not Kind.STORY and row.text]
    newest = sorted(revisions, key=lambda row: row.id, reverse=True)
    return tuple(dict.fromkeys(read_changes(row.text)[0].text for row in newest))
