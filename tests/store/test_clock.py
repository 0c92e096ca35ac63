"""A clock that ran ahead and was set back: what was owed then is due now."""

from datetime import UTC, datetime, timedelta

from bot.model import Kind, Owed
from bot.store import deliveries, destinations
from bot.store.engine import Store

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def owed(destination: str, due_at: datetime) -> Owed:
    return Owed(destination, "notice:x:y", Kind.NOTICE, 0, due_at, text="hello")


async def test_what_a_fast_clock_put_off_is_due_and_what_was_meant_for_later_is_not(store: Store) -> None:
    async with store.begin() as conn:
        await deliveries.owe(conn, [owed("slack:C1", NOW + DAY), owed("slack:C2", NOW)], NOW + DAY)
        await deliveries.owe(conn, [owed("slack:C3", NOW + HOUR), owed("slack:C4", NOW)], NOW)
        await destinations.block(conn, "slack:C2", NOW + DAY)
        await destinations.block(conn, "slack:C4", NOW + HOUR / 2)
        assert await deliveries.clock_set_back(conn, NOW, HOUR) == 2
        due = [destination for destination, _ in await deliveries.destinations_due(conn, NOW)]
        assert sorted(due) == ["slack:C1", "slack:C2"]
