"""help: the verbs, one verb, or the query language on one screen."""

from __future__ import annotations

import difflib

from bot.commands.asking import Ask, Context, Verb
from bot.commands.listing import mistake, says
from bot.commands.verbs import VERBS
from bot.message import Piece, Reply

LANGUAGE = """\
ransomware hospital            both words
hospital OR clinic             either; ( ) group; OR and NOT in capitals
-vmware                        not this (or: NOT vmware)
"patient monitor"              words in a row
ransom*  *klinik*              wildcard at the beginning or end
=LIS                           exactly this case
"hospital attack"~5            at most 5 words between them
title:pump                     in the title only
lexicon:care-settings          any word of a list (below)
vendor:philips,"ge healthcare" one of these; also product: sector:
                               source: organisation: country: language:
cve:CVE-2024-*  url:*ics*      with wildcards
severity:>=high                info low medium high critical
relevance:direct               direct mention none
threat:ransomware,ddos         also data-theft espionage vulnerability
                               phishing fraud supply-chain malware
                               policy recall other
cvss:>=7  epss:>0.5  kev:yes   scores; known to be exploited
tlp:clear                      clear green amber amber+strict red
since:30d                      s m h d w; or since:2024-05-01
published:2024-05              a year, a month or a day; also < <= > >="""


async def help_(ask: Ask, context: Context) -> Reply:
    """What can be asked."""
    topic = ask.words.casefold().removeprefix(context.prefix.casefold()).strip()
    if not topic or topic == "help":
        return _everything(context)
    if topic in ("query", "queries"):
        lists = ", ".join(sorted(context.lexicons))
        return Reply("How a query is written", preformatted=LANGUAGE, footer=f"Lists: {lists}" if lists else "")
    verb = next((verb for verb in VERBS if verb.name == topic), None)
    if verb is not None:
        return _one(verb, context)
    close = difflib.get_close_matches(topic, [*(verb.name for verb in VERBS), "query"], n=1)
    hint = context.typed(f"help {close[0]}") if close else context.typed("help")
    return mistake(f"There is no help on {topic[:40]!r}", f"Try {hint}")


def _everything(context: Context) -> Reply:
    lines = [
        says(_strong(verb.usage, context), f"  {verb.about}: ", _code(verb.examples[-1], context)) for verb in VERBS
    ]
    more = says(_strong("help VERB", context), "  more of one; how a query is written: ", _code("help query", context))
    return Reply("What you can ask", (*lines, more))


def _one(verb: Verb, context: Context) -> Reply:
    about = says(f"{verb.about[:1].upper()}{verb.about[1:]}.")
    examples = (says("For example: ", _code(example, context)) for example in verb.examples)
    return Reply(context.typed(verb.usage), (about, says(verb.details), *examples))


def _strong(command: str, context: Context) -> Piece:
    return Piece(context.typed(command), style="strong")


def _code(command: str, context: Context) -> Piece:
    return Piece(context.typed(command), style="code")
