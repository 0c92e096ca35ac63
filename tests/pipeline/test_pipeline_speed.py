"""A large document neither stalls the event loop nor takes long; what a document may weigh."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.model import Format
from tests.feed_server import Feed, kev
from tests.polling import World, post

pytestmark = pytest.mark.asyncio(loop_scope="session")
STALL, FIRST = 0.2, 10.0  # seconds


@asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """Gaps between the beats of a task that wants to run all the time; the longest comes first."""
    gaps: list[float] = []

    async def beat() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.002)
            gaps.append(time.perf_counter() - last)
            last += gaps[-1]

    gc.collect()
    gc.freeze()  # what other tests left behind is not ours to be measured
    beating = asyncio.create_task(beat())
    try:
        yield gaps
    finally:
        beating.cancel()
        gaps.sort(reverse=True)
        gc.unfreeze()


def cves(number: int) -> list[tuple[str, str]]:
    return [
        (f"CVE-20{10 + n % 15}-{10000 + n}", f"20{21 + n % 4}-{1 + n % 12:02}-{1 + n % 28:02}") for n in range(number)
    ]


async def test_a_first_look_at_1600_entries_is_quick_and_lets_others_run(world: World) -> None:
    source = world.source("kev", format=Format.KEV)
    world.server.feeds["/kev"] = Feed(body=kev(*cves(1600)))
    async with watched() as gaps:
        found = await world.poll(source)
    assert (found.new, found.alerts) == (1600, 0)
    print(f"first poll: {found.seconds / 1600 * 1000:.2f} ms an entry, longest gap {gaps[0] * 1000:.0f} ms")
    assert found.seconds < FIRST
    assert gaps[0] < STALL
    world.server.feed("/kev").body = kev(*cves(1600), ("CVE-2026-10001", "2026-03-10"))
    async with watched() as gaps:
        found = await world.poll(source)
    assert (found.entries, found.new) == (1601, 1)
    print(f"usual poll: {found.seconds / 1601 * 1000:.3f} ms an entry, longest gap {gaps[0] * 1000:.0f} ms")
    assert found.seconds < FIRST / 5
    assert gaps[0] < STALL


async def test_long_texts_let_others_run(world: World) -> None:
    await world.poll(world.source(), post(0))
    words = " ".join(f"term{n}" for n in range(2_500))
    world.server.feed("/one").posts = [post(n, f"Water works {n}", summary=f"{n} {words}") for n in range(1, 61)]
    async with watched() as gaps:
        found = await world.poll(world.source())
    print(f"long texts: {found.seconds / 60 * 1000:.1f} ms an entry, longest gap {gaps[0] * 1000:.0f} ms")
    assert (found.new, found.alerts) == (60, 0)
    assert gaps[0] < STALL


async def test_a_csaf_list_of_megabytes_passes_the_parser(world: World) -> None:
    entries = [
        {
            "id": f"ICSMA-26-{n:03}-01",
            "title": f"Maker {n} infusion pump",
            "published": "2026-03-01T10:00:00Z",
            "updated": "2026-03-01T10:00:00Z",
            "link": [{"rel": "self", "href": f"https://csaf.example/white/2026/icsma-26-{n:03}-01.json"}],
            "summary": {"content": "A stranger can change doses over the network. " * 25},
            "content": {"type": "application/json", "src": f"https://csaf.example/{n}.json"},
        }
        for n in range(1800)
    ]
    body = json.dumps({"feed": {"id": "white", "title": "CSAF", "entry": entries}}).encode()
    assert len(body) > 2_600_000
    world.server.feeds["/csaf"] = Feed(body=body)
    async with watched() as gaps:
        found = await world.poll(world.source("csaf", format=Format.CSAF))
    assert (found.status, found.new, found.note) == ("ok", 1800, "")
    assert gaps[0] < STALL
