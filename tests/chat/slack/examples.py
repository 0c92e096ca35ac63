"""Messages as Wardwatch composes them, good and hostile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bot.message import Button, Card, CveFact, Digest, Note, Piece, Reply, Row, Why
from bot.model import Relevance, Severity, Threat

WHEN = datetime(2026, 5, 26, 9, 12, tzinfo=UTC)
BUTTONS = (
    Button("Open", "ward_open", url="https://www.cisa.gov/aa26-140a", tone="primary"),
    Button("Why", "ward_why", "4711"),
    Button("More like this", "ward_more", "search ransomware hospital"),
)
CARD = Card(
    story_id=4711,
    headline="Ransomware group exploits flaw in hospital imaging servers",
    url="https://www.cisa.gov/aa26-140a",
    severity=Severity.CRITICAL,
    relevance=Relevance.DIRECT,
    threats=(Threat.RANSOMWARE, Threat.VULNERABILITY),
    affected="Imaging servers of three makers",
    why=(Why("Attack on a care provider", ("ransomware", "hospital")),),
    summary="An unauthenticated request lets an attacker run commands on the imaging server.",
    cves=(CveFact("CVE-2026-20417", 7.2, 0.93, "2026-05-25", True), CveFact("CVE-2026-20418", 9.9)),
    source="CISA",
    country="US",
    published=WHEN,
    seen=WHEN,
    buttons=BUTTONS,
)
ROW = Row("Infusion pump accepts unsigned firmware", "https://example.org/1", Severity.HIGH, ("CISA", "26 May"), 12)
NOTE = Note("Worse now", ((Piece("CVE-2026-20417 added to KEV"),),), Severity.CRITICAL, broadcast=True)
MESSAGES = {
    "card": CARD,
    "card without anything optional": replace(CARD, cves=(), summary="", affected="", why=(), buttons=(), url=""),
    "revised card": replace(CARD, changes=("severity medium → critical",), because=("vendor:philips",)),
    "note": NOTE,
    "digest": Digest("8 stories", (ROW,) * 8),
    "digest of 300": Digest("300 stories", (ROW,) * 300),
    "reply": Reply("23 advisories", rows=(ROW,) * 5, footer="1-5 of 23", more="search x page:2"),
    "reply with a card": Reply("Story 4711", card=CARD),
    "mistyped": Reply("I cannot read this query", preformatted="a OR )\n     ^", trouble=True),
    "huge reply": Reply("All", tuple((Piece("word " * 400),) for _ in range(500)), footer="f" * 9000, more="m" * 9000),
}

HOSTILE = {
    "ping a channel": "<!channel> patch now <!here> <!everyone>",
    "ping a person": "<@U1> and <@U1|boss> and @channel",
    "disguised link": "<https://evil.example|bank.example> update",
    "address in the title": "https://bank.example/login must be updated",
    "markup": "*bold* _it_ ~no~ `code` ```block``` > quote [text](https://evil.example)",
    "a date that lies": "<!date^0^{date}^https://evil.example|today>",
    "entities": "&lt;!channel&gt; &amp;lt;!channel&amp;gt;",
    "right to left": "\u202eexe.tnemyap\u202c \u2066hidden\u2069",
    "zero width": "hos\u200bpi\u200dtal\ufeff\u2060",
    "control characters": "a\x00b\x1b[31mred\x07\r\n\ttab\u2028line",
    "only what cannot be seen": "\u200b\u200c\u202e",
    "megabyte": "A" * 2**20,
    "invisible megabyte": "\u200b" * 2**20,
    "emoji flood": "🚑" * 50_000,
    "emoji words": ":rotating_light:" * 5000,
    "stacked marks": "Z" + "\u0335\u0322" * 4000,
    "lone surrogate": "a\ud800b",
    "empty": "",
}
ADDRESSES = {
    "script": "javascript:alert(1)",
    "data": "data:text/html,<script>",
    "file": "file:///etc/passwd",
    "slack": "slack://user?team=T1&id=U1",
    "pipe": "https://evil.example|https://bank.example",
    "space": "https://evil.example/ a",
    "newline": "https://evil.example/\nHost: x",
    "bidi": "https://evil.example/\u202egnp.exe",
    "bracket": "https://[::1",
    "nowhere": "https://",
    "long": "https://evil.example/" + "a" * 9000,
    "empty": "",
}
