"""Everything that is asked for: the standing queries of the settings and all subscriptions, in step with the store."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from bot.conditions import Condition, Lexicons
from bot.errors import QueryError
from bot.intake.telling import Asked
from bot.model import Subscription
from bot.query import parse
from bot.store import subscriptions
from bot.store.engine import Store
from bot.watch import Watch

log = logging.getLogger(__name__)


class Asking:
    """``watch`` holds what is asked for; ``refresh`` brings what another process changed.

    Subscriptions of a platform that is not among ``platforms`` rest: nobody could deliver what they would be owed.
    """

    def __init__(self, standing: Mapping[str, str], lexicons: Lexicons, *, platforms: Collection[str]) -> None:
        self.watch: Watch[Asked] = Watch(lexicons)
        self._lexicons = lexicons
        self._platforms = frozenset(platforms)
        self._known: dict[Asked, bool] = {}  # whether it is watched, or was left out for a mistake
        for destination, query in standing.items():
            self.watch.add(Asked(destination, query, standing=True), parse(query, lexicons=lexicons))

    def add(self, subscription: Subscription, condition: Condition) -> None:
        """Watch for a subscription from now on."""
        asked = _asked(subscription)
        self.watch.add(asked, condition)
        self._known[asked] = True

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        self._forget(_asked(subscription))

    async def refresh(self, store: Store) -> None:
        """Learn of subscriptions made and ended elsewhere: by another node, or by ``ask`` beside a running bot."""
        async with store.read() as conn:
            every = await subscriptions.every(conn)
        kept = {_asked(one): one for one in every if one.destination.partition(":")[0] in self._platforms}
        for asked in [asked for asked in self._known if asked not in kept]:
            self._forget(asked)
        for asked, subscription in kept.items():
            if asked not in self._known:
                self._learn(asked, subscription)

    def _learn(self, asked: Asked, subscription: Subscription) -> None:
        try:
            self.add(subscription, parse(subscription.query, lexicons=self._lexicons))
        except QueryError as error:  # a lexicon it names is gone: the others must still be heard
            self._known[asked] = False
            log.error(
                "subscription=%d destination=%s outcome=ignored query=%r error=%s",
                *(subscription.id, subscription.destination, subscription.query, error),
            )

    def _forget(self, asked: Asked) -> None:
        if self._known.pop(asked, False):
            self.watch.remove(asked)


def _asked(subscription: Subscription) -> Asked:
    return Asked(subscription.destination, subscription.query)
