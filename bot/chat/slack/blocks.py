"""Wardwatch's messages as Block Kit.

Feed text goes into ``rich_text`` and ``plain_text`` only, where Slack reads no markup: it cannot ping, disguise a link
or break out. The few ``mrkdwn`` lines hold our own words, escaped all the same. Limits: docs.slack.dev, Block Kit
reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.message import Button, Card, CveFact, Digest, Line, Message, Note, Piece, Reply, Row
from bot.model import Severity, Tlp
from bot.text import visible

Block = dict[str, Any]  # Slack's own JSON: leaves this package only over HTTP

MARKS = {
    Severity.CRITICAL: "red_circle",
    Severity.HIGH: "large_orange_circle",
    Severity.MEDIUM: "large_yellow_circle",
    Severity.LOW: "large_blue_circle",
    Severity.INFO: "white_circle",
}
HEADLINE, SUMMARY, FALLBACK = 280, 420, 600  # characters shown
MAX_BLOCKS, MAX_CVES, MAX_ROWS = 50, 5, 20


@dataclass(frozen=True, slots=True)
class Payload:
    """What goes into chat.postMessage: ``text`` is for notifications and screen readers."""

    text: str
    blocks: tuple[Block, ...]


def render(message: Message) -> Payload:
    """The message as Slack shows it."""
    match message:
        case Card():
            return Payload(
                _fallback(f"{message.severity.value.upper()}: {message.headline}", message.source),
                tuple(_card(message)),
            )
        case Note():
            return Payload(_fallback(message.heading), tuple(_note(message)))
        case Digest():
            return Payload(_fallback(message.heading), tuple(_digest(message)))
        case Reply():
            return Payload(_fallback(message.heading), tuple(_reply(message)))


def plain(message: Message) -> str:
    """The message as escaped text without blocks: what is sent when Slack refuses the card."""
    match message:
        case Card():
            lines = [f"{message.severity.value.upper()}: {message.headline}", message.url, message.affected]
            lines += [f"Why: {why.rule}" for why in message.why] + [f"{message.source}, {message.country}"]
        case Note() | Reply():
            lines = [message.heading, *("".join(piece.text for piece in line) for line in message.lines)]
        case Digest():
            lines = [message.heading, *(f"{row.headline} {row.url}" for row in message.rows)]
    return escape("\n".join(cut(line, 1000) for line in lines if line))[:3900]


def escape(text: str) -> str:
    """Text as mrkdwn reads it literally (docs.slack.dev/messaging/formatting-message-text)."""
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, with an ellipsis where something was left out."""
    text = visible(text)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _fallback(text: str, source: str = "") -> str:
    return escape(cut(f"{text} ({source})" if source else text, FALLBACK))


def _card(card: Card) -> Iterable[Block]:
    kinds = ", ".join(threat.value.replace("-", " ") for threat in card.threats[:3] if threat.value != "other")
    head = [_emoji(card.severity), _text(f" {card.severity.value.upper()}", "strong")]
    if kinds:
        head.append(_text(f"  ·  {kinds}"))
    head += [_text("\n"), _link(card.headline, card.url, HEADLINE, strong=True)]
    if card.affected:
        head += [_text("\nAffected: ", "strong"), _text(cut(card.affected, 300))]
    yield _rich(head)
    if card.changes:
        yield _rich([_text("Update: ", "strong"), _text(cut("; ".join(card.changes), 300))])
    if card.cves:
        yield _rich(list(_cves(card.cves)))
    if card.summary:
        yield {
            "type": "rich_text",
            "elements": [{"type": "rich_text_quote", "elements": [_text(cut(card.summary, SUMMARY))]}],
        }
    yield _rich(list(_why(card)))
    yield _context(_origin(card))
    if card.buttons:
        yield _actions(card.buttons, card.story_id)


def _cves(cves: tuple[CveFact, ...]) -> Iterable[Block]:
    for number, fact in enumerate(cves[:MAX_CVES]):
        if number:
            yield _text("\n")
        yield _link(fact.cve, f"https://nvd.nist.gov/vuln/detail/{fact.cve}", 40)
        if fact.cvss is not None:
            yield _text(f"  CVSS {fact.cvss:.1f}")
        if fact.epss is not None:
            yield _text(f"  EPSS {fact.epss:.0%}")
        if fact.kev_added:
            used = ", used by ransomware" if fact.ransomware else ""
            yield _text(f"  exploited (KEV {fact.kev_added}{used})", "strong")
    if len(cves) > MAX_CVES:
        yield _text(f"\nand {len(cves) - MAX_CVES} more CVEs")


