"""dispatch: what was typed -> the verb that answers it; every mistake and every failure becomes a reply."""

from __future__ import annotations

import difflib
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable

from bot.commands.asking import Ask, Context, Person
from bot.commands.helping import help_
from bot.commands.listing import LAST_PAGE, mistake
from bot.commands.verbs import VERBS
from bot.errors import QueryError, StoreError
from bot.message import Reply
from bot.text import visible

log = logging.getLogger(__name__)

Answer = Callable[[Ask, Context], Awaitable[Reply]]

ANSWERS: dict[str, Answer] = {"help": help_, **{verb.name: verb.answer for verb in VERBS}}
LONGEST = 10_000  # characters that are looked at; a query has its own limit
_PAGE = re.compile(r"(?:^|\s)page\s+(\d{1,6})\s*$", re.IGNORECASE)
_TARGET = re.compile(r"(?P<cve>cve-\d{4}-\d{4,})|#(?P<story>\d+)", re.IGNORECASE)


async def dispatch(text: str, who: Person, where: str, context: Context) -> Reply:
    """Answer what ``who`` typed at the destination ``where``. Raises nothing."""
    typed = visible(text[:LONGEST]).strip()
    if context.prefix and typed.startswith(context.prefix):
        typed = typed.removeprefix(context.prefix).strip()
    verb, _, words = typed.partition(" ")
    name = verb.casefold().rstrip(":") or "help"
    answer = ANSWERS.get(name)
    if answer is None:
        return _unknown(verb, words.strip(), context)
    words, page = _paged(words)
    ask = Ask(words, who, where, context.clock(), page)
    begin = time.monotonic()
    reply, outcome = await _answered(name, answer, ask, context)
    log.info("command verb=%s where=%s outcome=%s seconds=%.3f", name, where, outcome, time.monotonic() - begin)
    return reply


async def _answered(name: str, answer: Answer, ask: Ask, context: Context) -> tuple[Reply, str]:
    try:
        reply = await answer(ask, context)
        return reply, "mistake" if reply.trouble else "ok"
    except QueryError as error:
        return Reply(str(error), preformatted=error.caret() if error.query else "", trouble=True), "mistake"
    except Exception as error:  # whatever it is, the person gets an answer and the operators the cause
        reference = secrets.token_hex(3)
        cause = str(error) if isinstance(error, StoreError) else type(error).__name__
        log.error("command-failed verb=%s ref=%s cause=%s", name, reference, cause, exc_info=error)
        sorry = f"Sorry, that did not work. Wardwatch's log tells why, under {reference}; please try again in a minute."
        return Reply(sorry, trouble=True), "failed"


def _paged(words: str) -> tuple[str, int]:
    """``ransomware page 2`` -> the words, and the page; words that end so stand in quotes."""
    found = _PAGE.search(words)
    if not found:
        return words.strip(), 1
    return words[: found.start()].strip(), min(max(int(found[1]), 1), LAST_PAGE)


def _unknown(verb: str, words: str, context: Context) -> Reply:
    """The nearest right command for a mistyped one."""
    target = _TARGET.fullmatch(verb)
    close = difflib.get_close_matches(verb.casefold(), ANSWERS, n=1, cutoff=0.6)
    if target and target["cve"]:
        likely = f"cve {verb.upper()}"
    elif target:
        likely = f"show {target['story']}"
    elif close:
        likely = f"{close[0]} {words}".strip()
    else:
        likely = f"search {verb} {words}".strip()
    likely = likely if len(likely) <= 200 else likely[:200] + "…"
    return mistake(
        f"There is no command {verb[:40]!r}",
        f"Did you mean: {context.typed(likely)}",
        f"{context.typed('help')} lists all.",
    )
