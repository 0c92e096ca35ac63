"""The verbs: everything that can be asked, in the order in which help lists it. A new command is one entry here."""

from __future__ import annotations

from bot.commands import finding, showing, subscribing, wellbeing
from bot.commands.asking import Verb
from bot.commands.why import why

VERBS: tuple[Verb, ...] = (
    Verb(
        "latest",
        "latest [QUERY]",
        "the newest stories, or the newest that a query matches",
        ("latest", "latest relevance:direct severity:>=high"),
        "Newest first, by publication. `help query` tells what a query can say.",
        finding.latest,
    ),
    Verb(
        "search",
        "search QUERY",
        "search everything that is kept",
        ("search ransomware hospital", 'search vendor:philips "patient monitor" since:90d'),
        "Tells how many advisories match, and lists their stories, newest first. `help query` tells what it can say.",
        finding.find,
    ),
    Verb(
        "show",
        "show ID",
        "one story as a card, with all advisories that tell it",
        ("show 12",),
        "ID is the number that lists and cards show, such as #12.",
        showing.show,
    ),
    Verb(
        "cve",
        "cve CVE-…",
        "what is known of a CVE: KEV, EPSS, CVSS, and who names it",
        ("cve CVE-2024-3400",),
        "Each fact is told with the day it is of.",
        showing.cve,
    ),
    Verb(
        "subscribe",
        "subscribe QUERY",
        "tell this channel of every new advisory that matches",
        ("subscribe ransomware (hospital OR clinic)", "subscribe vendor:philips severity:>=high"),
        "Says what it would have matched in the last 90 days. A story is told once, however many subscriptions match.",
        subscribing.subscribe,
    ),
    Verb(
        "unsubscribe",
        "unsubscribe N",
        "end a subscription of this channel",
        ("unsubscribe 3",),
        "N is the number that `subscriptions` shows.",
        subscribing.unsubscribe,
    ),
    Verb(
        "subscriptions",
        "subscriptions",
        "what this channel is subscribed to",
        ("subscriptions",),
        "Each with its number, who made it and when.",
        subscribing.listed,
    ),
    Verb(
        "sources",
        "sources [WORDS]",
        "every source and how it is, the worst first",
        ("sources", "sources failing", "sources cisa"),
        "WORDS choose by the beginning of id, name, organisation, country or state.",
        wellbeing.listed,
    ),
    Verb(
        "status",
        "status",
        "how Wardwatch is: sources, messages, warnings, version",
        ("status",),
        "Counts are of the last 24 hours.",
        wellbeing.status,
    ),
    Verb(
        "why",
        "why ID",
        "why a story is here, who was told, who was not",
        ("why 12",),
        "Every reason of every verdict, what joined the advisories, each delivery with its attempts, each silence.",
        why,
    ),
)
