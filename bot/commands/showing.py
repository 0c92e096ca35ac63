"""show and cve: one story as a card, and what is known of one CVE."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.commands.asking import Ask, Context
from bot.commands.listing import ROWS, cves_of, day, mistake, next_page, number, rows, says, slice_of
from bot.compose import compose_card, source_name, told_changes
from bot.message import Button, Card, Line, Piece, Reply, Row
from bot.model import Stored, Story
from bot.store import advisories, deliveries, facts, stories
from bot.store.engine import Connection
from bot.store.facts import CveFacts

_STORY = re.compile(r"(?:story[\s:]*)?#?(\d{1,15})", re.IGNORECASE)
_CVE = re.compile(r"(?:CVE[\s-]*)?(\d{4})-(\d{4,19})", re.IGNORECASE)


async def show(ask: Ask, context: Context) -> Reply:
    """One story, with the advisories that tell it."""
    async with context.store.read() as conn:
        story = await story_of(ask, context, conn)
        if isinstance(story, Reply):
            return story
        known = await facts.get(conn, cves_of([story]))
        ledger = await deliveries.of_story(conn, story.id)
    changes = told_changes(ledger)
    card = compose_card(story, known, context.sources, context.rules, changes=changes)
    if len(story.members) == 1:
        return Reply(f"Story #{story.id}", card=_buttoned(card))
    newest_first = tuple(reversed(story.members))
    shown, is_more = slice_of(newest_first, ask.page, ROWS)
    return Reply(
        f"Story #{story.id}, told by {number(len(story.members), 'advisory', 'advisories')}",
        card=_buttoned(card) if ask.page == 1 else None,
        rows=tuple(_member(one, context) for one in shown),
        more=next_page("show", replace(ask, words=str(story.id)), is_more),
    )


async def story_of(ask: Ask, context: Context, conn: Connection) -> Story | Reply:
    """The story whose number was typed, or the reply to a wrong one."""
    typed = _STORY.fullmatch(ask.words)
    if not typed:
        wrong = f"{ask.words[:60]!r} is no story's number" if ask.words else "Which story?"
        return mistake(wrong, f"Each list and card shows it, such as #12: {context.typed('show 12')}")
    story = await stories.get(conn, int(typed[1]))
    if story is None or not story.members:
        return mistake(f"There is no story #{int(typed[1])}", f"{context.typed('latest')} lists the newest.")
    return story


def _buttoned(card: Card) -> Card:
    """The card without the button that led here."""
    opening = tuple(button for button in card.buttons if button.action == "ward_open")
    return replace(card, buttons=(*opening, Button("Why this?", "ward_why", str(card.story_id))))


def _member(one: Stored, context: Context) -> Row:
    advisory = one.advisory
    revised = f"revised {number(one.revision, 'time')}" if one.revision else ""
    details = (source_name(advisory, context.sources), day(advisory.published or one.first_seen), revised)
    return Row(advisory.title, advisory.url, one.verdict.severity, tuple(part for part in details if part))


async def cve(ask: Ask, context: Context) -> Reply:
    """What is known of a CVE, and the stories that name it."""
    typed = _CVE.fullmatch(ask.words)
    if not typed:
        wrong = f"{ask.words[:60]!r} is no CVE" if ask.words else "Which CVE?"
        return mistake(wrong, f"For example: {context.typed('cve CVE-2024-3400')}")
    name = f"CVE-{typed[1]}-{typed[2]}"
    async with context.store.read() as conn:
        known = (await facts.get(conn, [name])).get(name)
        naming = list((await advisories.with_cves(conn, [name])).values())
        naming.sort(key=lambda one: (one.advisory.published or one.first_seen, one.id), reverse=True)
        ids = list(dict.fromkeys(one.story_id for one in naming))
        shown, is_more = slice_of(ids, ask.page, ROWS)
        found = await rows(conn, shown, context)
    named = number(len(naming), "advisory names", "advisories name") if naming else "No advisory names"
    return Reply(
        f"{named} {name}" if ask.page == 1 else f"{name} (page {ask.page})",
        _facts(name, known, naming) if ask.page == 1 else (),
        found,
        more=next_page("cve", replace(ask, words=name), is_more),
    )


def _facts(name: str, known: CveFacts | None, naming: list[Stored]) -> tuple[Line, ...]:
    """A line for each fact, with the day it is of."""
    known = known or CveFacts(name)
    alone = (one.advisory for one in naming if len(one.advisory.cves) == 1)
    stated = next((advisory for advisory in alone if advisory.cvss is not None), None)
    lines: list[Line] = []
    if known.kev_added:
        used = ", and used in ransomware campaigns" if known.ransomware else ""
        due = f"; US agencies had to act by {known.kev_due}" if known.kev_due else ""
        text = f"exploited: in CISA's catalogue since {known.kev_added}{used}{due}"
        lines.append(says("KEV ", Piece(text, style="strong"), _as_of(known.kev_as_of)))
    else:
        lines.append(says("KEV not known to be exploited", _as_of(known.kev_as_of)))
    if known.epss is not None:
        lines.append(says(f"EPSS {known.epss:.1%} chance of being exploited within 30 days", _as_of(known.epss_as_of)))
    if known.cvss is not None:
        lines.append(says(f"CVSS {known.cvss:.1f}", _as_of(known.cvss_as_of)))
    elif stated is not None:
        lines.append(says(f"CVSS {stated.cvss:.1f}, as {stated.organisation or stated.source} states it"))
    lines.append(says(Piece("NVD", f"https://nvd.nist.gov/vuln/detail/{name}")))
    return tuple(lines)


def _as_of(moment: object) -> Piece | str:
    return Piece(f" (as of {moment:%d %b %Y})", style="quiet") if moment else ""
