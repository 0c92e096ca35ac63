"""Whatever is typed gets an answer: the right one, the nearest right one, or an apology without a traceback."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.commands import ANSWERS, VERBS
from bot.query import parse
from bot.store.engine import Store
from tests.commands.conftest import Channel, Keep, said


@pytest.mark.parametrize(
    ("typed", "likely"),
    [
        ("serach hospital", "search hospital"),
        ("subscibe pump", "subscribe pump"),
        ("unsubcribe 3", "unsubscribe 3"),
        ("lattest", "latest"),
        ("source", "sources"),
        ("CVE-2024-3400", "cve CVE-2024-3400"),
        ("#12", "show 12"),
        ("ransomware hospital", "search ransomware hospital"),
    ],
)
async def test_a_mistyped_command_is_answered_with_the_nearest_right_one(
    channel: Channel, typed: str, likely: str
) -> None:
    reply = await channel(typed)
    assert reply.trouble
    assert f"Did you mean: {likely}\n" in said(reply)
    assert f"Did you mean: /ward {likely}\n" in said(await channel.with_(prefix="/ward")(typed))


@pytest.mark.parametrize("typed", ["", "  ", "help", "HELP", "Help:", "/ward help", "\u200bhelp\n"])
async def test_help_lists_every_verb_with_an_example(channel: Channel, typed: str) -> None:
    reply = await channel.with_(prefix="/ward")(typed)
    assert not reply.trouble
    for verb in VERBS:
        assert f"/ward {verb.usage}" in said(reply)
        assert f"/ward {verb.examples[-1]}" in said(reply)


async def test_help_on_a_verb_and_on_queries(channel: Channel) -> None:
    for verb in VERBS:
        text = said(await channel(f"help {verb.name}"))
        assert all(example in text for example in verb.examples)
    query = await channel("help query")
    assert len(query.preformatted.splitlines()) < 30
    assert query.footer == "Lists: care-settings"
    assert "help search" in said(await channel("help serach"))
    assert (await channel("help nonsense-altogether")).trouble


async def test_every_example_that_help_shows_is_understood(channel: Channel, keep: Keep) -> None:
    for number in range(12):
        await keep(f"Advisory {number}")
    await channel("subscribe one1")
    await channel("subscribe two2")
    await channel("subscribe three3")
    wide = channel.with_(prefix="/ward")
    for example in (example for verb in VERBS for example in verb.examples):
        reply = await wide(f"/ward {example}")
        assert not reply.trouble or "the most there may be" in reply.heading, said(reply)
    for line in (await channel("help query")).preformatted.splitlines():
        for shown in line[:31].split("  "):
            if shown.strip() and not shown.startswith((" ", "source:")):
                parse(shown.strip())


async def test_a_page_is_asked_for_by_number(channel: Channel, keep: Keep) -> None:
    for number in range(6):
        await keep(f"Pump page {number}")
    assert len((await channel("search pump PAGE 2")).rows) == 1
    assert len((await channel("search pump page 0")).rows) == 5
    assert len((await channel('search "pump page"')).rows) == 5
    assert (await channel("search pump page 999999")).heading == "There is no page 100"


async def test_a_failure_is_an_apology_with_a_reference_and_the_log_holds_the_cause(
    channel: Channel, sqlite_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> list[str]:
        raise RuntimeError("secret inner detail")

    with caplog.at_level(logging.INFO):
        reply = await channel.with_(cautions=fails)("status")
    assert reply.trouble
    assert "Sorry" in reply.heading
    assert "secret" not in said(reply)
    assert "RuntimeError" not in said(reply)
    (failed,) = [record for record in caplog.records if "command-failed" in record.message]
    reference = failed.message.split("ref=")[1].split()[0]
    assert reference in reply.heading
    assert failed.exc_info
    assert any("verb=status" in record.message and "outcome=failed" in record.message for record in caplog.records)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["", *ANSWERS]),
    st.one_of(
        st.text(max_size=40),
        st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
        st.lists(st.sampled_from(["12", "#", "page", "9" * 30, "url:", '"\x00"', "OR", "(", "cve:*", "-", "x"])).map(
            " ".join
        ),
    ),
)
async def test_any_bytes_are_answered(channel: Channel, verb: str, words: str) -> None:
    reply = await channel(f"{verb} {words}")
    assert reply.heading
    assert "Sorry" not in reply.heading
    assert len(reply.more) < 2000


async def test_huge_input_is_answered_at_once(channel: Channel) -> None:
    for typed in (
        "x" * 1_000_000,
        "search " + "(" * 1_000_000,
        "show " + "9" * 1_000_000,
        "search " + "a OR " * 100_000,
    ):
        reply = await channel(typed)
        assert reply.trouble
        assert len(said(reply)) < 1_000
