"""Wardwatch's messages as Block Kit.

Feed text goes into ``rich_text`` and ``plain_text`` only, where Slack reads no markup: it cannot ping, disguise a link
or break out. The few ``mrkdwn`` lines hold our own words, escaped all the same. Limits: docs.slack.dev, Block Kit
reference; texts above some 13,200 characters in all were seen refused (github.com/slackapi/bolt-js/issues/2509).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.chat.slack.elements import Block, actions, context, cut, date, escape, link, section, span
from bot.message import Button, Card, CveFact, Digest, Line, Message, Note, Piece, Reply, Row
from bot.model import Severity, Tlp
from bot.text import visible

MARKS = {
    Severity.CRITICAL: "red_circle",
    Severity.HIGH: "large_orange_circle",
    Severity.MEDIUM: "large_yellow_circle",
    Severity.LOW: "large_blue_circle",
    Severity.INFO: "white_circle",
}
HEADLINE, AFFECTED, SUMMARY, FALLBACK = 240, 220, 420, 600  # characters shown
MAX_CVES, MAX_ROWS = 5, 20
MAX_CHARACTERS = 10_500  # texts and addresses of all rich text; leaves room for a footer and buttons
MAX_PLAIN = 3_500


@dataclass(frozen=True, slots=True)
class Payload:
    """What goes into chat.postMessage: ``text`` is for notifications and screen readers."""

    text: str
    blocks: tuple[Block, ...]


def render(message: Message) -> Payload:
    """The message as Slack shows it."""
    match message:
        case Card():
            text, blocks = f"{message.severity.value.upper()}: {message.headline} ({message.source})", _card(message)
        case Note():
            text, blocks = message.heading, _note(message)
        case Digest():
            text, blocks = message.heading, _digest(message)
        case Reply():
            text, blocks = message.heading, _reply(message)
    return Payload(escape(cut(text, FALLBACK)) or "Wardwatch", tuple(_within(blocks, MAX_CHARACTERS)))


def plain(message: Message) -> str:
    """The message as escaped text without blocks: what is sent when Slack refuses the card."""
    lines = [cut(line, 1000) for line in _plain_lines(message) if line]
    return escape(cut("\n".join(lines), MAX_PLAIN, keep="\n")) or "Wardwatch"


def _plain_lines(message: Message) -> Iterable[str]:
    match message:
        case Card():
            yield f"{message.severity.value.upper()}: {message.headline}"
            yield from (message.url, message.affected)
            yield ", ".join(f"{fact.cve}{' (exploited)' if fact.kev_added else ''}" for fact in message.cves[:50])
            yield from (f"Why: {why.rule}" for why in message.why)
            yield f"{message.source}, {message.country}, #{message.story_id}"
        case Note() | Reply():
            yield message.heading
            yield from ("".join(piece.text for piece in line) for line in message.lines)
            if isinstance(message, Reply):
                yield from message.preformatted.split("\n")
                yield from (_plain_lines(message.card) if message.card else ())
                yield from (f"{row.headline} {row.url}" for row in message.rows)
                yield message.footer
        case Digest():
            yield message.heading
            yield from (f"{row.headline} {row.url}" for row in message.rows)


def _within(blocks: Iterable[Block], budget: int) -> Iterable[Block]:
    """The blocks, cut where their texts and addresses exceed ``budget`` characters; buttons stay."""
    for block in blocks:
        if block["type"] != "rich_text":
            yield block
        elif budget >= 0:
            (part,) = block["elements"]
            kept = []
            for element in part["elements"]:
                budget -= len(element.get("text", "")) + len(element.get("url", ""))
                kept.append(element if budget >= 0 else span("…"))
                if budget < 0:
                    break
            yield {**block, "elements": [{**part, "elements": kept}]}


def _card(card: Card) -> Iterable[Block]:
    kinds = ", ".join(threat.value.replace("-", " ") for threat in card.threats[:3] if threat.value != "other")
    head = [_emoji(card.severity), span(f" {card.severity.value.upper()}", "strong")]
    if kinds:
        head.append(span(f"  ·  {kinds}"))
    if any(fact.kev_added for fact in card.cves):
        head += [span("  ·  "), span("exploited", "strong")]
    head += [span("\n"), *link(card.headline, card.url, HEADLINE, strong=True)]
    if card.affected:
        head += [span("\nAffected: ", "strong"), span(cut(card.affected, AFFECTED))]
    yield section(head)
    if card.changes:
        yield section([span("Update: ", "strong"), span(cut("; ".join(card.changes), 300))])
    if card.cves:
        yield section(list(_cves(card.cves)))
    if card.summary:
        yield {
            "type": "rich_text",
            "elements": [{"type": "rich_text_quote", "elements": [span(cut(card.summary, SUMMARY))]}],
        }
    yield section(list(_why(card)))
    yield context(_origin(card))
    yield from actions(card.buttons, card.story_id)


def _cves(cves: tuple[CveFact, ...]) -> Iterable[Block]:
    for number, fact in enumerate(cves[:MAX_CVES]):
        if number:
            yield span("\n")
        yield from link(fact.cve, f"https://nvd.nist.gov/vuln/detail/{fact.cve}", 40)
        if fact.cvss is not None:
            yield span(f"  CVSS {fact.cvss:.1f}")
        if fact.kev_added:
            yield span(f"  KEV {fact.kev_added}{', ransomware' if fact.ransomware else ''}", "strong")
        if fact.epss is not None:
            yield span(f"  EPSS {fact.epss:.0%}")
    if len(cves) > MAX_CVES:
        exploited = sum(bool(fact.kev_added) for fact in cves[MAX_CVES:])
        more = f"\nand {len(cves) - MAX_CVES} more CVEs" + (f", {exploited} of them exploited" if exploited else "")
        yield span(more)


def _why(card: Card) -> Iterable[Block]:
    yield span("Why: ", "strong")
    for number, why in enumerate(card.why[:4]):
        yield span(("; " if number else "") + cut(why.rule, 120))
        for count, word in enumerate(why.words[:4]):
            yield span(", " if count else " ")
            yield span(cut(word, 60), "code")
    if card.because:
        yield span(("; " if card.why else "") + "subscribed: ")
        yield span(cut("; ".join(card.because), 200), "code")


def _origin(card: Card) -> str:
    parts = [f"*{escape(cut(card.source, 100))}*", escape(cut(card.country, 10)), date(card.published or card.seen)]
    if card.also:
        parts.append("also " + escape(cut(", ".join(card.also), 200)))
    if card.tlp is not Tlp.CLEAR:
        parts.append(f"TLP:{card.tlp.value.upper()}")
    return "  ·  ".join([*parts, f"#{card.story_id}"])


def _note(note: Note) -> Iterable[Block]:
    head = [_emoji(note.severity), span(" ")] if note.severity else []
    yield section([*head, span(cut(note.heading, HEADLINE), "strong"), *_lines(note.lines)])


def _digest(digest: Digest) -> Iterable[Block]:
    yield section([span(cut(digest.heading, HEADLINE), "strong")])
    yield section(list(_rows(digest.rows[:MAX_ROWS])))
    if len(digest.rows) > MAX_ROWS:
        yield context(f"and {len(digest.rows) - MAX_ROWS} more: `/ward latest` lists them")


def _reply(reply: Reply) -> Iterable[Block]:
    mark = [{"type": "emoji", "name": "warning"}, span(" ")] if reply.trouble else []
    yield section([*mark, span(cut(reply.heading, HEADLINE), "strong"), *_lines(reply.lines)])
    if reply.preformatted:
        text = visible(reply.preformatted[:8000], keep="\n")[:2900]
        yield {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [span(text)]}]}
    if reply.card:
        yield from _card(reply.card)
    if reply.rows:
        yield section(list(_rows(reply.rows[:MAX_ROWS])))
    if footer_text := cut(reply.footer, 1500):
        footer = {"type": "plain_text", "text": footer_text, "emoji": False}
        yield {"type": "context", "elements": [footer]}
    if reply.more:
        yield from actions((Button("More", "ward_more", reply.more),), 0)


def _rows(rows: tuple[Row, ...]) -> Iterable[Block]:
    for number, row in enumerate(rows):
        if number:
            yield span("\n")
        if row.severity:
            yield _emoji(row.severity)
            yield span(" ")
        yield from link(row.headline, row.url, 200, strong=True)
        details = [*(cut(detail, 120) for detail in row.details), *([f"#{row.story_id}"] if row.story_id else [])]
        if details:
            yield span("\n" + "  ·  ".join(details))
        yield span("\n")


def _lines(lines: tuple[Line, ...]) -> Iterable[Block]:
    for line in lines[:60]:
        yield span("\n")
        for piece in line:
            yield from _piece(piece)


def _piece(piece: Piece) -> list[Block]:
    if piece.url:
        return link(piece.text, piece.url, 300, strong=piece.style == "strong")
    return [span(cut(piece.text, 1000) if piece.text.strip() else piece.text[:80], piece.style)]


def _emoji(severity: Severity) -> Block:
    return {"type": "emoji", "name": MARKS[severity]}
