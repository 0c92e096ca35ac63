"""What stands in a message: complete, within Slack's limits, and whatever a feed says stays text."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from bot.chat.slack.blocks import plain, render
from bot.message import CveFact, Message, Note, Piece, Reply, Why
from tests.block_kit import addresses, problems, texts
from tests.chat.slack.examples import ADDRESSES, CARD, HOSTILE, MESSAGES, ROW


def sent(message: Message) -> dict[str, object]:
    """The message as JSON, as it leaves the process."""
    payload = render(message)
    return json.loads(json.dumps({"channel": "C1", "text": payload.text, "blocks": payload.blocks}))


def test_a_card_says_what_an_analyst_needs_in_reading_order() -> None:
    read = texts(sent(CARD))
    places = [
        read.index(words)
        for words in (
            "CRITICAL",
            "ransomware, vulnerability",
            "exploited",
            "Ransomware group exploits flaw in hospital imaging servers",
            "Imaging servers of three makers",
            "CVE-2026-20417",
            "CVSS 7.2",
            "KEV 2026-05-25, ransomware",
            "EPSS 93%",
            "CVE-2026-20418",
            "An unauthenticated request",
            "Attack on a care provider",
            "CISA",
            "US",
            "#4711",
            "Open",
        )
    ]
    assert places == sorted(places)
    assert addresses(sent(CARD))[0] == CARD.url


def test_of_many_cves_the_first_are_shown_and_the_rest_counted() -> None:
    cves = tuple(CveFact(f"CVE-2026-{n}", 9.0, None, "2026-05-01" if n < 1012 else "") for n in range(1000, 11_000))
    payload = sent(replace(CARD, cves=cves))
    assert texts(payload).count("CVE-2026-") == 5
    assert "and 9995 more CVEs, 7 of them exploited" in texts(payload)
    assert problems(payload) == []


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_every_kind_of_message_keeps_slacks_limits(message: Message) -> None:
    assert problems(sent(message)) == []
    assert problems({"text": plain(message)}) == []


def test_a_digest_says_how_many_it_does_not_show() -> None:
    assert "and 280 more" in texts(sent(MESSAGES["digest of 300"]))


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_words_stay_words(words: str) -> None:
    card = replace(
        CARD,
        headline=words,
        affected=words,
        summary=words,
        why=(Why(words, (words, words)),),
        because=(words,),
        also=(words,),
        changes=(words,),
        source=words,
    )
    row = replace(ROW, headline=words, details=(words, words))
    reply = Reply(words, ((Piece(words), Piece(words, style="code")),), (row,) * 30, words, words, words, card)
    for message in (card, Note(words, ((Piece(words),),)), reply, replace(MESSAGES["digest"], heading=words)):
        start = time.perf_counter()
        payload = sent(message)
        assert time.perf_counter() - start < 0.2, "it stalls the event loop"
        assert problems(payload) == []
        assert problems({"text": plain(message)}) == []
        assert not any("evil.example" in address or "bank.example" in address for address in addresses(payload))


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES.keys())
def test_only_web_addresses_become_links(address: str) -> None:
    card = replace(CARD, url=address, cves=(), buttons=(replace(CARD.buttons[0], url=address or "x:"), CARD.buttons[1]))
    payload = sent(card)
    assert problems(payload) == []
    assert CARD.headline in texts(payload)
    assert all(one == "https://evil.example|https://bank.example" for one in addresses(payload))


def test_a_title_that_is_an_address_does_not_lead_elsewhere() -> None:
    payload = sent(
        replace(CARD, headline="https://bank.example/login", url="https://other.example/x", cves=(), buttons=())
    )
    links = [part for part in payload["blocks"][0]["elements"][0]["elements"] if part["type"] == "link"]  # type: ignore[index]
    assert [(one["text"], one["url"]) for one in links] == [("other.example", "https://other.example/x")]


def test_a_button_that_leads_nowhere_is_left_out() -> None:
    payload = sent(replace(CARD, buttons=(replace(CARD.buttons[0], url="javascript:alert(1)"),)))
    assert all(block["type"] != "actions" for block in payload["blocks"])  # type: ignore[attr-defined]
    assert problems(payload) == []


def test_plain_text_tells_the_same() -> None:
    told = plain(replace(CARD, headline="A <b> & *c*"))
    for words in ("CRITICAL: A &lt;b&gt; &amp; *c*", CARD.url, "CVE-2026-20417 (exploited)", "CISA, US, #4711"):
        assert words in told
