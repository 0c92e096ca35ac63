"""Prints messages with rich. Feed text is only ever the content of a ``Text``: it is no markup and moves no cursor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from bot.message import Card, CveFact, Digest, Line, Message, Note, Piece, Reply, Row
from bot.model import Severity, Threat, Tlp
from bot.text import visible

COLOURS = {
    Severity.CRITICAL: "bright_red",
    Severity.HIGH: "dark_orange",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "blue",
    Severity.INFO: "bright_black",
}
STYLES = {"": "", "strong": "bold", "code": "cyan", "quiet": "dim"}
WIDEST = 100  # columns
HEADLINE, TEXT, MOST_CVES, MOST_WHY = 300, 600, 5, 4


def show(console: Console, message: Message, *, reply: bool = False) -> None:
    """Print ``message``, with an empty line after it; ``reply`` marks one that answers an earlier message."""
    console.print(_rendered(message, reply), width=min(console.width, WIDEST), crop=False)
    console.print()


def _rendered(message: Message, reply: bool) -> RenderableType:
    match message:
        case Card():
            return _Barred(message)
        case Note():
            return _note(message, reply)
        case Digest():
            return Group(_text(message.heading, "bold"), *_rows(message.rows))
        case Reply():
            return Group(*_reply(message))


class _Barred:
    """A card with a bar in the colour of its severity; its address stays on one line, so that it can be copied."""

    def __init__(self, card: Card) -> None:
        self._card = card

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        bar = Segment("▌ ", Style.parse(COLOURS[self._card.severity]))
        inner = options.update(width=max(10, options.max_width - 2))
        for line in console.render_lines(Group(*_card(self._card)), inner, pad=False):
            yield from (bar, *line, Segment.line())
        if url := _address(self._card.url):
            yield from (bar, Segment(url, Style(dim=True, link=url)), Segment.line())


def _card(card: Card) -> Iterator[RenderableType]:
    yield _spread(_grade(card), _text(_time(card.published or card.seen), "dim"))
    yield _text(card.headline, "bold", HEADLINE, url=card.url)
    facts = list(_facts(card))
    if facts:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(style="dim", width=8)
        grid.add_column(ratio=1)
        for label, content in facts:
            grid.add_row(label, content)
        yield grid
    if card.summary:
        yield _text(card.summary, "", TEXT)
    yield _text("  ·  ".join(_origin(card)), "dim")


def _grade(card: Card) -> Text:
    grade = Text(f" {card.severity.upper()} ", Style.parse(f"bold reverse {COLOURS[card.severity]}"))
    threats = [threat.replace("-", " ") for threat in card.threats if threat is not Threat.OTHER][:3]
    return Text.assemble(grade, "  ", " · ".join(threats))


def _facts(card: Card) -> Iterator[tuple[str, Text]]:
    if card.changes:
        yield "Changed", _text("; ".join(card.changes), "bold", 300)
    if card.affected:
        yield "Affected", _text(card.affected, "", 300)
    if card.why or card.because:
        yield "Why", Text("\n").join(_why(card))
    if card.cves:
        lines = [_cve(fact) for fact in card.cves[:MOST_CVES]]
        if len(card.cves) > MOST_CVES:
            lines.append(_text(f"and {len(card.cves) - MOST_CVES} more", "dim"))
        yield "CVEs", Text("\n").join(lines)


def _why(card: Card) -> Iterator[Text]:
    for why in card.why[:MOST_WHY]:
        words = Text(", ").join(_text(word, "cyan", 60) for word in why.words)
        yield Text.assemble(_text(why.rule, "", 120), ": " if why.words else "", words)
    if card.because:
        yield Text.assemble("subscribed: ", _text("; ".join(card.because), "cyan", 200))


def _cve(fact: CveFact) -> Text:
    line = _text(fact.cve, "", 40, url=f"https://nvd.nist.gov/vuln/detail/{fact.cve}")
    if fact.cvss is not None:
        line.append(f"  CVSS {fact.cvss:.1f}", "bold" if fact.cvss >= 9 else "")
    if fact.epss is not None:
        line.append(f"  EPSS {fact.epss:.0%}")
    if fact.kev_added:
        used = ", used by ransomware" if fact.ransomware else ""
        line.append(f"  exploited (KEV {visible(fact.kev_added)[:10]}{used})", "bold red")
    return line


def _origin(card: Card) -> Iterator[str]:
    yield f"{card.source}, {card.country}" if card.country else card.source
    if card.also:
        yield f"also {', '.join(card.also)}"
    if card.tlp is not Tlp.CLEAR:
        yield f"TLP:{card.tlp.upper()}"
    yield f"#{card.story_id}"


def _note(note: Note, reply: bool) -> RenderableType:
    colour = COLOURS[note.severity] if note.severity else "cyan"
    heading = Text.assemble(("↳ " if reply else "■ ", colour), _text(note.heading, "bold", HEADLINE))
    return Group(heading, *(Padding(_line(line), (0, 0, 0, 2)) for line in note.lines))


def _reply(reply: Reply) -> Iterator[RenderableType]:
    yield _text(reply.heading, "bold red" if reply.trouble else "bold", HEADLINE)
    if reply.preformatted:
        yield Text(visible(reply.preformatted, keep="\n")[:5000], "cyan", no_wrap=True, overflow="ellipsis")
    yield from (_line(line) for line in reply.lines)
    if reply.card:
        yield _Barred(reply.card)
    yield from _rows(reply.rows)
    if reply.footer:
        yield _text(reply.footer, "dim", 1500)
    if reply.more:
        yield _text(f"more: {reply.more}", "dim", 500)


def _rows(rows: Iterable[Row]) -> Iterator[RenderableType]:
    for row in rows:
        head = Text(f"{row.severity.upper():<9}", COLOURS[row.severity]) if row.severity else Text()
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=9 if row.severity else 1)
        grid.add_column(ratio=1)
        details = [*row.details, *([f"#{row.story_id}"] if row.story_id else [])]
        grid.add_row(head, _text(row.headline, "bold", 200, url=row.url))
        if details:
            grid.add_row("", _text("  ·  ".join(details), "dim", 400))
        yield grid


def _line(line: Line) -> Text:
    return Text.assemble(*(_piece(piece) for piece in line))


def _piece(piece: Piece) -> Text:
    return _text(piece.text, STYLES[piece.style], 2000, url=piece.url)


def _spread(left: Text, right: Text) -> Table:
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, right)
    return grid


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%a %d %b %Y, %H:%M} UTC"


def _text(text: str, style: str = "", limit: int = 1000, *, url: str = "") -> Text:
    """Text from anywhere: one line without control characters, cut; a link where ``url`` is a plain web address."""
    text = visible(text)
    text = text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
    shown = Text(text, style)
    if address := _address(url):
        shown.stylize(Style(link=address))
    return shown


def _address(url: str) -> str:
    """``url`` where it is a web address and holds nothing a terminal would act on, else nothing."""
    return url if url.startswith(("http://", "https://")) and url.isprintable() and " " not in url else ""
