"""What is owed arrives once and in order, whatever a platform answers."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from world import NOW, Card, Digest, Note, World

from bot.deliver import Limits
from bot.errors import OutcomeUnknown, RateLimited, Refusal, Refused, StoreError, Unavailable
from bot.model import Kind, State
from bot.route import notice
from bot.store import deliveries, destinations
from bot.store.engine import Store


@pytest.fixture
async def world(sqlite_store: Store) -> World:
    return World(sqlite_store)


async def test_a_card_arrives_once_with_its_receipt_and_attempt(world: World) -> None:
    await world.tell("Pump")
    assert await world.deliverer.drain() == 1
    assert await world.deliverer.drain() == 0
    (posted,) = world.platform.posted
    assert isinstance(posted.message, Card)
    assert posted.message.because == ("pump",)
    assert posted.key == "slack:C1/story:1/story/0"
    (row,) = await world.rows()
    assert (row.state, row.ref, row.attempts) == (State.SENT, posted.ref, 1)
    async with world.store.read() as conn:
        assert [a.outcome for a in await deliveries.attempts_of(conn, row.id)] == ["sent"]


async def test_the_row_is_marked_before_the_call(world: World) -> None:
    await world.tell("Pump")
    seen = []
    post = world.platform.post

    async def watched(*args, **options):  # type: ignore[no-untyped-def]
        seen.append(await world.states())
        return await post(*args, **options)

    world.platform.post = watched  # type: ignore[method-assign]
    await world.deliverer.drain()
    assert seen == [[State.SENDING]]


async def test_a_revision_goes_into_the_thread_and_brings_the_card_up_to_date(world: World) -> None:
    (story,) = await world.tell("Pump")
    await world.revise(story, "! severity up: low → high")
    await world.revise(story, "", 2, kind=Kind.CORROBORATION)
    assert await world.deliverer.drain() == 3
    card, revision, corroboration = world.platform.posted
    assert [revision.thread, corroboration.thread] == [card.ref, card.ref]
    assert isinstance(revision.message, Note)
    assert revision.message.broadcast
    channel, ref, shown = world.platform.updates[0]
    assert (channel, ref) == ("C1", card.ref)
    assert isinstance(shown, Card)
    assert (shown.changes, shown.because) == (("severity up: low → high",), ("pump",))


async def test_a_revision_waits_for_its_story(world: World) -> None:
    (story,) = await world.tell("Pump")
    await world.revise(story, "CVSS 9.8 stated")
    world.platform.faults["C1"] = [Unavailable("down"), Unavailable("down")]
    await world.deliverer.drain()
    assert world.platform.headings() == []
    for _ in range(3):
        world.clock.now += timedelta(minutes=10)
        await world.deliverer.drain()
    assert world.platform.headings() == ["Pump", "Update: Pump"]


async def test_many_stories_due_together_are_one_message(world: World) -> None:
    ids = await world.tell(*(f"Story {n}" for n in range(25)))
    await world.revise(ids[0], "CVSS 9.8 stated")
    assert await world.deliverer.drain() == 26
    first, second, reply = world.platform.posted
    assert [len(p.message.rows) for p in (first, second) if isinstance(p.message, Digest)] == [20, 5]
    assert {row.ref for row in await world.rows() if row.kind is Kind.STORY} == {first.ref, second.ref}
    assert reply.thread == first.ref
    assert not world.platform.updates, "a digest is not overwritten by one card"


async def test_three_stories_are_three_cards(world: World) -> None:
    await world.tell("One", "Two", "Three")
    await world.deliverer.drain()
    assert world.platform.headings() == ["One", "Two", "Three"]


async def test_a_message_a_second_to_a_channel(world: World) -> None:
    await world.tell("One", "Two", "Three", to=("C1", "C2"))
    await world.deliver(limits=Limits()).drain()
    assert len(world.platform.posted) == 6
    for channel in ("C1", "C2"):
        one, two, three = (posted.at for posted in world.platform.posted if posted.channel == channel)
        assert two - one >= timedelta(seconds=1) <= three - two


async def test_a_platform_may_have_a_pace_of_its_own(world: World) -> None:
    await world.tell("One", "Two", "Three")
    await world.deliver(limits=Limits(paces={"slack": 0})).drain()
    assert world.clock.now == NOW


async def test_a_rate_limited_channel_pauses_and_holds_up_no_other(world: World) -> None:
    await world.tell("One", "Two", to=("C1", "C2"))
    world.platform.faults["C1"] = [RateLimited("slow", retry_after=30)]
    await world.deliverer.drain()
    assert (world.platform.headings("C1"), world.platform.headings("C2")) == ([], ["One", "Two"])
    world.clock.now = NOW + timedelta(seconds=29)
    await world.deliverer.drain()
    assert world.platform.headings("C1") == []
    world.clock.now = NOW + timedelta(seconds=31)
    await world.deliverer.drain()
    assert world.platform.headings("C1") == ["One", "Two"]


async def test_a_pause_of_the_whole_platform(world: World) -> None:
    await world.tell("One", to=("C1",))
    world.platform.faults["C1"] = [RateLimited("slow", retry_after=30, everywhere=True)]
    await world.deliverer.drain()
    await world.tell("Two", to=("C2",))
    await world.deliverer.drain()
    assert world.platform.calls == 1
    world.clock.now += timedelta(seconds=31)
    await world.deliverer.drain()
    assert len(world.platform.posted) == 2


async def test_a_pause_of_the_whole_platform_stops_channels_at_work(world: World) -> None:
    await world.tell("One", "Two", to=("C1",))
    await world.tell("Three", to=("C2",))
    world.platform.faults |= {"C1": ["hang"], "C2": [RateLimited("slow", retry_after=30, everywhere=True)]}
    draining = asyncio.create_task(world.deliverer.drain())
    await world.platform.hanging.wait()
    async with asyncio.timeout(10):
        while State.OWED not in [(await world.rows())[2].state] or world.platform.faults["C2"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    world.platform.release.set()
    assert await draining == 1
    assert world.platform.headings("C1") == ["One"]


async def test_backoff_doubles_and_never_ends(world: World) -> None:
    await world.tell("Pump")
    world.platform.faults["C1"] = [Unavailable("down") for _ in range(30)]
    waits = []
    for _ in range(30):
        await world.deliverer.drain()
        async with world.store.read() as conn:
            place = await destinations.get(conn, "slack:C1")
        assert place
        assert place.blocked_until
        waits.append((place.blocked_until - world.clock.now).total_seconds())
        world.clock.now = place.blocked_until
    assert waits[:5] == [2, 4, 8, 16, 32]
    assert max(waits) == waits[-1] == 300
    await world.deliverer.drain()
    assert world.platform.headings() == ["Pump"]


async def test_a_lost_answer_is_looked_up_and_the_message_adopted(world: World) -> None:
    await world.tell("Pump")
    world.platform.faults["C1"] = ["lost"]
    assert await world.deliverer.drain() == 1
    assert len(world.platform.posted) == 1
    assert [row.ref for row in await world.rows(State.SENT)] == ["C1-1"]
    assert world.platform.asked == [("slack:C1/story:1/story/0", NOW)]
    assert world.clock.monotonic() >= 5, "a history may lag behind"


async def test_a_lost_digest_is_adopted_whole(world: World) -> None:
    await world.tell("One", "Two", "Three", "Four", "Five")
    world.platform.faults["C1"] = ["lost"]
    assert await world.deliverer.drain() == 5
    assert len(world.platform.posted) == 1
    assert {row.ref for row in await world.rows(State.SENT)} == {"C1-1"}


async def test_a_lost_reply_is_looked_for_in_its_thread(world: World) -> None:
    (story,) = await world.tell("Pump")
    await world.deliverer.drain()
    await world.revise(story, "CVSS 9.8 stated")
    world.platform.faults["C1"] = ["lost"]
    await world.deliverer.drain()
    assert len(world.platform.posted) == 2
    assert await world.states() == [State.SENT, State.SENT]


async def test_what_is_not_found_is_sent_again(world: World) -> None:
    await world.tell("Pump")
    world.platform.faults["C1"] = [OutcomeUnknown("reset")]
    assert await world.deliverer.drain() == 1
    assert world.platform.headings() == ["Pump"]
    async with world.store.read() as conn:
        outcomes = [a.outcome for a in await deliveries.attempts_of(conn, 1)]
    assert outcomes == ["unknown", "not-found", "sent"]


@pytest.mark.parametrize("fault", [RateLimited("slow", retry_after=5), Unavailable("down"), OutcomeUnknown("reset")])
async def test_nothing_is_sent_again_before_the_platform_was_asked(world: World, fault: Exception) -> None:
    await world.tell("Pump")
    world.platform.faults["C1"] = ["lost"]
    world.platform.find_faults = [fault]
    assert await world.deliverer.drain() == 0
    assert await world.states() == [State.UNKNOWN]
    assert await world.deliverer.drain() == 1
    assert len(world.platform.posted) == 1


async def test_without_the_right_to_ask_it_is_sent_again_and_counted(sqlite_store: Store) -> None:
    world = World(sqlite_store, can_ask=False)
    await world.tell("Pump")
    world.platform.faults["C1"] = ["lost"]
    await world.deliverer.drain()
    world.clock.now += timedelta(minutes=1)
    await world.deliverer.drain()
    assert world.platform.headings() == ["Pump", "Pump"]
    assert world.deliverer.health.sent_blind == 1


async def test_an_unexpected_failure_of_a_platform_is_an_unknown_outcome(world: World) -> None:
    await world.tell("Pump")
    world.platform.faults["C1"] = [KeyError("ts")]
    assert await world.deliverer.drain() == 1
    assert world.platform.headings() == ["Pump"]


async def test_a_form_on_which_every_answer_is_lost_is_sent_plain_at_last(world: World) -> None:
    await world.tell("Pump")
    world.platform.faults["C1"] = [OutcomeUnknown("HTTP 500") for _ in range(5)]
    for _ in range(6):
        await world.deliverer.drain()
        world.clock.now += timedelta(minutes=10)
    assert world.platform.headings() == ["HIGH: Pump"]


async def test_a_refused_form_is_sent_plain(world: World) -> None:
    await world.tell("Pump")
    world.platform.faults["C1"] = [Refused("no", reason=Refusal.FORM, code="invalid_blocks")]
    assert await world.deliverer.drain() == 1
    (posted,) = world.platform.posted
    assert isinstance(posted.message, Note)
    assert posted.message.heading == "HIGH: Pump"


async def test_a_thread_that_is_gone_does_not_silence_a_revision(world: World) -> None:
    (story,) = await world.tell("Pump")
    await world.deliverer.drain()
    await world.revise(story, "CVSS 9.8 stated")
    world.platform.update_faults = [Refused("gone", code="message_not_found")]
    world.platform.faults["C1"] = [Refused("gone", code="thread_not_found")]
    assert await world.deliverer.drain() == 1
    assert world.platform.posted[-1].thread is None


async def test_what_no_form_saves_is_refused_and_told_once_a_day(world: World) -> None:
    deliverer = world.deliver(operators="slack:OPS")
    await world.tell("One", "Two")
    world.platform.faults["C1"] = [Refused("too odd", reason=Refusal.FORM) for _ in range(4)]
    await deliverer.drain()
    await deliverer.drain()
    assert [row.state for row in await world.rows() if row.kind is Kind.STORY] == [State.REFUSED, State.REFUSED]
    assert world.platform.headings("OPS") == ["A message to slack:C1 was refused"]


async def test_operators_whose_own_channel_is_gone_are_not_told_there(world: World) -> None:
    deliverer = world.deliver(operators="slack:C1")
    await world.tell("One")
    world.platform.faults["C1"] = [Refused("the channel is archived", reason=Refusal.GONE)]
    await deliverer.drain()
    assert await world.states() == [State.REFUSED]


@pytest.mark.parametrize("reason", [Refusal.GONE, Refusal.NOT_A_MEMBER])
async def test_a_channel_that_is_gone_is_stopped_and_operators_and_owner_are_told(
    world: World, reason: Refusal
) -> None:
    deliverer = world.deliver(operators="slack:OPS")
    await world.tell("One", "Two")
    async with world.store.begin() as conn:
        await destinations.set_owner(conn, "slack:C1", "U7")
    world.platform.faults["C1"] = [Refused("the channel is archived", reason=reason)]
    await deliverer.drain()
    await deliverer.drain()
    first, second, *_ = await world.rows()
    assert (first.state, second.state) == (State.REFUSED, State.EXPIRED)
    assert second.reason == "the channel is archived"
    for place in ("OPS", "U7"):
        assert world.platform.headings(place) == ["Nothing more is sent to slack:C1"]
    async with world.store.read() as conn:
        place = await destinations.get(conn, "slack:C1")
    assert place
    assert place.state == "stopped"


async def test_a_refused_token_stops_the_platform_without_a_busy_loop_and_loses_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.tell("Pump", to=("C1", "C2", "C3"))
    no = Refused("Slack refuses: token_revoked", reason=Refusal.AUTH)
    world.platform.faults |= {"C1": [no, no], "C2": [no, no], "C3": [no, no]}
    for _ in range(5):
        await world.deliverer.drain()
    assert world.platform.calls <= 3
    assert world.deliverer.health.refused_tokens == {"slack": "Slack refuses: token_revoked"}
    assert caplog.text.count("correct its token") == 1
    world.platform.faults.clear()
    await world.deliver().drain()
    assert len(world.platform.posted) == 3, "a new token after a restart works at once"
    assert world.deliverer.health.refused_tokens == {}


async def test_a_story_that_cannot_be_composed_blocks_nobody(world: World) -> None:
    deliverer = world.deliver(operators="slack:OPS")
    async with world.store.begin() as conn:
        lost = replace(notice("slack:C1", "x", "", NOW), subject="story:404", kind=Kind.STORY)
        await deliveries.owe(conn, [lost], NOW)
    await world.tell("Pump")
    await deliverer.drain()
    assert world.platform.headings() == ["Pump"]
    assert (await world.rows())[0].state is State.REFUSED
    assert world.platform.headings("OPS") == ["A message to slack:C1 was refused"]


async def test_a_destination_of_a_platform_that_is_not_set_up_waits(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.store.begin() as conn:
        await deliveries.owe(conn, [notice("teams:T1", "x", "hello", NOW)], NOW)
    assert await world.deliverer.drain() == 0
    assert await world.deliverer.drain() == 0
    assert caplog.text.count("no such platform") == 1
    assert await world.states() == [State.OWED]


async def test_an_outcome_is_written_however_long_the_database_refuses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.tell("Pump")
    mark_sent, refusals = deliveries.mark_sent, iter(range(5))

    async def refuses(*args, **options):  # type: ignore[no-untyped-def]
        if next(refusals, None) is not None:
            raise StoreError("the disk is full")
        await mark_sent(*args, **options)

    monkeypatch.setattr(deliveries, "mark_sent", refuses)
    assert await world.deliverer.drain() == 1
    assert len(world.platform.posted) == 1
    assert await world.states() == [State.SENT]


async def test_a_card_whose_update_is_unclear_is_updated_again_before_anything_is_posted(world: World) -> None:
    (story,) = await world.tell("Pump")
    await world.deliverer.drain()
    await world.revise(story, "CVSS 9.8 stated")
    world.platform.update_faults = [OutcomeUnknown("reset")]
    await world.deliverer.drain()
    assert await world.states() == [State.SENT, State.OWED]
    world.clock.now += timedelta(minutes=1)
    await world.deliverer.drain()
    assert (len(world.platform.updates), len(world.platform.posted)) == (1, 2)
    assert world.platform.asked == []