def _why(card: Card) -> Iterable[Block]:
    yield _text("Why: ", "strong")
    for number, why in enumerate(card.why[:4]):
        yield _text(("; " if number else "") + cut(why.rule, 120))
        for count, word in enumerate(why.words[:4]):
            yield _text(", " if count else " ")
            yield _text(cut(word, 60), "code")
    if card.because:
        yield _text(("; " if card.why else "") + "subscribed: ")
        yield _text(cut("; ".join(card.because), 200), "code")


def _origin(card: Card) -> str:
    parts = [f"*{escape(card.source)}*", escape(card.country), date(card.published or card.seen)]
    if card.also:
        parts.append("also " + escape(cut(", ".join(card.also), 200)))
    if card.tlp is not Tlp.CLEAR:
        parts.append(f"TLP:{card.tlp.value.upper()}")
    return "  ·  ".join([*parts, f"#{card.story_id}"])


def date(moment: datetime) -> str:
    """A time that Slack shows in each reader's own zone."""
    stamp, fallback = int(moment.timestamp()), moment.strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{stamp}^{{date_short_pretty}} {{time}}|{fallback}>"


def _note(note: Note) -> Iterable[Block]:
    head = [_emoji(note.severity), _text(" ")] if note.severity else []
    yield _rich([*head, _text(cut(note.heading, HEADLINE), "strong"), *_lines(note.lines)])


def _digest(digest: Digest) -> Iterable[Block]:
    yield _rich([_text(cut(digest.heading, HEADLINE), "strong")])
    yield _rich(list(_rows(digest.rows[:MAX_ROWS])))
    if len(digest.rows) > MAX_ROWS:
        yield _context(f"and {len(digest.rows) - MAX_ROWS} more: `/ward latest` lists them")


def _reply(reply: Reply) -> Iterable[Block]:
    mark = [{"type": "emoji", "name": "warning"}, _text(" ")] if reply.trouble else []
    yield _rich([*mark, _text(cut(reply.heading, HEADLINE), "strong"), *_lines(reply.lines)])
    if reply.preformatted:
        text = visible(reply.preformatted, keep="\n")[:2900]
        yield {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [_text(text)]}]}
    if reply.card:
        yield from _card(reply.card)
    if reply.rows:
        yield _rich(list(_rows(reply.rows[:MAX_ROWS])))
    if reply.footer:
        yield _context(escape(cut(reply.footer, 1500)))
    if reply.more:
        yield _actions((Button("More", "ward_more", reply.more),), 0)


def _rows(rows: tuple[Row, ...]) -> Iterable[Block]:
    for number, row in enumerate(rows):
        if number:
            yield _text("\n")
        if row.severity:
            yield _emoji(row.severity)
            yield _text(" ")
        yield _link(row.headline, row.url, 200, strong=True)
        details = [*(cut(detail, 120) for detail in row.details), *([f"#{row.story_id}"] if row.story_id else [])]
        if details:
            yield _text("\n" + "  ·  ".join(details))
        yield _text("\n")


def _lines(lines: tuple[Line, ...]) -> Iterable[Block]:
    for line in lines[:60]:
        yield _text("\n")
        for piece in line:
            yield _piece(piece)


def _piece(piece: Piece) -> Block:
    if piece.url:
        return _link(piece.text, piece.url, 300, strong=piece.style == "strong")
    return _text(cut(piece.text, 1000) if piece.text.strip() else piece.text, piece.style)


def _text(text: str, style: str = "") -> Block:
    block: Block = {"type": "text", "text": text or " "}
    slack = {"strong": "bold", "code": "code", "quiet": "italic"}.get(style)
    return {**block, "style": {slack: True}} if slack else block


def _link(text: str, url: str, limit: int, *, strong: bool = False) -> Block:
    """A link where the address is a web address Slack takes, else only its text."""
    text = cut(text, limit) or url[:limit]
    if not url.startswith(("http://", "https://")) or len(url) > 3000:
        return _text(text, "strong" if strong else "")
    link: Block = {"type": "link", "url": url, "text": text}
    return {**link, "style": {"bold": True}} if strong else link


def _emoji(severity: Severity) -> Block:
    return {"type": "emoji", "name": MARKS[severity]}


def _rich(elements: list[Block]) -> Block:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _context(mrkdwn: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": mrkdwn}]}


def _actions(buttons: tuple[Button, ...], story: int) -> Block:
    return {"type": "actions", "elements": [_button(button, story, n) for n, button in enumerate(buttons[:5])]}


def _button(button: Button, story: int, number: int) -> Block:
    block: Block = {
        "type": "button",
        "action_id": f"{button.action}:{story}:{number}"[:255],
        "text": {"type": "plain_text", "text": cut(button.label, 70), "emoji": False},
    }
    if button.value:
        block["value"] = button.value[:2000]
    if button.url.startswith(("http://", "https://")) and len(button.url) <= 3000:
        block["url"] = button.url
    if button.tone:
        block["style"] = button.tone
    return block
