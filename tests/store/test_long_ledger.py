"""Owing costs what is owed, not what was owed before."""

import time
from datetime import UTC, datetime

from bot.route import notice
from bot.store import deliveries
from bot.store.engine import Store

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


async def test_a_destination_that_is_owed_very_much_is_owed_more_at_no_extra_cost(store: Store) -> None:
    began = time.monotonic()
    async with store.begin() as conn:
        await deliveries.owe(conn, [notice("slack:C1", f"n{n}", "hello", NOW) for n in range(20_000)], NOW)
    assert time.monotonic() - began < 15, "a second when written; a minute where each row reads all before it"
