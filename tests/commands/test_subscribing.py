"""A channel's standing queries: made, listed, ended, by whom they may."""

from __future__ import annotations

from bot.commands import Person, Policy
from bot.store import destinations
from bot.store.engine import Store
from bot.store.subscriptions import of_destination
from tests.commands.conftest import HERE, NOW, Channel, Keep, said


async def test_subscribing_tells_what_it_would_have_matched_and_the_watch_learns_at_once(
    channel: Channel, keep: Keep
) -> None:
    await keep("Pump flaw", days=10)
    await keep("Old pump flaw", days=91)
    await keep("Clinic hit", days=2)
    await keep("Brewery", days=2)
    reply = await channel("subscribe “pump” OR   clinic")
    assert reply.heading == "Subscribed as 1: pump OR clinic"
    assert "would have matched 2 advisories in the last 90 days" in said(reply)
    assert [row.headline for row in reply.rows] == ["Clinic hit", "Pump flaw"]
    assert "unsubscribe 1" in said(reply)
    assert channel.heard == ["+1 pump OR clinic"]


async def test_the_same_query_twice_is_one_subscription(channel: Channel) -> None:
    await channel("subscribe hospital AND attack")
    again = await channel('subscribe "hospital" attack')
    assert again.heading == "Subscribed already, as 1: hospital attack"
    assert channel.heard == ["+1 hospital attack"]


async def test_subscriptions_are_of_the_channel_asked_from(channel: Channel) -> None:
    await channel("subscribe hospital")
    await channel("subscribe pump", where="slack:C2")
    listed = said(await channel("subscriptions"))
    assert "1 subscription\n1  hospital  by U1, 26 May 2020" in listed
    assert "pump" not in listed
    assert "no subscription 2" in said(await channel("unsubscribe 2")).casefold()
    assert "No subscriptions here" in said(await channel("subscriptions", where="slack:C3"))
    standing = channel.with_(standing={"slack:C3": "relevance:direct"})
    assert "set by the operators  relevance:direct" in said(await standing("subscriptions", where="slack:C3"))


async def test_ending_a_subscription_ends_that_one_whatever_was_ended_before(channel: Channel) -> None:
    for query in ("hospital", "pump", "clinic"):
        await channel(f"subscribe {query}")
    await channel("unsubscribe 1")
    ended = await channel("unsubscribe #2")
    assert ended.heading == "No longer subscribed to pump"
    assert "subscribe pump" in said(ended)
    assert channel.heard[-2:] == ["-1 hospital", "-2 pump"]
    assert (await channel("unsubscribe 2")).trouble
    assert (await channel("unsubscribe pump")).trouble
    assert "3  clinic" in said(await channel("subscriptions"))


async def test_a_channel_has_a_limit(channel: Channel) -> None:
    for query in ("a1", "b2", "c3"):
        await channel(f"subscribe {query}")
    refused = await channel("subscribe d4")
    assert refused.trouble
    assert "3 subscriptions here already" in refused.heading
    assert "already, as 2" in (await channel("subscribe b2")).heading
    assert len(channel.heard) == 3


async def test_where_admins_are_named_only_they_change_subscriptions(channel: Channel, sqlite_store: Store) -> None:
    guarded = channel.with_(policy=Policy(admins=frozenset({"U9"})))
    assert (await guarded("subscribe hospital")).trouble
    assert (await guarded("subscribe hospital", who=Person("U9"))).heading.startswith("Subscribed as")
    assert (await guarded("unsubscribe 1")).trouble
    assert "1  hospital" in said(await guarded("subscriptions"))
    async with sqlite_store.read() as conn:
        assert len(await of_destination(conn, HERE)) == 1


async def test_a_mistaken_query_subscribes_to_nothing(channel: Channel) -> None:
    reply = await channel("subscribe hospital OR")
    assert reply.trouble
    assert reply.preformatted.startswith("hospital OR\n")
    assert (await channel("subscribe")).trouble
    assert (await channel("subscribe lexicon:care-setings")).heading.endswith('did you mean "care-settings"?')
    assert "No subscriptions" in said(await channel("subscriptions"))


async def test_subscribing_in_a_stopped_channel_starts_it_again(channel: Channel, sqlite_store: Store) -> None:
    async with sqlite_store.begin() as conn:
        await destinations.stop(conn, HERE, "the channel was archived", NOW)
    assert "stopped: the channel was archived" in said(await channel("subscriptions"))
    assert "start again" in said(await channel("subscribe hospital"))
    assert "stopped" not in said(await channel("subscriptions"))


async def test_many_subscriptions_are_paged(channel: Channel) -> None:
    wide = channel.with_(policy=Policy(limit=50))
    for number in range(12):
        await wide(f"subscribe word{number}")
    first = await wide("subscriptions")
    assert len(first.lines) == 10
    assert [line[1].text for line in (await wide(first.more)).lines] == ["word10", "word11"]
