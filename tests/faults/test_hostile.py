"""Hostile feeds, end to end: what they say stays text, and costs neither memory nor the event loop."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from bot.deliver import Limits
from tests.block_kit import PINGS, addresses, texts
from tests.fake_slack import FakeSlack
from tests.faults.living import STALL, Clock, LoopWatch, living, until
from tests.flow.publisher import Publisher, write_config
from tests.flow.running import Running, in_slack

BIDI, ZERO = "\u202e\u2066", "\u200b\u2060\ufeff"
HOSTILE = [
    ("<!channel> <!here> <!everyone> hospital", "<@U0NURSE> <!subteam^S1> @channel @here"),
    ("&lt;!channel&gt; hospital &amp;lt;!here&amp;gt;", "&amp;amp;lt;@U0NURSE&amp;amp;gt;"),
    ("<https://evil.example|https://cert.example/real> hospital", "[https://bank.example](https://evil.example)"),
    (
        "https://bank.example hospital",
        "<a href='javascript:alert(1)'>hospital</a> javascript:alert(1) data:text/html,x",
    ),
    (f"hospital {BIDI}lives reversed{ZERO}", f"{ZERO}hos{ZERO}pital\x07\x1b[2J\u2028\u0085"),
    ("*bold* _it_ ~s~ `code` ```hospital``` >quote", ":skull: " * 2000 + "```" * 50),
    ("hospital " + "\U0001f525" * 5000, "\U0001f469\u200d\u2695\ufe0f" * 20_000),
    ("hospital " + "A" * 1_000_000, "x" * 500_000),
    ("hospital " + "a\u0301\u0301\u0301" * 30_000, "Zalgo"),
    ("hospital CVEs", " ".join(f"CVE-2026-{n}" for n in range(10_000, 20_000))),
    ("hospital " + "<b>" * 20_000, "<div>" * 50_000 + "<script>alert(1)</script><style>*{}</style>"),
    ("hospital &#0; &#xD800; &#x110000; &bogus; %s %(x)s {x} $x", "' OR 1=1; -- \\ \" \x00"),
    ("hospital " + "(" * 5000 + "a" * 5000 + "!", "a?" * 5000 + "a" * 5000),
]


def _publish(publisher: Publisher) -> None:
    for number, (title, summary) in enumerate(HOSTILE):
        cleaned = [
            text.translate({code: None for code in range(32) if chr(code) not in "\n\t"}) for text in (title, summary)
        ]
        publisher.add("north", f"h{number}", f"[{number}] {cleaned[0]}", cleaned[1], markup=number % 2 == 0)


async def test_each_is_a_card_that_stays_text_and_stalls_nobody(tmp_path: Path) -> None:
    watch, alone = LoopWatch(), Limits(pace=0, digest_from=100)
    async with Publisher("north") as publisher, FakeSlack() as slack:
        write_config(tmp_path / "config", publisher)
        async with living(tmp_path, slack.url, Clock(), limits=alone, WARDWATCH_ALERT_QUERY="hospital OR cves"):
            await publisher.asked_for("north")
            async with watch.watching():
                _publish(publisher)
                await until(lambda: len(slack.messages()) == len(HOSTILE))
    assert len(_numbers(slack)) == len(HOSTILE)
    _harmless(slack)
    assert watch.worst < STALL, f"the event loop stood still for {watch.worst:.3f} s"


async def test_all_together_are_a_digest_and_fit_into_memory(tmp_path: Path) -> None:
    async with Publisher("north") as publisher, FakeSlack() as slack:
        write_config(tmp_path / "config", publisher)
        async with Running(tmp_path, in_slack(tmp_path, slack.url, WARDWATCH_ALERT_QUERY="hospital OR cves")) as ward:
            await publisher.asked_for("north")
            _publish(publisher)
            most = 0.0
            async with asyncio.timeout(20):
                while len(_numbers(slack)) < len(HOSTILE):
                    most = max(most, ward.memory())
                    await asyncio.sleep(0.01)
            assert await ward.stop() < 5
    _harmless(slack)
    assert most < 300, f"{most:.0f} MB"
    assert "Traceback" not in ward.text


def _harmless(slack: FakeSlack) -> None:
    assert slack.problems == []
    for message in slack.messages():
        assert not PINGS.search(message["text"])
        for address in addresses(message):
            assert address.startswith(("https://cert.example/h", "https://nvd.nist.gov/vuln/")), address
        shown = message["text"] + texts(message)
        assert not set(shown) & set(BIDI + ZERO + "\x07\x1b\x00\u2028")
        assert len(json.dumps(message)) < 60_000


def _numbers(slack: FakeSlack) -> set[int]:
    shown = " ".join(texts(message) for message in slack.messages())
    return {number for number in range(len(HOSTILE)) if f"[{number}]" in shown}
