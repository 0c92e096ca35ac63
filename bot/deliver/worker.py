"""Drains one destination: takes what is due, sends it, settles its outcome, until nothing is due or it must wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby, takewhile

from bot.compose import plain_note
from bot.deliver.gate import Gate
from bot.deliver.letters import Letter, Letters
from bot.deliver.outcomes import Clock, Outcomes
from bot.deliver.platform import Platform, split
from bot.errors import OutcomeUnknown, RateLimited, Refusal, Refused, SendError, StoreError, Unavailable
from bot.message import Reply
from bot.model import Delivery, Kind, State
from bot.store import deliveries
from bot.store.engine import Store

log = logging.getLogger(__name__)

BARE_AFTER = 5  # lost answers to one message, after which its barest form is tried


class Worker:
    """One worker serves any number of destinations, each drained by one call at a time."""

    def __init__(
        self, store: Store, platforms: Mapping[str, Platform], letters: Letters, gate: Gate, outcomes: Outcomes
    ) -> None:
        self._store = store
        self._platforms = platforms
        self._letters = letters
        self._gate = gate
        self._outcomes = outcomes

    async def drain(self, destination: str, clock: Clock) -> tuple[int, float | None]:
        """Send what is due there: how many rows were sent, and seconds until it is worth coming back, if known."""
        sent = 0
        while await self._gate.turn(destination):
            async with self._gate.flight:
                if self._gate.stopping.is_set():
                    break
                rows = await self._take(destination, clock)
                if rows:
                    number, wait = await self._send(rows, clock)
                    sent += number
            if not rows:
                number, wait, more = await self._settle_open(destination, clock)
                sent += number
                if not more:
                    return sent, wait
            if wait is not None:
                return sent, wait
        left = self._gate.pause_left(destination)
        return sent, left if left > 0 else None

    async def _take(self, destination: str, clock: Clock) -> list[Delivery]:
        """The rows of the next message, marked as being sent."""
        now = clock()
        async with self._store.begin() as conn:
            due = await deliveries.due(conn, destination, now, self._gate.limits.digest_most)
            rows = self._together(due)
            if not rows:
                return []
            key = _key(rows)
            taken = set(await deliveries.mark_sending(conn, [row.id for row in rows], key, now))
        return [_sending(row, key, now) for row in rows if row.id in taken]

    def _together(self, due: Sequence[Delivery]) -> list[Delivery]:
        """The first row, or the stories at the front where they are enough for a digest."""
        front = list(takewhile(lambda row: row.kind is Kind.STORY, due))
        return front if len(front) >= self._gate.limits.digest_from else list(due[:1])

    async def _send(self, rows: Sequence[Delivery], clock: Clock) -> tuple[int, float | None]:
        """Send rows that are marked; how many were sent, and seconds to wait where they were not."""
        try:
            letter = await self._letters.write(rows)
            if rows[0].attempts > BARE_AFTER and await self._lost_answers(rows[0]) >= BARE_AFTER:
                letter = _bare(letter)
        except StoreError as error:
            return 0, await self._outcomes.again(rows, "not-composed", str(error), clock)
        except Exception as error:
            log.exception("delivery=not-composed destination=%s subject=%s", rows[0].destination, rows[0].subject)
            await self._outcomes.give_up(rows, f"could not be composed: {error}", clock)
            return 0, None
        try:
            async with asyncio.timeout(self._gate.limits.call):
                ref = await self._call(letter, rows)
        except RateLimited as error:
            return 0, await self._rate_limited(rows, error, clock)
        except Unavailable as error:
            return 0, await self._outcomes.again(rows, "unavailable", str(error), clock)
        except Refused as error:
            return 0, await self._outcomes.refused(rows, error, clock)
        except OutcomeUnknown as error:
            return await self._unknown(rows, str(error), clock)
        except TimeoutError:
            return await self._unknown(rows, f"no answer within {self._gate.limits.call:.0f} s", clock)
        except Exception as error:
            log.exception("delivery=unexpected destination=%s", rows[0].destination)
            return await self._unknown(rows, f"unexpected: {type(error).__name__}", clock)
        self._gate.sent(rows[0].destination)
        await self._outcomes.sent(rows, ref, clock)
        return len(rows), None

    async def _lost_answers(self, row: Delivery) -> int:
        async with self._store.read() as conn:
            return sum(attempt.outcome == "unknown" for attempt in await deliveries.attempts_of(conn, row.id))

    async def _unknown(self, rows: Sequence[Delivery], reason: str, clock: Clock) -> tuple[int, None]:
        self._gate.sent(rows[0].destination)  # it may have been
        await self._outcomes.unknown(rows, reason, clock)
        return 0, None

    async def _call(self, letter: Letter, rows: Sequence[Delivery]) -> str:
        platform, channel = self._platform(rows[0].destination)
        if letter.card is not None and letter.thread is not None:
            await self._update(platform, channel, letter)
        try:
            return await platform.post(channel, letter.message, key=rows[0].sent_as, thread=letter.thread)
        except Refused as error:
            if error.reason not in (Refusal.FORM, Refusal.OTHER):
                raise
            log.warning(
                "delivery=refused-form destination=%s code=%s: once more, plain", rows[0].destination, error.code
            )
            # A thread that is gone is refused in the platform's own words; a plain message stands without it.
            thread = letter.thread if error.reason is Refusal.FORM else None
            return await platform.post(channel, _bare(letter).message, key=rows[0].sent_as, thread=thread)

    async def _update(self, platform: Platform, channel: str, letter: Letter) -> None:
        """Bring the card up to date. It comes before the reply, so that whatever fails here is simply done again."""
        assert letter.card is not None
        assert letter.thread is not None
        try:
            await platform.update(channel, letter.thread, letter.card)
        except Refused as error:
            if error.reason is Refusal.AUTH:
                raise
            log.warning("delivery=card-not-updated channel=%s reason=%r", channel, str(error))
        except OutcomeUnknown as error:
            raise Unavailable(f"the card could not be updated: {error}") from error

    async def _rate_limited(self, rows: Sequence[Delivery], error: RateLimited, clock: Clock) -> float:
        wait = max(1.0, min(error.retry_after, self._gate.limits.longest_pause))
        if error.everywhere:
            self._gate.pause(split(rows[0].destination)[0], wait)
        return await self._outcomes.again(rows, "rate-limited", str(error), clock, after=wait)

    async def _settle_open(self, destination: str, clock: Clock) -> tuple[int, float | None, bool]:
        """Learn what became of rows with an open outcome: how many are there, seconds to wait, whether to go on."""
        async with self._store.read() as conn:
            rows = await deliveries.unfinished(conn, destination=destination)
        rows = [row for row in rows if self._is_left(row, clock)]
        sent = 0
        for _, grouped in groupby(rows, key=lambda row: row.sent_as):
            group = list(grouped)
            number, wait = await self._settle(group, clock)
            sent += number
            if wait is not None:
                return sent, wait, False
        return sent, None, bool(rows)

    def _is_left(self, row: Delivery, clock: Clock) -> bool:
        """Whether nobody is working on an open row any more."""
        since = row.sending_since
        return row.state is State.UNKNOWN or since is None or abs(clock() - since) > self._gate.limits.stale

    async def _settle(self, rows: Sequence[Delivery], clock: Clock) -> tuple[int, float | None]:
        platform, channel = self._platform(rows[0].destination)
        if not platform.can_ask:
            return 0, await self._outcomes.blind(rows, "this platform cannot be asked", clock)
        await self._gate.rest(self._ask_in(rows[0], clock))
        if self._gate.stopping.is_set():
            return 0, 0.0
        started, now = rows[0].started or rows[0].sending_since or clock(), clock()
        since = started if started <= now else now - timedelta(days=2)  # the clock was set back
        key = rows[0].sent_as or rows[0].key
        try:
            async with self._gate.flight, asyncio.timeout(self._gate.limits.call):
                thread = await self._letters.thread(rows[0])
                ref = await platform.find(channel, key, since=since, thread=thread)
        except RateLimited as error:
            return 0, max(1.0, min(error.retry_after, self._gate.limits.longest_pause))
        except Refused as error:
            if error.reason is Refusal.AUTH:
                return 0, await self._outcomes.refused(rows, error, clock)
            return 0, await self._outcomes.blind(rows, f"the history cannot be read: {error}", clock)
        except (SendError, TimeoutError) as error:
            log.warning("delivery=not-asked destination=%s reason=%r", rows[0].destination, str(error))
            return 0, self._outcomes.backoff(rows[0])
        if ref is not None:
            await self._outcomes.sent(rows, ref, clock, found=True)
            return len(rows), None
        first = rows[0].attempts <= 1
        wait = await self._outcomes.again(rows, "not-found", "", clock, after=0 if first else None)
        return 0, wait or None

    def _ask_in(self, row: Delivery, clock: Clock) -> float:
        """Seconds until the history surely shows what was sent."""
        ask_after = self._gate.limits.ask_after
        passed = (clock() - row.sending_since).total_seconds() if row.sending_since else ask_after
        return min(ask_after, max(0.0, ask_after - passed))

    def _platform(self, destination: str) -> tuple[Platform, str]:
        name, channel = split(destination)
        return self._platforms[name], channel


def _key(rows: Sequence[Delivery]) -> str:
    """The name of a message in the platform's metadata."""
    if len(rows) == 1:
        return rows[0].key
    return f"{rows[0].destination}/digest/{rows[0].id}-{rows[-1].id}-{len(rows)}"


def _sending(row: Delivery, key: str, now: datetime) -> Delivery:
    """``row`` as the ledger has it once it is marked."""
    return replace(
        row,
        state=State.SENDING,
        sent_as=key,
        sending_since=now,
        started=row.started or now,
        attempts=row.attempts + 1,
    )


def _bare(letter: Letter) -> Letter:
    assert not isinstance(letter.message, Reply)
    return Letter(plain_note(letter.message), letter.thread)
