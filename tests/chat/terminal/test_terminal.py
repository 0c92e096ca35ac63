"""What a person sees in a terminal, and what a feed cannot do to it."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from bot.chat.terminal import TerminalPlatform, show, terminal_console
from bot.errors import Unavailable
from bot.message import Card, CveFact, Digest, Message, Note, Piece, Reply, Row, Why
from bot.model import Relevance, Severity, Threat, Tlp

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold]not markup[/bold] \u202egnp.exe\u202c\r\nsecond\x9b31m\x00"
CARD = Card(
    story_id=7,
    headline="Infusion pump takes commands from anybody",
    url="https://example.org/" + "long/" * 30,
    severity=Severity.CRITICAL,
    relevance=Relevance.DIRECT,
    threats=(Threat.VULNERABILITY,),
    affected="Acme – Pump 3",
    why=(Why("A maker of medical products", ("Acme",)),),
    summary="Somebody nearby can change the dose.",
    cves=(CveFact("CVE-2026-1", 9.8, 0.34, "2026-03-09", ransomware=True),),
    source="CISA ICS Medical",
    country="US",
    published=NOW,
    seen=NOW,
    tlp=Tlp.GREEN,
    because=("pump",),
    also=("NCSC",),
    changes=("severity up",),
)


def printed(message: Message, *, terminal: bool = False, reply: bool = False) -> str:
    file = io.StringIO()
    console = (
        Console(file=file, force_terminal=True, color_system="truecolor", width=80, legacy_windows=False)
        if terminal
        else terminal_console(file)
    )
    show(console, message, reply=reply)
    return file.getvalue()


def test_a_card_says_everything_in_plain_text_where_there_is_no_terminal() -> None:
    text = printed(CARD)
    assert "\x1b" not in text
    flat = " ".join(text.replace("▌", "").split())
    for part in (
        "CRITICAL vulnerability",
        "Tue 10 Mar 2026, 12:00 UTC",
        "Infusion pump takes commands from anybody",
        "Affected Acme – Pump 3",
        "Why A maker of medical products: Acme",
        "subscribed: pump",
        "CVE-2026-1 CVSS 9.8 EPSS 34% exploited (KEV 2026-03-09, used by ransomware)",
        "Somebody nearby can change the dose.",
        "CISA ICS Medical, US · also NCSC · TLP:GREEN · #7",
        "Changed severity up",
    ):
        assert part in flat
    lines = text.splitlines()
    assert f"▌ {CARD.url}" in lines, "the address stays whole, so that it can be copied"
    assert all(len(line) <= 80 for line in lines if CARD.url not in line)


def test_a_terminal_gets_colour_and_links() -> None:
    text = printed(CARD, terminal=True)
    assert f";{CARD.url}\x1b\\" in text
    assert "\x1b[" in text


@pytest.mark.parametrize(
    "message",
    [
        replace(
            CARD,
            headline=HOSTILE,
            url=f"https://example.org/{HOSTILE}",
            affected=HOSTILE,
            summary=HOSTILE,
            source=HOSTILE,
            country=HOSTILE,
            why=(Why(HOSTILE, (HOSTILE,)),),
            cves=(CveFact(HOSTILE, 1.0, None, HOSTILE),),
            because=(HOSTILE,),
            also=(HOSTILE,),
            changes=(HOSTILE,),
        ),
        Note(HOSTILE, ((Piece(HOSTILE, f"https://example.org/{HOSTILE}", "strong"),),), Severity.HIGH),
        Digest(HOSTILE, (Row(HOSTILE, HOSTILE, Severity.LOW, (HOSTILE,), 1),)),
        Reply(HOSTILE, ((Piece(HOSTILE),),), (Row(HOSTILE, "", None),), HOSTILE, HOSTILE, HOSTILE, trouble=True),
    ],
    ids=lambda message: type(message).__name__,
)
def test_text_from_outside_moves_no_cursor_and_is_no_markup(message: Message) -> None:
    plain, coloured = printed(message), printed(message, terminal=True)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", plain)
    assert "[bold]" in plain
    for escape in ("\x1b[2J", "\x1b]0;", "\x9b", "\x00", "\u202e"):
        assert escape not in coloured


def test_a_digest_and_a_thread_read_well() -> None:
    digest = printed(Digest("2 new advisories", (Row("Pump", "https://e.org/", Severity.HIGH, ("CISA", "today"), 3),)))
    assert digest.splitlines()[0].rstrip() == "2 new advisories"
    assert [line.rstrip() for line in digest.splitlines()[1:3]] == ["HIGH      Pump", "          CISA  ·  today  ·  #3"]
    assert printed(Note("Update: Pump", ((Piece("• CVSS 9.8"),),)), reply=True).startswith(
        "↳ Update: Pump\n  • CVSS 9.8"
    )


def test_a_query_shows_its_caret_under_the_mistake() -> None:
    lines = printed(Reply("Cannot be read", preformatted="a  sevrity:high\n   ^", trouble=True)).splitlines()
    assert [line.rstrip() for line in lines[1:3]] == ["a  sevrity:high", "   ^"]


async def test_what_is_printed_is_delivered_and_a_terminal_that_is_gone_says_so() -> None:
    file = io.StringIO()
    platform = TerminalPlatform(terminal_console(file))
    assert await platform.post("", CARD, key="k", thread=None) != await platform.post("", CARD, key="l", thread=None)
    await platform.update("", "1", CARD)
    assert await platform.find("", "k", since=NOW, thread=None) is None
    file.close()
    with pytest.raises(Unavailable):
        await platform.post("", CARD, key="m", thread=None)


def test_an_encoding_that_lacks_a_character_does_no_harm() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as file:
        show(terminal_console(file), CARD)
        file.flush()
        assert b"Infusion pump" in raw.getvalue()
