"""What follows from each answer of a platform: the ledger's next state, a pause, a stopped channel, word to people."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.deliver.gate import Gate
from bot.deliver.platform import split
from bot.errors import Refusal, Refused, StoreError
from bot.model import Delivery, Owed
from bot.route import notice
from bot.store import deliveries, destinations
from bot.store.engine import Connection, Store

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Write = Callable[[Connection, datetime], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Health:
    """How sending goes, for ``status``."""

    refused_tokens: Mapping[str, str]  # platform -> what it said of our token
    sent_blind: int  # lost answers after which a message was sent again without asking (it may be there twice)
    last_sent: datetime | None = None  # since this start


class Outcomes:
    """Writes outcomes into the ledger. ``tell`` wakes a destination that is owed word about another one."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        *,
        operators: str,
        chance: Callable[[], float],
        tell: Callable[[str], None],
    ) -> None:
        self._store = store
        self._gate = gate
        self._operators = operators
        self._chance = chance
        self._tell = tell
        self._refused_tokens: dict[str, str] = {}
        self._sent_blind = 0
        self._last_sent: datetime | None = None

    @property
    def health(self) -> Health:
        return Health(dict(self._refused_tokens), self._sent_blind, self._last_sent)

    async def sent(self, rows: Sequence[Delivery], ref: str, clock: Clock, *, found: bool = False) -> None:
        """The platform has it."""
        if self._refused_tokens.pop(split(rows[0].destination)[0], None):
            log.info("delivery=resumed platform=%s", split(rows[0].destination)[0])

        async def write(conn: Connection, now: datetime) -> None:
            await deliveries.mark_sent(conn, _ids(rows), ref, now)
            await deliveries.attempt(conn, _ids(rows), now, "found" if found else "sent")

        await self._write(write, clock)
        self._last_sent = clock()
        log.info("delivery=%s destination=%s rows=%d", "found" if found else "sent", rows[0].destination, len(rows))

    async def again(
        self, rows: Sequence[Delivery], outcome: str, reason: str, clock: Clock, *, after: float | None = None
    ) -> float:
        """It is certainly not there: owed again after so many seconds (default: backoff); how many that are."""
        wait = self.backoff(rows[0]) if after is None else after

        async def write(conn: Connection, now: datetime) -> None:
            await deliveries.mark_owed_again(conn, _ids(rows), now + timedelta(seconds=wait))
            await deliveries.attempt(conn, _ids(rows), now, outcome, reason)

        await self._write(write, clock)
        log.warning(
            "delivery=%s destination=%s rows=%d again_in=%.0fs reason=%r",
            outcome,
            rows[0].destination,
            len(rows),
            wait,
            reason,
        )
        return wait

    async def unknown(self, rows: Sequence[Delivery], reason: str, clock: Clock) -> None:
        """The answer was lost."""

        async def write(conn: Connection, now: datetime) -> None:
            await deliveries.mark_unknown(conn, _ids(rows))
            await deliveries.attempt(conn, _ids(rows), now, "unknown", reason)

        await self._write(write, clock)
        log.warning("delivery=unknown destination=%s rows=%d reason=%r", rows[0].destination, len(rows), reason)

    async def blind(self, rows: Sequence[Delivery], reason: str, clock: Clock) -> float:
        """The answer was lost and nobody can be asked: owed again, and it may be there twice."""
        self._sent_blind += len(rows)
        return await self.again(rows, "at-least-once", reason, clock, after=self.backoff(rows[0]))

    async def refused(self, rows: Sequence[Delivery], error: Refused, clock: Clock) -> float | None:
        """The platform answered no, and will again; seconds until its destination is worth another try."""
        destination = rows[0].destination
        if error.reason is Refusal.AUTH:
            return await self._token_refused(rows, error, clock)
        if error.reason in (Refusal.GONE, Refusal.NOT_A_MEMBER):
            await self._stop(destination, rows, str(error), clock)
            return None
        await self.give_up(rows, str(error), clock)
        return None

    async def give_up(self, rows: Sequence[Delivery], reason: str, clock: Clock) -> None:
        """It can be sent in no form: the reason is kept, and the operators are told, once a day for a destination."""
        destination = rows[0].destination

        async def write(conn: Connection, now: datetime) -> None:
            await deliveries.refuse(conn, _ids(rows), reason, now)
            await deliveries.attempt(conn, _ids(rows), now, "refused", reason)
            text = f"A message to {destination} was refused\n{reason}\nFurther ones of today are only in the log."
            told = notice(self._operators, f"refused:{destination}", text, now, when=f"{now:%Y-%m-%d}")
            await self._owe(conn, [told], destination, now)

        await self._write(write, clock)
        log.error("delivery=refused destination=%s rows=%d reason=%r", destination, len(rows), reason)

    async def _token_refused(self, rows: Sequence[Delivery], error: Refused, clock: Clock) -> float:
        platform = split(rows[0].destination)[0]
        self._gate.pause(platform, self._gate.limits.auth_pause)
        await self.again(rows, "token-refused", str(error), clock, after=0)
        if platform not in self._refused_tokens:
            log.error(
                "delivery=stopped platform=%s reason=%r: correct its token and start again; nothing is lost",
                platform,
                str(error),
            )
        self._refused_tokens[platform] = str(error)
        return self._gate.limits.auth_pause

    async def _stop(self, destination: str, rows: Sequence[Delivery], reason: str, clock: Clock) -> None:
        async def write(conn: Connection, now: datetime) -> None:
            await destinations.stop(conn, destination, reason, now)
            await deliveries.refuse(conn, _ids(rows), reason, now)
            await deliveries.attempt(conn, _ids(rows), now, "refused", reason)
            expired = await deliveries.expire_destination(conn, destination, reason, now)
            known = await destinations.get(conn, destination)
            text = f"Nothing more is sent to {destination}\n{reason}\n{expired} messages that it was owed are dropped."
            owner = known.owner if known else ""
            owner = owner if not owner or ":" in owner else f"{split(destination)[0]}:{owner}"
            tell = [notice(person, f"stopped:{destination}", text, now) for person in (self._operators, owner)]
            await self._owe(conn, tell, destination, now)

        await self._write(write, clock)
        log.error("delivery=stopped destination=%s reason=%r", destination, reason)

    async def _owe(self, conn: Connection, notices: Sequence[Owed], about: str, now: datetime) -> None:
        """Owe notices to those who can be told: not to the very destination that fails."""
        told = [one for one in notices if one.destination not in ("", about)]
        await deliveries.owe(conn, told, now)
        for one in told:
            self._tell(one.destination)

    def backoff(self, row: Delivery) -> float:
        """Seconds until the next try: doubling from the first failure on, with jitter, capped."""
        limits = self._gate.limits
        longest = min(limits.longest_backoff, limits.first_backoff * 2.0 ** min(row.attempts - 1, 30))
        return longest * (0.5 + self._chance() / 2)

    async def _write(self, write: Write, clock: Clock) -> None:
        """Write an outcome, however long the database refuses: it is known only here. Stopping ends it (StoreError)."""
        wait = 0.1
        while True:
            try:
                async with self._store.begin() as conn:
                    await write(conn, clock())
                return
            except StoreError as error:
                if self._gate.stopping.is_set():
                    raise
                log.error("delivery=outcome-not-written again_in=%.0fs reason=%r", wait, str(error))
            await self._gate.rest(wait)
            wait = min(30.0, wait * 3)


def _ids(rows: Sequence[Delivery]) -> list[int]:
    return [row.id for row in rows]
